package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// MobileNetV2 is the network of Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), as
// keras.applications has it, with its names of layers. 3,538,984 parameters for 224×224×3 and 1000 classes; the trainable
// ones are as many as torchvision's.
type MobileNetV2 struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	// SymmetricPadding and Epsilon are for weights of PyTorch: zeros on all sides where the stride is 2, not below and to the
	// right; and 1e-5 instead of batch normalization's 1e-3, which 0 means.
	SymmetricPadding bool
	Epsilon          float64

	Alpha float64 // alpha, the width multiplier; 0 means 1
	Name  string  // of the model; "mobilenetv2_1.00_224" and so on by default
}

// mobilenetV2Blocks is the paper's table 2: expansion, filters, number of blocks and the first one's stride.
var mobilenetV2Blocks = []struct{ expansion, filters, blocks, strides int }{{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
	{6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}

// Model implements [Architecture].
func (c MobileNetV2) Model() (*nn.Model, error) {
	alpha := cmp.Or(c.Alpha, 1)
	if err := checkAlpha("MobileNetV2", c.Name, alpha); err != nil {
		return nil, err
	}
	b, input := start(cmp.Or(c.Name, fmt.Sprintf("mobilenetv2_%.2f_%d", alpha, inputOr(c.Input)[0])), c.DataFormat, c.Input, c.Batch)
	m := mobile{Builder: b, momentum: 0.999, epsilon: c.Epsilon, symmetric: c.SymmetricPadding}
	channels := divisible(32 * alpha)
	x := m.conv(permuted(b, input), channels, 3, 2, "Conv1")
	x = m.relu(m.norm(x, "bn_Conv1"), "Conv1_relu")
	id := 0
	for _, stage := range mobilenetV2Blocks {
		for i := range stage.blocks {
			strides := 1
			if i == 0 {
				strides = stage.strides
			}
			filters := divisible(float64(int(float64(stage.filters) * alpha)))
			x = m.inverted(x, channels, stage.expansion, filters, strides, id)
			channels = filters
			id++
		}
	}
	last := 1280
	if alpha > 1 {
		last = divisible(1280 * alpha)
	}
	x = b.Add(nn.Conv2D{Filters: last, Kernel: nn.K(1), NoBias: true, Name: "Conv_1"}, x)
	x = m.relu(m.norm(x, "Conv_1_bn"), "out_relu")
	x = b.Add(nn.GlobalAveragePooling2D{}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c MobileNetV2) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// divisible is the multiple of 8 nearest to v, and not more than a tenth below it.
func divisible(v float64) int {
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}

// inverted is a block: a 1×1 convolution that multiplies the channels, a depthwise 3×3 one, and a 1×1 one back, around which a
// shortcut leads where the sizes agree. The first block does not multiply.
func (m mobile) inverted(input *nn.Tensor, channels, expansion, filters, strides, id int) *nn.Tensor {
	x, prefix := input, fmt.Sprintf("block_%d_", id)
	if id > 0 {
		x = m.conv(x, expansion*channels, 1, 1, prefix+"expand")
		x = m.relu(m.norm(x, prefix+"expand_BN"), prefix+"expand_relu")
	} else {
		prefix = "expanded_conv_"
	}
	padding := nn.Same
	if strides == 2 {
		border := correctPad(m.DataFormat, x.Shape(), 3)
		if m.symmetric {
			border = nn.Border(1)
		}
		x = m.Add(nn.ZeroPadding2D{Padding: border, Name: prefix + "pad"}, x)
		padding = nn.Valid
	}
	x = m.depthwise(x, strides, 0, padding, prefix+"depthwise")
	x = m.relu(m.norm(x, prefix+"depthwise_BN"), prefix+"depthwise_relu")
	x = m.norm(m.conv(x, filters, 1, 1, prefix+"project"), prefix+"project_BN")
	if channels == filters && strides == 1 {
		return m.Add(nn.Add{Name: prefix + "add"}, input, x)
	}
	return x
}

// correctPad is keras.applications' border for an odd window with stride 2: half of the window on all sides, but of an even size a
// pixel less at the top and on the left.
func correctPad(f nn.DataFormat, s nn.Shape, window int) [2][2]int {
	if len(s) != 3 { // after a mistake
		return [2][2]int{}
	}
	row, col, _ := f.Axes()
	half := window / 2
	return [2][2]int{{half - 1 + s[row-1]%2, half}, {half - 1 + s[col-1]%2, half}}
}
