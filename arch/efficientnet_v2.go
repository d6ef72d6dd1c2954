package arch

import (
	"cmp"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// EfficientNetV2 is the network of Tan and Le, "EfficientNetV2: Smaller Models and Faster Training" (2021), as keras.applications has
// it, with its names of layers: an [EfficientNet] whose first stages have one 3×3 convolution in the place of a 1×1 and a depthwise
// one. It takes pixels of 0 to 255. 7,200,312 parameters for B0 with 224×224×3 and 1000 classes.
type EfficientNetV2 struct {
	Input      nn.Shape      // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3 for B0 to 480×480×3 for L
	Classes    int           // classes; 100 by default, Keras has 1000
	Batch      int           // shown in summaries; 0 means None
	DataFormat nn.DataFormat // ChannelsFirst puts a Permute behind the input
	Seed       uint64        // of Build's weights and dropout

	Variant         string  // "b0" to "b3", "s", "m" or "l"; "" means "b0"
	NoPreprocessing bool    // include_preprocessing=False: it takes pixels that were rescaled, and normalized for B0 to B3, already
	Dropout         float64 // dropout_rate, before the last layer; 0 means 0.2, below 0 none
	DropConnect     float64 // drop_connect_rate: the share of samples that the last block is left out for, less in those before; 0 means 0.2, below 0 none
	Name            string  // of the model; "efficientnetv2-b0" and so on by default
}

// efficientV2Stage is a row of the paper's table 4: number of blocks, channels of the first block's input and of the results,
// expansion, the first block's stride, and whether the blocks are fused. Those that are not squeeze and excite.
type efficientV2Stage struct {
	blocks, from, to, expansion, strides int
	fused                                bool
}

var (
	efficientV2B = []efficientV2Stage{{1, 32, 16, 1, 1, true}, {2, 16, 32, 4, 2, true}, {2, 32, 48, 4, 2, true}, {3, 48, 96, 4, 2, false},
		{5, 96, 112, 6, 1, false}, {8, 112, 192, 6, 2, false}}
	efficientV2S = []efficientV2Stage{{2, 24, 24, 1, 1, true}, {4, 24, 48, 4, 2, true}, {4, 48, 64, 4, 2, true}, {6, 64, 128, 4, 2, false},
		{9, 128, 160, 6, 1, false}, {15, 160, 256, 6, 2, false}}
	efficientV2M = []efficientV2Stage{{3, 24, 24, 1, 1, true}, {5, 24, 48, 4, 2, true}, {5, 48, 80, 4, 2, true}, {7, 80, 160, 4, 2, false},
		{14, 160, 176, 6, 1, false}, {18, 176, 304, 6, 2, false}, {5, 304, 512, 6, 1, false}}
	efficientV2L = []efficientV2Stage{{4, 32, 32, 1, 1, true}, {7, 32, 64, 4, 2, true}, {7, 64, 96, 4, 2, true}, {10, 96, 192, 4, 2, false},
		{19, 192, 224, 6, 1, false}, {25, 224, 384, 6, 2, false}, {7, 384, 640, 6, 1, false}}
)

// efficientV2s are the variants; imageNet says whether the preprocessing is that of EfficientNet, by ImageNet's mean and deviation.
var efficientV2s = []struct {
	name         string
	width, depth float64
	stages       []efficientV2Stage
	imageNet     bool
}{{"b0", 1, 1, efficientV2B, true}, {"b1", 1, 1.1, efficientV2B, true}, {"b2", 1.1, 1.2, efficientV2B, true}, {"b3", 1.2, 1.4, efficientV2B, true},
	{"s", 1, 1, efficientV2S, false}, {"m", 1, 1, efficientV2M, false}, {"l", 1, 1, efficientV2L, false}}

// Model implements [Architecture].
func (c EfficientNetV2) Model() (*nn.Model, error) {
	variant, names := cmp.Or(c.Variant, "b0"), []string{}
	own := efficientV2s[0]
	for _, v := range efficientV2s {
		names = append(names, v.name)
		if v.name == variant {
			own = v
		}
	}
	if own.name != variant {
		return nil, unknownVariant("EfficientNetV2", c.Name, variant, names)
	}
	b, input := start(cmp.Or(c.Name, "efficientnetv2-"+variant), nn.ChannelsLast, c.Input, c.Batch)
	e := efficient{Builder: b, momentum: 0.9}
	x := input
	if in := inputOr(c.Input); !c.NoPreprocessing && own.imageNet && in[len(in)-1] == 3 {
		x = b.Add(nn.Rescaling{Scale: 1. / 255}, x)
		x = b.Add(imageNetNormalization(1), x)
	} else if !c.NoPreprocessing {
		x = b.Add(nn.Rescaling{Scale: 1. / 128, Offset: -1}, x)
	}
	b.DataFormat = c.DataFormat
	x = permuted(b, x)
	// Unlike EfficientNet's, a width that is rounded down may lose more than a tenth.
	width := func(filters int) int { return max(8, int(float64(filters)*own.width+4)/8*8) }
	depth := func(blocks int) int { return int(math.Ceil(own.depth * float64(blocks))) }
	x = e.conv(x, width(own.stages[0].from), 3, 2, nn.Same, "stem_conv")
	x = e.swish(e.norm(x, "stem_bn"), "stem_activation")
	all, id := 0, 0
	for _, stage := range own.stages {
		all += stage.blocks // not depth(stage.blocks), so that a deep variant leaves out more of its last blocks
	}
	for i, stage := range own.stages {
		from, strides := width(stage.from), stage.strides
		for j := range depth(stage.blocks) {
			k := invertedBlock{kernel: 3, from: from, to: width(stage.to), expansion: stage.expansion, strides: strides, squeeze: true,
				drop: dropOr(c.DropConnect) * float64(id) / float64(all), name: fmt.Sprintf("block%d%c_", i+1, 'a'+j)}
			if stage.fused {
				x = e.fused(x, k)
			} else {
				x = e.inverted(x, k)
			}
			from, strides = width(stage.to), 1
			id++
		}
	}
	return e.top(input, x, width(1280), c.Dropout, 0.2, c.Classes)
}

// Build implements [Architecture].
func (c EfficientNetV2) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// imageNetNormalization subtracts ImageNet's means and divides by its deviations, of pixels of 0 to white.
func imageNetNormalization(white float64) nn.Normalization {
	var l nn.Normalization
	for i := range imageNetMean {
		deviation := imageNetDeviation[i] * white
		l.Mean, l.Variance = append(l.Mean, imageNetMean[i]*white), append(l.Variance, deviation*deviation)
	}
	return l
}

// fused is a block: a 3×3 convolution that multiplies the channels and a 1×1 one to the result's, or a 3×3 one where nothing is
// multiplied.
func (e efficient) fused(input *nn.Tensor, k invertedBlock) *nn.Tensor {
	if k.expansion == 1 {
		x := e.norm(e.conv(input, k.to, k.kernel, k.strides, nn.Same, k.name+"project_conv"), k.name+"project_bn")
		return e.shortcut(input, e.swish(x, k.name+"project_activation"), k)
	}
	x := e.conv(input, k.from*k.expansion, k.kernel, k.strides, nn.Same, k.name+"expand_conv")
	x = e.swish(e.norm(x, k.name+"expand_bn"), k.name+"expand_activation")
	return e.shortcut(input, e.norm(e.conv(x, k.to, 1, 1, nn.Same, k.name+"project_conv"), k.name+"project_bn"), k)
}
