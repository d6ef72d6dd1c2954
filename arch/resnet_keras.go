package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// KerasResNet is keras.applications' ResNet50, ResNet101 and ResNet152, or with V2 their V2 forms, with Keras's names of layers
// (conv2_block1_1_conv), so that its weights fit. It differs from [ResNet]: convolutions have biases (in V2 only those behind
// which no normalization stands), normalizations an epsilon of 1.001e-5, kernels Keras's glorot_uniform; the stride is in the
// first 1×1 convolution of a stage, of V2 in the 3×3 convolution of its last block; there is no regularizer. 25,636,712
// parameters for ResNet50 with 224×224×3 and 1000 classes.
type KerasResNet struct {
	Input      nn.Shape      // input_shape: rows, columns, channels; 32×32×3 by default, Keras has 224×224×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Depth int    // 50, 101 or 152; 0 means 50
	V2    bool   // ResNet50V2 and so on (He et al. 2016)
	Name  string // of the model; "resnet50", "resnet50v2" and so on by default
}

// Model implements [Architecture].
func (c KerasResNet) Model() (*nn.Model, error) {
	depth := cmp.Or(c.Depth, 50)
	if depth != 50 && depth != 101 && depth != 152 {
		return nil, &nn.Error{Kind: nn.ErrArgument, Class: "KerasResNet", Layer: c.Name,
			Problem: fmt.Sprintf("keras.applications has no network of %d layers", depth), Remedy: "use 50, 101 or 152"}
	}
	name := cmp.Or(c.Name, fmt.Sprintf("resnet%d", depth))
	if c.V2 && c.Name == "" {
		name += "v2"
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	k := kerasResidual{b}
	x := b.Add(nn.ZeroPadding2D{Padding: nn.Border(3), Name: "conv1_pad"}, permuted(b, input))
	x = b.Add(nn.Conv2D{Filters: 64, Kernel: nn.K(7), Strides: nn.K(2), Name: "conv1_conv"}, x)
	if !c.V2 {
		x = k.relu(k.norm(x, "conv1_bn"), "conv1_relu")
	}
	x = b.Add(nn.ZeroPadding2D{Padding: nn.Border(1), Name: "pool1_pad"}, x)
	x = b.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Name: "pool1_pool"}, x)
	for i, blocks := range resnetBlocks[depth] {
		for j := range blocks {
			label, filters := fmt.Sprintf("conv%d_block%d", i+2, j+1), 64<<i
			if c.V2 {
				strides := 1
				if j == blocks-1 && i < 3 {
					strides = 2
				}
				x = k.blockV2(x, filters, strides, j == 0, label)
				continue
			}
			strides := 1
			if j == 0 && i > 0 {
				strides = 2
			}
			x = k.blockV1(x, filters, strides, j == 0, label)
		}
	}
	if c.V2 {
		x = k.relu(k.norm(x, "post_bn"), "post_relu")
	}
	x = b.Add(nn.GlobalAveragePooling2D{Name: "avg_pool"}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c KerasResNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// kerasResidual adds the blocks of keras.applications.
type kerasResidual struct{ *nn.Builder }

// kerasEpsilon is the odd epsilon of keras.applications' residual and dense networks.
const kerasEpsilon = 1.001e-5

func (k kerasResidual) norm(x *nn.Tensor, name string) *nn.Tensor {
	return k.Add(nn.BatchNormalization{Epsilon: kerasEpsilon, Name: name}, x)
}

func (k kerasResidual) relu(x *nn.Tensor, name string) *nn.Tensor {
	return k.Add(nn.Activation{Func: nn.ReLU, Name: name}, x)
}

// blockV1 is residual_block_v1.
func (k kerasResidual) blockV1(input *nn.Tensor, filters, strides int, convShortcut bool, name string) *nn.Tensor {
	shortcut := input
	if convShortcut {
		shortcut = k.Add(nn.Conv2D{Filters: 4 * filters, Kernel: nn.K(1), Strides: nn.K(strides), Name: name + "_0_conv"}, input)
		shortcut = k.norm(shortcut, name+"_0_bn")
	}
	x := k.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(1), Strides: nn.K(strides), Name: name + "_1_conv"}, input)
	x = k.relu(k.norm(x, name+"_1_bn"), name+"_1_relu")
	x = k.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(3), Padding: nn.Same, Name: name + "_2_conv"}, x)
	x = k.relu(k.norm(x, name+"_2_bn"), name+"_2_relu")
	x = k.Add(nn.Conv2D{Filters: 4 * filters, Kernel: nn.K(1), Name: name + "_3_conv"}, x)
	x = k.norm(x, name+"_3_bn")
	return k.relu(k.Add(nn.Add{Name: name + "_add"}, shortcut, x), name+"_out")
}

// blockV2 is residual_block_v2.
func (k kerasResidual) blockV2(input *nn.Tensor, filters, strides int, convShortcut bool, name string) *nn.Tensor {
	x := k.relu(k.norm(input, name+"_preact_bn"), name+"_preact_relu")
	shortcut := input
	switch {
	case convShortcut:
		shortcut = k.Add(nn.Conv2D{Filters: 4 * filters, Kernel: nn.K(1), Strides: nn.K(strides), Name: name + "_0_conv"}, x)
	case strides > 1:
		shortcut = k.Add(nn.MaxPooling2D{Pool: nn.K(1), Strides: nn.K(strides)}, input)
	}
	x = k.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(1), NoBias: true, Name: name + "_1_conv"}, x)
	x = k.relu(k.norm(x, name+"_1_bn"), name+"_1_relu")
	x = k.Add(nn.ZeroPadding2D{Padding: nn.Border(1), Name: name + "_2_pad"}, x)
	x = k.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(3), Strides: nn.K(strides), NoBias: true, Name: name + "_2_conv"}, x)
	x = k.relu(k.norm(x, name+"_2_bn"), name+"_2_relu")
	x = k.Add(nn.Conv2D{Filters: 4 * filters, Kernel: nn.K(1), Name: name + "_3_conv"}, x)
	return k.Add(nn.Add{Name: name + "_out"}, shortcut, x)
}
