package arch

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// EfficientNet is the network of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019),
// as keras.applications has it, with its names of layers: inverted residuals whose channels are weighed by squeezing and
// excitation, of a width and a depth that grow together from B0 to B7. It takes pixels of 0 to 255. 5,330,571 parameters for B0
// with 224×224×3 and 1000 classes.
type EfficientNet struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3 for B0 to 600×600×3 for B7
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights and dropout

	Variant string // "b0" to "b7"; "" means "b0"
	// ImageNet adds what Keras adds for weights="imagenet": a Rescaling behind the normalization, with which those weights were
	// trained. It needs 3 channels.
	ImageNet    bool
	Dropout     float64 // dropout_rate, before the last layer; 0 means the variant's, 0.2 to 0.5, below 0 none
	DropConnect float64 // drop_connect_rate: the share of samples that the last block is left out for, less in those before; 0 means 0.2, below 0 none
	Name        string  // of the model; "efficientnetb0" and so on by default
}

// efficientNets are the variants' width, depth and dropout, the papers' table of coefficients.
var efficientNets = []struct {
	name                  string
	width, depth, dropout float64
}{{"b0", 1, 1, 0.2}, {"b1", 1, 1.1, 0.2}, {"b2", 1.1, 1.2, 0.3}, {"b3", 1.2, 1.4, 0.3}, {"b4", 1.4, 1.8, 0.4}, {"b5", 1.6, 2.2, 0.4},
	{"b6", 1.8, 2.6, 0.5}, {"b7", 2, 3.1, 0.5}}

// efficientNetBlocks is the paper's table 1: kernel, number of blocks, channels of the first block's input and of the results,
// expansion and the first block's stride.
var efficientNetBlocks = []struct{ kernel, blocks, from, to, expansion, strides int }{{3, 1, 32, 16, 1, 1}, {3, 2, 16, 24, 6, 2},
	{5, 2, 24, 40, 6, 2}, {3, 3, 40, 80, 6, 2}, {5, 3, 80, 112, 6, 1}, {5, 4, 112, 192, 6, 2}, {3, 1, 192, 320, 6, 1}}

// The initializers of both EfficientNets.
var (
	efficientConv  = nn.VarianceScaling{Scale: 2, Mode: nn.FanOut}
	efficientDense = nn.VarianceScaling{Scale: 1. / 3, Mode: nn.FanOut, Distribution: nn.UniformDistribution}
)

// ImageNet's mean and standard deviation of each channel, of pixels of 0 to 1.
var (
	imageNetMean      = [3]float64{0.485, 0.456, 0.406}
	imageNetDeviation = [3]float64{0.229, 0.224, 0.225}
)

// Model implements [Architecture].
func (c EfficientNet) Model() (*nn.Model, error) {
	variant, names := cmp.Or(c.Variant, "b0"), []string{}
	coefficients := efficientNets[0]
	for _, v := range efficientNets {
		names = append(names, v.name)
		if v.name == variant {
			coefficients = v
		}
	}
	if coefficients.name != variant {
		return nil, unknownVariant("EfficientNet", c.Name, variant, names)
	}
	b, input := start(cmp.Or(c.Name, "efficientnet"+variant), nn.ChannelsLast, c.Input, c.Batch)
	e := efficient{Builder: b}
	x := b.Add(nn.Normalization{}, b.Add(nn.Rescaling{Scale: 1. / 255}, input))
	if c.ImageNet {
		x = b.Add(imageNetRescaling(), x)
	}
	b.DataFormat = c.DataFormat
	x = permuted(b, x)
	width := func(filters int) int { return divisible(float64(filters) * coefficients.width) }
	depth := func(blocks int) int { return int(math.Ceil(coefficients.depth * float64(blocks))) }
	x = b.Add(nn.ZeroPadding2D{Padding: correctPad(c.DataFormat, x.Shape(), 3), Name: "stem_conv_pad"}, x)
	x = e.conv(x, width(32), 3, 2, nn.Valid, "stem_conv")
	x = e.swish(e.norm(x, "stem_bn"), "stem_activation")
	all, id := 0, 0
	for _, stage := range efficientNetBlocks {
		all += depth(stage.blocks)
	}
	for i, stage := range efficientNetBlocks {
		from, strides := width(stage.from), stage.strides
		for j := range depth(stage.blocks) {
			x = e.inverted(x, invertedBlock{kernel: stage.kernel, from: from, to: width(stage.to), expansion: stage.expansion, strides: strides,
				squeeze: true, padded: true, drop: dropOr(c.DropConnect) * float64(id) / float64(all), name: fmt.Sprintf("block%d%c_", i+1, 'a'+j)})
			from, strides = width(stage.to), 1
			id++
		}
	}
	return e.top(input, x, width(1280), c.Dropout, coefficients.dropout, c.Classes)
}

// Build implements [Architecture].
func (c EfficientNet) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// unknownVariant refuses a name that is none of a family's.
func unknownVariant(class, layer, name string, known []string) error {
	return &nn.Error{Kind: nn.ErrArgument, Class: class, Layer: layer, Problem: fmt.Sprintf("there is no variant %q%s", name, suggest.Phrase(name, known)),
		Remedy: "use one of " + strings.Join(known, ", ")}
}

// imageNetRescaling divides the channels by the roots of ImageNet's deviations: Keras's normalization divides by the root of what the
// weights of EfficientNet were trained to be divided by.
func imageNetRescaling() nn.Layer {
	l := nn.Rescaling{}
	for _, d := range imageNetDeviation {
		l.Scales = append(l.Scales, 1/math.Sqrt(d))
	}
	return l
}

// dropOr is the rate of a block's dropout.
func dropOr(rate float64) float64 {
	if rate < 0 {
		return 0
	}
	return cmp.Or(rate, 0.2)
}

// efficient adds the layers of both EfficientNets.
type efficient struct {
	*nn.Builder
	momentum float64
}

func (e efficient) conv(x *nn.Tensor, filters, kernel, strides int, padding nn.Padding, name string) *nn.Tensor {
	return e.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(kernel), Strides: nn.K(strides), Padding: padding, NoBias: true,
		KernelInitializer: efficientConv, Name: name}, x)
}

func (e efficient) norm(x *nn.Tensor, name string) *nn.Tensor {
	return e.Add(nn.BatchNormalization{Momentum: e.momentum, Name: name}, x)
}

func (e efficient) swish(x *nn.Tensor, name string) *nn.Tensor {
	return e.Add(nn.Activation{Func: nn.Swish, Name: name}, x)
}

// invertedBlock is a block of an EfficientNet.
type invertedBlock struct {
	kernel, from, to, expansion, strides int
	squeeze                              bool // squeeze and excitation, by a quarter of the channels of the block's input
	padded                               bool // borders of a depthwise convolution with stride 2 are a layer of their own
	drop                                 float64
	name                                 string
}

// inverted is a block: a 1×1 convolution that multiplies the channels, a depthwise one, weights of the channels, and a 1×1 convolution
// to the result's, around which a shortcut leads where the sizes agree.
func (e efficient) inverted(input *nn.Tensor, k invertedBlock) *nn.Tensor {
	x := input
	if k.expansion != 1 {
		x = e.conv(x, k.from*k.expansion, 1, 1, nn.Same, k.name+"expand_conv")
		x = e.swish(e.norm(x, k.name+"expand_bn"), k.name+"expand_activation")
	}
	padding, name := nn.Same, k.name+"dwconv"
	if k.strides == 2 && k.padded {
		x = e.Add(nn.ZeroPadding2D{Padding: correctPad(e.DataFormat, x.Shape(), k.kernel), Name: k.name + "dwconv_pad"}, x)
		padding = nn.Valid
	}
	if !k.padded {
		name += "2"
	}
	x = e.Add(nn.DepthwiseConv2D{Kernel: nn.K(k.kernel), Strides: nn.K(k.strides), Padding: padding, NoBias: true,
		DepthwiseInitializer: efficientConv, Name: name}, x)
	x = e.swish(e.norm(x, k.name+"bn"), k.name+"activation")
	if k.squeeze {
		x = e.excite(x, max(1, k.from/4), k.from*k.expansion, k.name)
	}
	x = e.norm(e.conv(x, k.to, 1, 1, nn.Same, k.name+"project_conv"), k.name+"project_bn")
	return e.shortcut(input, x, k)
}

// excite weighs each channel by what the means of all of them say (Hu et al., "Squeeze-and-Excitation Networks", 2018).
func (e efficient) excite(x *nn.Tensor, squeezed, channels int, name string) *nn.Tensor {
	s := e.Add(nn.GlobalAveragePooling2D{Name: name + "se_squeeze"}, x)
	each := nn.Shape{1, 1, channels}
	if e.DataFormat == nn.ChannelsFirst {
		each = nn.Shape{channels, 1, 1}
	}
	s = e.Add(nn.Reshape{Target: each, Name: name + "se_reshape"}, s)
	s = e.Add(nn.Conv2D{Filters: squeezed, Kernel: nn.K(1), Padding: nn.Same, Activation: nn.Swish, KernelInitializer: efficientConv, Name: name + "se_reduce"}, s)
	s = e.Add(nn.Conv2D{Filters: channels, Kernel: nn.K(1), Padding: nn.Same, Activation: nn.Sigmoid, KernelInitializer: efficientConv, Name: name + "se_expand"}, s)
	return e.Add(nn.Multiply{Name: name + "se_excite"}, x, s)
}

// shortcut adds the block's input to its result where the sizes agree, leaving out the latter for a share of the samples.
func (e efficient) shortcut(input, x *nn.Tensor, k invertedBlock) *nn.Tensor {
	if k.strides != 1 || k.from != k.to {
		return x
	}
	if k.drop != 0 {
		x = e.Add(nn.Dropout{Rate: k.drop, NoiseShape: []int{0, 1, 1, 1}, Name: k.name + "drop"}, x)
	}
	return e.Add(nn.Add{Name: k.name + "add"}, x, input)
}

// top is what follows the last block.
func (e efficient) top(input, x *nn.Tensor, filters int, dropout, ownDropout float64, classes int) (*nn.Model, error) {
	x = e.conv(x, filters, 1, 1, nn.Same, "top_conv")
	x = e.swish(e.norm(x, "top_bn"), "top_activation")
	x = e.Add(nn.GlobalAveragePooling2D{Name: "avg_pool"}, x)
	if !(dropout < 0) { // NaN is for the layer to refuse
		x = e.Add(nn.Dropout{Rate: cmp.Or(dropout, ownDropout), Name: "top_dropout"}, x)
	}
	x = e.Add(nn.Dense{Units: cmp.Or(classes, defaultClasses), Activation: nn.Softmax, KernelInitializer: efficientDense, Name: "predictions"}, x)
	return e.Model(input, x)
}
