package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// MobileNetV3 is the network of Howard et al., "Searching for MobileNetV3" (2019), as keras.applications has it, with its names of
// layers: inverted residuals, some of which squeeze and excite, with hard swishes. It takes pixels of 0 to 255. 2,554,968 parameters
// for the small one and 5,507,432 for the large one, with 224×224×3 and 1000 classes.
type MobileNetV3 struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras's pretrained ones have 224×224×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights and dropout

	Large           bool    // MobileNetV3Large; else it is MobileNetV3Small
	Minimalistic    bool    // minimalistic: 3×3 windows and ReLU only, no squeeze and excitation
	Alpha           float64 // alpha, the width multiplier; 0 means 1
	NoPreprocessing bool    // include_preprocessing=False: it takes pixels of -1 to 1
	Dropout         float64 // dropout_rate, before the last convolution; 0 means 0.2, below 0 none
	Name            string  // of the model; "MobileNetV3Small" or "MobileNetV3Large" by default
}

// mobilenetV3Block is a row of the paper's tables 1 and 2: expansion, filters, the window, whether it squeezes and excites, whether
// its activation is the hard swish, and the stride.
type mobilenetV3Block struct {
	expansion       float64
	filters, kernel int
	squeeze, swish  bool
	strides         int
}

var (
	mobilenetV3Small = []mobilenetV3Block{{1, 16, 3, true, false, 2}, {72. / 16, 24, 3, false, false, 2}, {88. / 24, 24, 3, false, false, 1},
		{4, 40, 5, true, true, 2}, {6, 40, 5, true, true, 1}, {6, 40, 5, true, true, 1}, {3, 48, 5, true, true, 1}, {3, 48, 5, true, true, 1},
		{6, 96, 5, true, true, 2}, {6, 96, 5, true, true, 1}, {6, 96, 5, true, true, 1}}
	mobilenetV3Large = []mobilenetV3Block{{1, 16, 3, false, false, 1}, {4, 24, 3, false, false, 2}, {3, 24, 3, false, false, 1},
		{3, 40, 5, true, false, 2}, {3, 40, 5, true, false, 1}, {3, 40, 5, true, false, 1}, {6, 80, 3, false, true, 2}, {2.5, 80, 3, false, true, 1},
		{2.3, 80, 3, false, true, 1}, {2.3, 80, 3, false, true, 1}, {6, 112, 3, true, true, 1}, {6, 112, 3, true, true, 1}, {6, 160, 5, true, true, 2},
		{6, 160, 5, true, true, 1}, {6, 160, 5, true, true, 1}}
)

// Model implements [Architecture].
func (c MobileNetV3) Model() (*nn.Model, error) {
	alpha := cmp.Or(c.Alpha, 1)
	if err := checkAlpha("MobileNetV3", c.Name, alpha); err != nil {
		return nil, err
	}
	name, blocks, last := "MobileNetV3Small", mobilenetV3Small, 1024
	if c.Large {
		name, blocks, last = "MobileNetV3Large", mobilenetV3Large, 1280
	}
	b, input := start(cmp.Or(c.Name, name), nn.ChannelsLast, c.Input, c.Batch)
	m := mobileV3{mobile{Builder: b, momentum: 0.999}, c.Minimalistic}
	x := input
	if !c.NoPreprocessing {
		x = b.Add(nn.Rescaling{Scale: 1. / 127.5, Offset: -1}, x)
	}
	b.DataFormat = c.DataFormat
	x = permuted(b, x)
	channels := 16
	x = m.Add(nn.Conv2D{Filters: channels, Kernel: nn.K(3), Strides: nn.K(2), Padding: nn.Same, NoBias: true, Name: "conv"}, x)
	x = m.activation(m.norm(x, "conv_bn"), true)
	for i, block := range blocks {
		block.filters = divisible(float64(block.filters) * alpha)
		x = m.block(x, channels, block, i)
		channels = block.filters
	}
	if alpha > 1 {
		last = divisible(float64(last) * alpha)
	}
	x = m.conv(x, divisible(float64(channels*6)), 1, 1, "conv_1")
	x = m.activation(m.norm(x, "conv_1_bn"), true)
	x = b.Add(nn.GlobalAveragePooling2D{KeepDims: true}, x)
	x = m.activation(m.biased(x, last, "conv_2"), true)
	if !(c.Dropout < 0) { // NaN is for the layer to refuse
		x = b.Add(nn.Dropout{Rate: cmp.Or(c.Dropout, 0.2)}, x)
	}
	x = b.Add(nn.Flatten{}, m.biased(x, cmp.Or(c.Classes, defaultClasses), "logits"))
	return b.Model(input, b.Add(nn.Activation{Func: nn.Softmax, Name: "predictions"}, x))
}

// Build implements [Architecture].
func (c MobileNetV3) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// mobileV3 adds the layers of a MobileNetV3.
type mobileV3 struct {
	mobile
	minimalistic bool
}

// activation is the hard swish or ReLU.
func (m mobileV3) activation(x *nn.Tensor, swish bool) *nn.Tensor {
	if swish && !m.minimalistic {
		return m.Add(nn.Activation{Func: nn.HardSwish}, x)
	}
	return m.Add(nn.ReLULayer{}, x)
}

// biased is a 1×1 convolution with a bias.
func (m mobileV3) biased(x *nn.Tensor, filters int, name string) *nn.Tensor {
	return m.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(1), Padding: nn.Same, Name: name}, x)
}

// block is an inverted residual: a 1×1 convolution that multiplies the channels, but in the first block, a depthwise one, weights of the
// channels, and a 1×1 convolution to the result's, around which a shortcut leads where the sizes agree.
func (m mobileV3) block(input *nn.Tensor, channels int, k mobilenetV3Block, id int) *nn.Tensor {
	if m.minimalistic {
		k.kernel, k.squeeze = 3, false
	}
	x, prefix, expanded := input, "expanded_conv_", divisible(float64(channels)*k.expansion)
	if id > 0 {
		prefix = fmt.Sprintf("expanded_conv_%d_", id)
		x = m.conv(x, expanded, 1, 1, prefix+"expand")
		x = m.activation(m.norm(x, prefix+"expand_bn"), k.swish)
	}
	padding := nn.Same
	if k.strides == 2 {
		x = m.Add(nn.ZeroPadding2D{Padding: correctPad(m.DataFormat, x.Shape(), k.kernel), Name: prefix + "depthwise_pad"}, x)
		padding = nn.Valid
	}
	x = m.Add(nn.DepthwiseConv2D{Kernel: nn.K(k.kernel), Strides: nn.K(k.strides), Padding: padding, NoBias: true, Name: prefix + "depthwise"}, x)
	x = m.activation(m.norm(x, prefix+"depthwise_bn"), k.swish)
	if k.squeeze {
		s := m.Add(nn.GlobalAveragePooling2D{KeepDims: true, Name: prefix + "squeeze_excite_avg_pool"}, x)
		s = m.biased(s, divisible(float64(expanded)*0.25), prefix+"squeeze_excite_conv")
		s = m.Add(nn.ReLULayer{Name: prefix + "squeeze_excite_relu"}, s)
		s = m.biased(s, expanded, prefix+"squeeze_excite_conv_1")
		// The hard sigmoid, as Keras has it there.
		s = m.Add(nn.ReLULayer{MaxValue: 6}, m.Add(nn.AddNumber{Number: 3}, s))
		s = m.Add(nn.MultiplyNumber{Number: 1. / 6}, s)
		x = m.Add(nn.Multiply{Name: prefix + "squeeze_excite_mul"}, x, s)
	}
	x = m.norm(m.conv(x, k.filters, 1, 1, prefix+"project"), prefix+"project_bn")
	if k.strides == 1 && channels == k.filters {
		return m.Add(nn.Add{Name: prefix + "add"}, input, x)
	}
	return x
}
