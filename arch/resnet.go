package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// ResNet50 is the 50-layer network of He et al., "Deep Residual Learning for Image Recognition" (2015), in the form of
// TensorFlow's official models: stride 2 sits on the 3×3 convolution of a block ("v1.5"),
// convolutions have no bias and he_normal kernels, names are res2a_branch2a, bn2a_branch2a, fc1000, …. 23,766,052
// parameters for 32×32×3 and 100 classes, 25,610,152 for 224×224×3 and 1000.
type ResNet50 struct {
	Input      nn.Shape      // rows, columns, channels; 32×32×3 by default
	Classes    int           // num_classes; 100 by default
	Batch      int           // batch_size, shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	NoL2             bool    // use_l2_regularizer=False: no λ = 1e-4 on kernels and on the last layer's bias
	RescaleInputs    bool    // rescale_inputs: inputs of 0…1 become ×255 minus ImageNet's RGB means; needs 3 channels
	BatchNormDecay   float64 // batch_norm_decay, the momentum of the running averages; 0 means 0.9
	BatchNormEpsilon float64 // batch_norm_epsilon; 0 means 1e-5
	Name             string  // of the model; "resnet50" by default
}

// ChannelMeans are the means of ImageNet's training images, red, green, blue, in 0…255: TensorFlow's
// imagenet_preprocessing.CHANNEL_MEANS.
func ChannelMeans() [3]float64 { return [3]float64{123.68, 116.779, 103.939} }

// resnetL2 is the reference's l2_weight_decay.
const resnetL2 nn.L2 = 1e-4

// resnet50 is the paper's table 1: blocks of each stage, and the filters of a block's three convolutions.
var resnet50 = []struct {
	blocks  int
	filters [3]int
}{{3, [3]int{64, 64, 256}}, {4, [3]int{128, 128, 512}}, {6, [3]int{256, 256, 1024}}, {3, [3]int{512, 512, 2048}}}

// Model implements [Architecture].
func (c ResNet50) Model() (*nn.Model, error) {
	name := c.Name
	if name == "" {
		name = "resnet50"
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	r := c.blocks(b)
	x := input
	if c.RescaleInputs {
		means := ChannelMeans()
		x = b.Add(nn.Rescale{Scale: 255, Shift: []float64{-means[0], -means[1], -means[2]}, Name: "rescale"}, x)
	}
	x = permuted(b, x)
	x = b.Add(nn.ZeroPadding2D{Padding: nn.Border(3), Name: "conv1_pad"}, x)
	x = r.conv(x, 64, nn.K(7), nn.K(2), nn.Valid, "conv1")
	x = r.norm(x, "bn_conv1")
	x = b.Add(nn.Activation{Func: nn.ReLU}, x)
	x = b.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Padding: nn.Same}, x)
	for i, stage := range resnet50 {
		for j := range stage.blocks {
			label := fmt.Sprintf("%d%c", i+2, 'a'+rune(j))
			switch {
			case j > 0:
				x = r.identityBlock(x, stage.filters, label)
			case i == 0:
				x = r.convBlock(x, stage.filters, label, nn.K(1))
			default:
				x = r.convBlock(x, stage.filters, label, nn.K(2))
			}
		}
	}
	x = b.Add(nn.GlobalAveragePooling2D{}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), KernelInitializer: nn.RandomNormal{Stddev: 0.01},
		KernelRegularizer: r.l2, BiasRegularizer: r.l2, Name: "fc1000"}, x)
	x = b.Add(nn.Activation{Func: nn.Softmax}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c ResNet50) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// residual adds the blocks of residual networks to a builder.
type residual struct {
	*nn.Builder
	l2             nn.L2
	decay, epsilon float64
}

func (c ResNet50) blocks(b *nn.Builder) residual {
	r := residual{Builder: b, l2: resnetL2, decay: cmp.Or(c.BatchNormDecay, 0.9), epsilon: cmp.Or(c.BatchNormEpsilon, 1e-5)}
	if c.NoL2 {
		r.l2 = 0
	}
	return r
}

func (r residual) conv(x *nn.Tensor, filters int, kernel, strides [2]int, padding nn.Padding, name string) *nn.Tensor {
	return r.Add(nn.Conv2D{Filters: filters, Kernel: kernel, Strides: strides, Padding: padding, NoBias: true,
		KernelInitializer: nn.HeNormal{}, KernelRegularizer: r.l2, Name: name}, x)
}

func (r residual) norm(x *nn.Tensor, name string) *nn.Tensor {
	return r.Add(nn.BatchNormalization{Momentum: r.decay, Epsilon: r.epsilon, Name: name}, x)
}

func (r residual) relu(x *nn.Tensor) *nn.Tensor { return r.Add(nn.Activation{Func: nn.ReLU}, x) }

// mainPath is the three convolutions of a bottleneck: 1×1, 3×3 with the block's stride, 1×1.
func (r residual) mainPath(x *nn.Tensor, filters [3]int, label string, strides [2]int) *nn.Tensor {
	conv, bn := "res"+label+"_branch2", "bn"+label+"_branch2"
	x = r.relu(r.norm(r.conv(x, filters[0], nn.K(1), nn.K(1), nn.Valid, conv+"a"), bn+"a"))
	x = r.relu(r.norm(r.conv(x, filters[1], nn.K(3), strides, nn.Same, conv+"b"), bn+"b"))
	return r.norm(r.conv(x, filters[2], nn.K(1), nn.K(1), nn.Valid, conv+"c"), bn+"c")
}

// convBlock is the reference's conv_block: the shortcut is a strided 1×1 convolution.
func (r residual) convBlock(input *nn.Tensor, filters [3]int, label string, strides [2]int) *nn.Tensor {
	x := r.mainPath(input, filters, label, strides)
	shortcut := r.norm(r.conv(input, filters[2], nn.K(1), strides, nn.Valid, "res"+label+"_branch1"), "bn"+label+"_branch1")
	return r.relu(r.Add(nn.Add{}, x, shortcut))
}

// identityBlock is the reference's identity_block: the shortcut is the input itself.
func (r residual) identityBlock(input *nn.Tensor, filters [3]int, label string) *nn.Tensor {
	x := r.mainPath(input, filters, label, nn.K(1))
	return r.relu(r.Add(nn.Add{}, x, input))
}
