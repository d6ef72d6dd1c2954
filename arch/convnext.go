package arch

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// ConvNeXt is the network of Liu et al., "A ConvNet for the 2020s" (2022), as keras.applications has it, with its names of layers: 7×7
// depthwise convolutions, layer normalization and inverted bottlenecks of dense layers, after the example of transformers. It takes
// pixels of 0 to 255. 28,589,128 parameters for Tiny with 224×224×3 and 1000 classes.
type ConvNeXt struct {
	Input   nn.Shape // input_shape: rows, columns, channels, at least 32×32; 32×32×3 by default, Keras has 224×224×3
	Classes int      // classes; 100 by default, Keras has 1000
	Batch   int      // shown in summaries; 0 means None
	// DataFormat must be ChannelsLast: as in Keras, the dense layers go along the last axis.
	DataFormat nn.DataFormat
	Seed       uint64 // of Build's weights and dropout

	Variant         string  // "tiny", "small", "base", "large" or "xlarge"; "" means "tiny"
	NoPreprocessing bool    // include_preprocessing=False: it takes pixels that were normalized already
	DropPath        float64 // drop_path_rate: the share of samples that the last block is left out for, less in those before; 0 means none, as in Keras
	LayerScale      float64 // layer_scale_init_value; 0 means 1e-6, below 0 no scaling
	Name            string  // of the model; "convnext_tiny" and so on by default
}

// convNeXts are the variants: the number of blocks of each stage, and its channels.
var convNeXts = []struct {
	name           string
	blocks, widths [4]int
}{{"tiny", [4]int{3, 3, 9, 3}, [4]int{96, 192, 384, 768}}, {"small", [4]int{3, 3, 27, 3}, [4]int{96, 192, 384, 768}},
	{"base", [4]int{3, 3, 27, 3}, [4]int{128, 256, 512, 1024}}, {"large", [4]int{3, 3, 27, 3}, [4]int{192, 384, 768, 1536}},
	{"xlarge", [4]int{3, 3, 27, 3}, [4]int{256, 512, 1024, 2048}}}

// Model implements [Architecture].
func (c ConvNeXt) Model() (*nn.Model, error) {
	variant, names := cmp.Or(c.Variant, "tiny"), []string{}
	own := convNeXts[0]
	for _, v := range convNeXts {
		names = append(names, v.name)
		if v.name == variant {
			own = v
		}
	}
	switch {
	case own.name != variant:
		return nil, unknownVariant("ConvNeXt", c.Name, variant, names)
	case c.DataFormat == nn.ChannelsFirst:
		return nil, &nn.Error{Kind: nn.ErrArgument, Class: "ConvNeXt", Layer: c.Name, Problem: "there is none with channels first, nor is there in Keras",
			Remedy: "use nn.ChannelsLast"}
	}
	name := cmp.Or(c.Name, "convnext_"+variant)
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	n := convNeXt{b, name, c.LayerScale}
	x := input
	if in := inputOr(c.Input); !c.NoPreprocessing && in[len(in)-1] == 3 {
		l := imageNetNormalization(255)
		l.Name = name + "_prestem_normalization"
		x = b.Add(l, x)
	}
	all, id := 0, 0
	for _, blocks := range own.blocks {
		all += blocks
	}
	for i, blocks := range own.blocks {
		var err error
		if x, err = n.downsample(x, own.widths[i], i); err != nil {
			return nil, err
		}
		for j := range blocks {
			x = n.block(x, own.widths[i], c.DropPath*float64(id)/float64(all-1), fmt.Sprintf("%s_stage_%d_block_%d", name, i, j))
			id++
		}
	}
	x = b.Add(nn.GlobalAveragePooling2D{Name: name + "_head_gap"}, x)
	x = b.Add(nn.LayerNormalization{Epsilon: 1e-6, Name: name + "_head_layernorm"}, x)
	x = b.Add(nn.Dense{Units: cmp.Or(c.Classes, defaultClasses), Activation: nn.Softmax, Name: name + "_head_dense"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c ConvNeXt) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// convNeXt adds the layers of a ConvNeXt.
type convNeXt struct {
	*nn.Builder
	name  string
	scale float64
}

// downsample is what a stage begins with, a model of two layers as in Keras: the stem's 4×4 convolution and a normalization, or
// before the other stages a normalization and a 2×2 convolution.
func (n convNeXt) downsample(x *nn.Tensor, filters, stage int) (*nn.Tensor, error) {
	if n.Err() != nil {
		return x, nil // b.Model tells it
	}
	label := func(what string) string { return fmt.Sprintf("%s_downsampling_%s_%d", n.name, what, stage-1) }
	name := label("block")
	layers := []nn.Layer{nn.LayerNormalization{Epsilon: 1e-6, Name: label("layernorm")},
		nn.Conv2D{Filters: filters, Kernel: nn.K(2), Strides: nn.K(2), Name: label("conv")}}
	if stage == 0 {
		name = n.name + "_stem"
		layers = []nn.Layer{nn.Conv2D{Filters: filters, Kernel: nn.K(4), Strides: nn.K(4), Name: n.name + "_stem_conv"},
			nn.LayerNormalization{Epsilon: 1e-6, Name: n.name + "_stem_layernorm"}}
	}
	b := nn.NewBuilder(name)
	b.Sequential = true
	in := b.Input(x.Shape())
	y := in
	for _, l := range layers {
		y = b.Add(l, y)
	}
	m, err := b.Model(in, y)
	if err != nil {
		return nil, err
	}
	return n.Add(m, x), nil
}

// block is ConvNeXtBlock: a depthwise convolution and two dense layers, added to its input.
func (n convNeXt) block(input *nn.Tensor, filters int, drop float64, name string) *nn.Tensor {
	x := n.Add(nn.Conv2D{Filters: filters, Kernel: nn.K(7), Padding: nn.Same, Groups: filters, Name: name + "_depthwise_conv"}, input)
	x = n.Add(nn.LayerNormalization{Epsilon: 1e-6, Name: name + "_layernorm"}, x)
	x = n.Add(nn.Dense{Units: 4 * filters, Name: name + "_pointwise_conv_1"}, x)
	x = n.Add(nn.Activation{Func: nn.GELU, Name: name + "_gelu"}, x)
	x = n.Add(nn.Dense{Units: filters, Name: name + "_pointwise_conv_2"}, x)
	if !(n.scale < 0) {
		x = n.Add(nn.LayerScale{InitValues: n.scale, ProjectionDim: filters, Name: name + "_layer_scale"}, x)
	}
	if drop != 0 { // NaN is for the layer to refuse
		x = n.Add(nn.StochasticDepth{DropPathRate: drop, Name: name + "_stochastic_depth"}, x)
	} else {
		x = n.Add(nn.Activation{Name: name + "_identity"}, x)
	}
	return n.Add(nn.Add{}, input, x)
}
