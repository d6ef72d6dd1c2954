package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// DenseNet is the network of Huang et al., "Densely Connected Convolutional Networks" (2017), as keras.applications has
// it, with its names of layers: each layer of a dense block sees the results of all layers before it. 8,062,504
// parameters for DenseNet-121 with 224×224×3 and 1000 classes; the trainable ones are as many as torchvision's.
type DenseNet struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Depth int    // 121, 169 or 201; 0 means 121
	Name  string // of the model; "densenet121" and so on by default
}

// densenetBlocks is the paper's table 1: the number of layers of each dense block.
var densenetBlocks = map[int][4]int{121: {6, 12, 24, 16}, 169: {6, 12, 32, 32}, 201: {6, 12, 48, 32}}

// growth is the number of channels that a layer of a dense block adds.
const growth = 32

// Model implements [Architecture].
func (c DenseNet) Model() (*nn.Model, error) {
	depth := cmp.Or(c.Depth, 121)
	blocks, ok := densenetBlocks[depth]
	if !ok {
		return nil, &nn.Error{Kind: nn.ErrArgument, Class: "DenseNet", Layer: c.Name,
			Problem: fmt.Sprintf("keras.applications has no network of %d layers", depth), Remedy: "use 121, 169 or 201"}
	}
	b, input := start(cmp.Or(c.Name, fmt.Sprintf("densenet%d", depth)), c.DataFormat, c.Input, c.Batch)
	d := denseNet{kerasResidual{b}}
	x := b.Add(nn.ZeroPadding2D{Padding: nn.Border(3)}, permuted(b, input))
	x = b.Add(nn.Conv2D{Filters: 64, Kernel: nn.K(7), Strides: nn.K(2), NoBias: true, Name: "conv1_conv"}, x)
	x = d.relu(d.norm(x, "conv1_bn"), "conv1_relu")
	x = b.Add(nn.ZeroPadding2D{Padding: nn.Border(1)}, x)
	x = b.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2), Name: "pool1"}, x)
	channels := 64
	for i, layers := range blocks {
		for j := range layers {
			x = d.layer(x, fmt.Sprintf("conv%d_block%d", i+2, j+1))
		}
		channels += layers * growth
		if i < len(blocks)-1 {
			channels /= 2 // the paper's compression θ = 0.5
			x = d.transition(x, channels, fmt.Sprintf("pool%d", i+2))
		}
	}
	x = d.relu(d.norm(x, "bn"), "relu")
	x = b.Add(nn.GlobalAveragePooling2D{Name: "avg_pool"}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c DenseNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// denseNet adds the layers of a DenseNet.
type denseNet struct{ kerasResidual }

// layer is conv_block: a 1×1 convolution of 4·growth filters, a 3×3 one of growth, and what it was made of in front.
func (d denseNet) layer(x *nn.Tensor, name string) *nn.Tensor {
	y := d.relu(d.norm(x, name+"_0_bn"), name+"_0_relu")
	y = d.Add(nn.Conv2D{Filters: 4 * growth, Kernel: nn.K(1), NoBias: true, Name: name + "_1_conv"}, y)
	y = d.relu(d.norm(y, name+"_1_bn"), name+"_1_relu")
	y = d.Add(nn.Conv2D{Filters: growth, Kernel: nn.K(3), Padding: nn.Same, NoBias: true, Name: name + "_2_conv"}, y)
	return d.Add(nn.Concatenate{Name: name + "_concat"}, x, y)
}

// transition is transition_block: half of the channels, a quarter of the pixels.
func (d denseNet) transition(x *nn.Tensor, channels int, name string) *nn.Tensor {
	x = d.relu(d.norm(x, name+"_bn"), name+"_relu")
	x = d.Add(nn.Conv2D{Filters: channels, Kernel: nn.K(1), NoBias: true, Name: name + "_conv"}, x)
	return d.Add(nn.AveragePooling2D{Pool: nn.K(2), Strides: nn.K(2), Name: name + "_pool"}, x)
}
