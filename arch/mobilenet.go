package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// MobileNet is the network of Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
// Applications" (2017), as keras.applications has it, with its names of layers: depthwise 3×3 convolutions and 1×1 ones
// in turns. 4,253,864 parameters for 224×224×3 and 1000 classes.
type MobileNet struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights and dropout

	Alpha           float64 // alpha, the width multiplier; 0 means 1
	DepthMultiplier int     // depth_multiplier: results of a depthwise convolution for each of its channels; 0 means 1
	Dropout         float64 // dropout before the last convolution; 0 means Keras's 1e-3, below 0 none
	Name            string  // of the model; "mobilenet_1.00_224" and so on by default
}

// mobilenetBlocks is the paper's table 1: filters and stride of each pair of convolutions.
var mobilenetBlocks = []struct{ filters, strides int }{{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2},
	{512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}}

// Model implements [Architecture].
func (c MobileNet) Model() (*nn.Model, error) {
	alpha, classes := cmp.Or(c.Alpha, 1), cmp.Or(c.Classes, defaultClasses)
	if err := checkAlpha("MobileNet", c.Name, alpha); err != nil {
		return nil, err
	}
	b, input := start(cmp.Or(c.Name, fmt.Sprintf("mobilenet_%.2f_%d", alpha, inputOr(c.Input)[0])), c.DataFormat, c.Input, c.Batch)
	m := mobile{Builder: b}
	x := m.conv(permuted(b, input), int(32*alpha), 3, 2, "conv1")
	x = m.relu(m.norm(x, "conv1_bn"), "conv1_relu")
	for i, block := range mobilenetBlocks {
		name := func(what string) string { return fmt.Sprintf("conv_%s_%d", what, i+1) }
		padding := nn.Same
		if block.strides > 1 {
			x = b.Add(nn.ZeroPadding2D{Padding: [2][2]int{{0, 1}, {0, 1}}, Name: name("pad")}, x)
			padding = nn.Valid
		}
		x = m.depthwise(x, block.strides, c.DepthMultiplier, padding, name("dw"))
		x = m.relu(m.norm(x, name("dw")+"_bn"), name("dw")+"_relu")
		x = m.conv(x, int(float64(block.filters)*alpha), 1, 1, name("pw"))
		x = m.relu(m.norm(x, name("pw")+"_bn"), name("pw")+"_relu")
	}
	x = b.Add(nn.GlobalAveragePooling2D{KeepDims: true}, x)
	if !(c.Dropout < 0) { // NaN is for the layer to refuse
		x = b.Add(nn.Dropout{Rate: cmp.Or(c.Dropout, 1e-3), Name: "dropout"}, x)
	}
	x = b.Add(nn.Conv2D{Filters: classes, Kernel: nn.K(1), Padding: nn.Same, Name: "conv_preds"}, x)
	x = b.Add(nn.Reshape{Target: nn.Shape{classes}, Name: "reshape_2"}, x)
	x = b.Add(nn.Activation{Func: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c MobileNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

func checkAlpha(class, name string, alpha float64) error {
	if alpha > 0 && alpha <= 16 {
		return nil
	}
	return &nn.Error{Kind: nn.ErrArgument, Class: class, Layer: name, Remedy: "use 0 for the default, 1",
		Problem: fmt.Sprintf("Alpha must be above 0 and at most 16, is %v", alpha)}
}

// mobile adds what both MobileNets are made of.
type mobile struct {
	*nn.Builder
	momentum  float64
	epsilon   float64 // 0 means Keras's
	symmetric bool    // zeros on all sides where the stride is 2
}

func (m mobile) conv(x *nn.Tensor, filters, kernel, strides int, name string) *nn.Tensor {
	padding := nn.Same
	if m.symmetric && strides > 1 && kernel > 1 {
		x = m.Add(nn.ZeroPadding2D{Padding: nn.Border(kernel / 2), Name: name + "_pad"}, x)
		padding = nn.Valid
	}
	return m.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(kernel), Strides: nn.K(strides), Padding: padding, NoBias: true, Name: name}, x)
}

func (m mobile) depthwise(x *nn.Tensor, strides, multiplier int, padding nn.Padding, name string) *nn.Tensor {
	return m.Add(nn.DepthwiseConv2D{Kernel: nn.K(3), Strides: nn.K(strides), Padding: padding, DepthMultiplier: multiplier, NoBias: true, Name: name}, x)
}

func (m mobile) norm(x *nn.Tensor, name string) *nn.Tensor {
	return m.Add(nn.BatchNormalization{Momentum: m.momentum, Epsilon: m.epsilon, Name: name}, x)
}

func (m mobile) relu(x *nn.Tensor, name string) *nn.Tensor {
	return m.Add(nn.ReLULayer{MaxValue: 6, Name: name}, x)
}
