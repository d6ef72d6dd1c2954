package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// InceptionV3 is the network of Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), as
// keras.applications has it, with its names of layers and without an auxiliary head. 23,851,784 parameters for 299×299×3 and 1000
// classes.
type InceptionV3 struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 75×75; 32×32×3 by default, which is too small; Keras has 299×299×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Name string // of the model; "inception_v3" by default
}

// InceptionResNetV2 is the network of Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
// Learning" (2017), as keras.applications has it, with its names of layers. 55,873,736 parameters for 299×299×3 and 1000 classes.
type InceptionResNetV2 struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 75×75; 32×32×3 by default, which is too small; Keras has 299×299×3
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights

	Name string // of the model; "inception_resnet_v2" by default
}

// Model implements [Architecture].
func (c InceptionV3) Model() (*nn.Model, error) {
	b, input := start(cmp.Or(c.Name, "inception_v3"), c.DataFormat, c.Input, c.Batch)
	n := inception{b}
	x := n.stem(permuted(b, input))
	for i, pool := range []int{32, 64, 64} { // the paper's figure 5
		x = n.concat(fmt.Sprintf("mixed%d", i), n.conv(x, 64, 1, 1), n.chain(x, k(48, 1, 1), k(64, 5, 5)),
			n.chain(x, k(64, 1, 1), k(96, 3, 3), k(96, 3, 3)), n.conv(n.averages(x), pool, 1, 1))
	}
	x = n.concat("mixed3", n.reduced(x, 384), n.reduced(n.chain(x, k(64, 1, 1), k(96, 3, 3)), 96), n.maxima(x))
	for i, f := range []int{128, 160, 160, 192} { // figure 6
		x = n.concat(fmt.Sprintf("mixed%d", i+4), n.conv(x, 192, 1, 1), n.chain(x, k(f, 1, 1), k(f, 1, 7), k(192, 7, 1)),
			n.chain(x, k(f, 1, 1), k(f, 7, 1), k(f, 1, 7), k(f, 7, 1), k(192, 1, 7)), n.conv(n.averages(x), 192, 1, 1))
	}
	x = n.concat("mixed8", n.reduced(n.conv(x, 192, 1, 1), 320), n.reduced(n.chain(x, k(192, 1, 1), k(192, 1, 7), k(192, 7, 1)), 192), n.maxima(x))
	for i := range 2 { // figure 7
		one := n.conv(x, 320, 1, 1)
		three := n.conv(x, 384, 1, 1)
		three = n.concat(fmt.Sprintf("mixed9_%d", i), n.conv(three, 384, 1, 3), n.conv(three, 384, 3, 1))
		double := n.chain(x, k(448, 1, 1), k(384, 3, 3))
		double = n.concat("", n.conv(double, 384, 1, 3), n.conv(double, 384, 3, 1))
		x = n.concat(fmt.Sprintf("mixed%d", 9+i), one, three, double, n.conv(n.averages(x), 192, 1, 1))
	}
	return n.top(input, x, c.Classes)
}

// Model implements [Architecture].
func (c InceptionResNetV2) Model() (*nn.Model, error) {
	b, input := start(cmp.Or(c.Name, "inception_resnet_v2"), c.DataFormat, c.Input, c.Batch)
	n := inception{b}
	x := n.stem(permuted(b, input))
	x = n.concat("mixed_5b", n.conv(x, 96, 1, 1), n.chain(x, k(48, 1, 1), k(64, 5, 5)), n.chain(x, k(64, 1, 1), k(96, 3, 3), k(96, 3, 3)),
		n.conv(n.averages(x), 64, 1, 1))
	for i := range 10 { // the paper's figure 16
		x = n.residual(x, fmt.Sprintf("block35_%d", i+1), 0.17, true, n.conv(x, 32, 1, 1), n.chain(x, k(32, 1, 1), k(32, 3, 3)),
			n.chain(x, k(32, 1, 1), k(48, 3, 3), k(64, 3, 3)))
	}
	x = n.concat("mixed_6a", n.reduced(x, 384), n.reduced(n.chain(x, k(256, 1, 1), k(256, 3, 3)), 384), n.maxima(x))
	for i := range 20 { // figure 17
		x = n.residual(x, fmt.Sprintf("block17_%d", i+1), 0.1, true, n.conv(x, 192, 1, 1), n.chain(x, k(128, 1, 1), k(160, 1, 7), k(192, 7, 1)))
	}
	x = n.concat("mixed_7a", n.reduced(n.conv(x, 256, 1, 1), 384), n.reduced(n.conv(x, 256, 1, 1), 288),
		n.reduced(n.chain(x, k(256, 1, 1), k(288, 3, 3)), 320), n.maxima(x))
	for i := range 10 { // figure 19; the last is not scaled, and has no ReLU behind it
		scale := 0.2
		if i == 9 {
			scale = 1
		}
		x = n.residual(x, fmt.Sprintf("block8_%d", i+1), scale, i < 9, n.conv(x, 192, 1, 1), n.chain(x, k(192, 1, 1), k(224, 1, 3), k(256, 3, 1)))
	}
	x = n.named(x, 1536, "conv_7b")
	return n.top(input, x, c.Classes)
}

// Build implements [Architecture].
func (c InceptionV3) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// Build implements [Architecture].
func (c InceptionResNetV2) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// inception adds the layers of both networks, most of which have no names of their own in Keras.
type inception struct{ *nn.Builder }

// window is a convolution's filters and window.
type window struct{ filters, rows, columns int }

func k(filters, rows, columns int) window { return window{filters, rows, columns} }

// conv is conv2d_bn: a convolution, a normalization without a scale, and ReLU.
func (n inception) conv(x *nn.Tensor, filters, rows, columns int) *nn.Tensor {
	return n.unit(x, nn.Conv2D{Filters: filters, Kernel: [2]int{rows, columns}, Padding: nn.Same})
}

// unit is conv with what l says.
func (n inception) unit(x *nn.Tensor, l nn.Conv2D) *nn.Tensor {
	l.NoBias = true
	x = n.Add(nn.BatchNormalization{NoScale: true}, n.Add(l, x))
	return n.Add(nn.Activation{Func: nn.ReLU}, x)
}

// named is a 1×1 conv whose layers have names.
func (n inception) named(x *nn.Tensor, filters int, name string) *nn.Tensor {
	x = n.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(1), Padding: nn.Same, NoBias: true, Name: name}, x)
	return n.Add(nn.Activation{Func: nn.ReLU, Name: name + "_ac"}, n.Add(nn.BatchNormalization{NoScale: true, Name: name + "_bn"}, x))
}

// chain is convolutions in a row.
func (n inception) chain(x *nn.Tensor, windows ...window) *nn.Tensor {
	for _, w := range windows {
		x = n.conv(x, w.filters, w.rows, w.columns)
	}
	return x
}

// reduced is a 3×3 convolution that halves rows and columns.
func (n inception) reduced(x *nn.Tensor, filters int) *nn.Tensor {
	return n.unit(x, nn.Conv2D{Filters: filters, Kernel: nn.K(3), Strides: nn.K(2)})
}

func (n inception) maxima(x *nn.Tensor) *nn.Tensor {
	return n.Add(nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2)}, x)
}

func (n inception) averages(x *nn.Tensor) *nn.Tensor {
	return n.Add(nn.AveragePooling2D{Pool: nn.K(3), Strides: nn.K(1), Padding: nn.Same}, x)
}

func (n inception) concat(name string, branches ...*nn.Tensor) *nn.Tensor {
	return n.Add(nn.Concatenate{Name: name}, branches...)
}

// stem is what both networks begin with, up to 35×35 of 299×299.
func (n inception) stem(x *nn.Tensor) *nn.Tensor {
	x = n.reduced(x, 32)
	x = n.unit(x, nn.Conv2D{Filters: 32, Kernel: nn.K(3)})
	x = n.maxima(n.conv(x, 64, 3, 3))
	x = n.unit(x, nn.Conv2D{Filters: 80, Kernel: nn.K(1)})
	return n.maxima(n.unit(x, nn.Conv2D{Filters: 192, Kernel: nn.K(3)}))
}

// residual adds branches, brought to the channels of x and scaled, to x.
func (n inception) residual(x *nn.Tensor, name string, scale float64, relu bool, branches ...*nn.Tensor) *nn.Tensor {
	channels := 1
	if s := x.Shape(); len(s) == 3 { // else there was a mistake, which b.Model tells
		_, _, axis := n.DataFormat.Axes()
		channels = s[axis-1]
	}
	up := n.Add(nn.Conv2D{Filters: channels, Kernel: nn.K(1), Padding: nn.Same, Name: name + "_conv"}, n.concat(name+"_mixed", branches...))
	x = n.Add(nn.CustomScaleLayer{Scale: scale}, x, up)
	if !relu {
		return x
	}
	return n.Add(nn.Activation{Func: nn.ReLU, Name: name + "_ac"}, x)
}

// top is what follows the last block.
func (n inception) top(input, x *nn.Tensor, classes int) (*nn.Model, error) {
	x = n.Add(nn.GlobalAveragePooling2D{Name: "avg_pool"}, x)
	x = n.Add(nn.Dense{Units: cmp.Or(classes, defaultClasses), Activation: nn.Softmax, Name: "predictions"}, x)
	return n.Model(input, x)
}
