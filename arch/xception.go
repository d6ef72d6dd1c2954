package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// Xception is the network of Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions" (2017), as keras.applications has
// it, with its names of layers. 22,910,480 parameters for 299×299×3 and 1000 classes.
type Xception struct {
	Input      nn.Shape      // input_shape: rows, columns, channels; 32×32×3 by default; Keras has 299×299×3 and wants at least 71×71
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Name string // of the model; "xception" by default
}

// Model implements [Architecture].
func (c Xception) Model() (*nn.Model, error) {
	b, input := start(cmp.Or(c.Name, "xception"), c.DataFormat, c.Input, c.Batch)
	e := xception{b}
	x := b.Add(nn.Conv2D{Filters: 32, Kernel: nn.K(3), Strides: nn.K(2), NoBias: true, Name: "block1_conv1"}, permuted(b, input))
	x = e.relu(e.norm(x, "block1_conv1_bn"), "block1_conv1_act")
	x = b.Add(nn.Conv2D{Filters: 64, Kernel: nn.K(3), NoBias: true, Name: "block1_conv2"}, x)
	x = e.relu(e.norm(x, "block1_conv2_bn"), "block1_conv2_act")
	// The entry flow: pairs of separable convolutions, pooled, with a 1×1 convolution around them; the first block has its ReLU already.
	for i, filters := range []int{128, 256, 728} {
		x = e.pooled(x, fmt.Sprintf("block%d", i+2), i > 0, filters, filters)
	}
	for i := range 8 { // the middle flow
		y, prefix := x, fmt.Sprintf("block%d", i+5)
		for j := range 3 {
			name := fmt.Sprintf("%s_sepconv%d", prefix, j+1)
			y = e.separable(e.relu(y, name+"_act"), 728, name)
		}
		x = b.Add(nn.Add{}, y, x)
	}
	x = e.pooled(x, "block13", true, 728, 1024)
	for i, filters := range []int{1536, 2048} {
		name := fmt.Sprintf("block14_sepconv%d", i+1)
		x = e.relu(e.separable(x, filters, name), name+"_act")
	}
	x = b.Add(nn.GlobalAveragePooling2D{Name: "avg_pool"}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c Xception) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// xception adds the layers of an Xception.
type xception struct{ *nn.Builder }

func (e xception) norm(x *nn.Tensor, name string) *nn.Tensor {
	return e.Add(nn.BatchNormalization{Name: name}, x)
}

func (e xception) relu(x *nn.Tensor, name string) *nn.Tensor {
	return e.Add(nn.Activation{Func: nn.ReLU, Name: name}, x)
}

// separable is a separable 3×3 convolution with its normalization.
func (e xception) separable(x *nn.Tensor, filters int, name string) *nn.Tensor {
	return e.norm(e.Add(nn.SeparableConv2D{Filters: filters, Kernel: nn.K(3), Padding: nn.Same, NoBias: true, Name: name}, x), name+"_bn")
}

// pooled is a block of two separable convolutions that halves rows and columns, with a 1×1 convolution as its shortcut.
func (e xception) pooled(input *nn.Tensor, prefix string, reluFirst bool, first, second int) *nn.Tensor {
	shortcut := e.Add(nn.Conv2D{Filters: second, Kernel: nn.K(1), Strides: nn.K(2), Padding: nn.Same, NoBias: true}, input)
	shortcut = e.norm(shortcut, "")
	x := input
	for i, filters := range []int{first, second} {
		name := fmt.Sprintf("%s_sepconv%d", prefix, i+1)
		if i > 0 || reluFirst {
			x = e.relu(x, name+"_act")
		}
		x = e.separable(x, filters, name)
	}
	x = e.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Padding: nn.Same, Name: prefix + "_pool"}, x)
	return e.Add(nn.Add{}, x, shortcut)
}
