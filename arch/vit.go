package arch

import (
	"cmp"
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// ViT is the vision transformer of Dosovitskiy et al., "An Image is Worth 16x16 Words" (ICLR 2021): squares of Patch×Patch pixels become vectors,
// a class token stands in front of them, and blocks of self-attention and of dense layers work on all of them. Its parts are torchvision's, with
// their names as far as these are names of layers; weights of vit_b_16 and its kin fit. The default is ViT-B/16 with 86,567,656 parameters for 224×224×3 and
// 1000 classes.
type ViT struct {
	Input   nn.Shape // rows, columns, channels, multiples of Patch; 32×32×3 by default
	Classes int      // 100 by default
	Batch   int      // shown in summaries; 0 means None
	// DataFormat ChannelsFirst puts a Permute behind the input, and another one in front of the sequence, whose features are its last axis in either.
	DataFormat nn.DataFormat
	Seed       uint64 // of Build's weights and dropout

	Patch  int // side of the squares; 0 means 16
	Hidden int // features of a square; 0 means 768
	Depth  int // blocks; 0 means 12
	Heads  int // heads of the attention; 0 means Hidden/64
	MLP    int // units of a block's first dense layer; 0 means 4·Hidden

	Dropout          float64 // of the squares and of what a block adds; 0 as in torchvision
	AttentionDropout float64 // of the weights of the attention
	Name             string  // of the model; "vit" by default
}

// vitSizes are the published sizes: the paper's tables 1 (base, large, huge), and those of Touvron et al., "Training data-efficient image
// transformers" (2021; tiny, small).
var vitSizes = map[string]ViT{
	"ti": {Hidden: 192, Depth: 12, Heads: 3},
	"s":  {Hidden: 384, Depth: 12, Heads: 6},
	"b":  {Hidden: 768, Depth: 12, Heads: 12},
	"l":  {Hidden: 1024, Depth: 24, Heads: 16},
	"h":  {Hidden: 1280, Depth: 32, Heads: 16},
}

// Model implements [Architecture].
func (c ViT) Model() (*nn.Model, error) {
	v := vit{ViT: c}
	v.Patch, v.Hidden, v.Depth = cmp.Or(c.Patch, 16), cmp.Or(c.Hidden, 768), cmp.Or(c.Depth, 12)
	v.Heads, v.MLP, v.Classes = cmp.Or(c.Heads, max(v.Hidden/64, 1)), cmp.Or(c.MLP, 4*v.Hidden), cmp.Or(c.Classes, defaultClasses)
	name := cmp.Or(c.Name, "vit")
	if err := v.check(name); err != nil {
		return nil, err
	}
	b, input := start(name, c.DataFormat, c.Input, c.Batch)
	v.Builder = b
	x := b.Add(nn.Conv2D{Filters: v.Hidden, Kernel: nn.K(v.Patch), Strides: nn.K(v.Patch), KernelInitializer: nn.LecunNormal{}, Name: "conv_proj"}, permuted(b, input))
	if c.DataFormat == nn.ChannelsFirst {
		x = b.Add(nn.Permute{Dims: []int{2, 3, 1}}, x)
		b.DataFormat = nn.ChannelsLast // of the sequence
		defer func() { b.DataFormat = c.DataFormat }()
	}
	x = b.Add(nn.Reshape{Target: nn.Shape{-1, v.Hidden}, Name: "patches"}, x)
	x = b.Add(nn.ClassToken{Name: "class_token"}, x)
	x = b.Add(nn.PositionEmbedding{Name: "pos_embedding"}, x)
	x = v.drop(x, "dropout")
	for i := range v.Depth {
		x = v.block(x, fmt.Sprintf("encoder_layer_%d_", i))
	}
	x = v.norm(x, "ln")
	if s := x.Shape(); len(s) == 2 { // the class token alone; empty after a mistake
		x = b.Add(nn.Cropping1D{Cropping: [2]int{0, s[0] - 1}, Name: "token"}, x)
	}
	x = b.Add(nn.Flatten{Name: "flatten"}, x)
	x = b.Add(nn.Dense{Units: v.Classes, Activation: nn.Softmax, KernelInitializer: nn.Zeros{}, Name: "head"}, x)
	return b.Model(input, x)
}

// Build implements [Architecture].
func (c ViT) Build(g *gorgonia.ExprGraph, x *gorgonia.Node) (*nn.Net, error) {
	return build(c, c.Seed, g, x)
}

// vit is a ViT with its defaults, under construction.
type vit struct {
	ViT
	*nn.Builder
}

func (v *vit) check(name string) error {
	fail := func(remedy, format string, args ...any) error {
		return &nn.Error{Kind: nn.ErrArgument, Class: "ViT", Layer: name, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"Patch", v.Patch}, {"Hidden", v.Hidden}, {"Depth", v.Depth}, {"Heads", v.Heads}, {"MLP", v.MLP}} {
		if f.value < 1 {
			return fail("use 0 for the default", "%s must be at least 1, is %d", f.name, f.value)
		}
	}
	if v.Hidden%v.Heads != 0 {
		return fail("choose Heads that divide Hidden", "has %d Heads, which do not divide Hidden, %d", v.Heads, v.Hidden)
	}
	if s := inputOr(v.ViT.Input); len(s) == 3 && (s[0]%v.Patch != 0 || s[1]%v.Patch != 0) {
		return fail(fmt.Sprintf("choose images whose sides are multiples of %d", v.Patch), "cuts images into squares of %d×%d, which do not fill %d×%d", v.Patch, v.Patch, s[0], s[1])
	}
	return nil
}

// block adds self-attention, and then two dense layers, to what it gets, each behind a normalization.
func (v *vit) block(x *nn.Tensor, name string) *nn.Tensor {
	y := v.norm(x, name+"ln_1")
	y = v.Add(nn.MultiHeadAttention{Heads: v.Heads, KeyDim: v.Hidden / v.Heads, Dropout: v.AttentionDropout, Name: name + "self_attention"}, y, y)
	x = v.Add(nn.Add{Name: name + "add_1"}, v.drop(y, name+"dropout"), x)
	y = v.norm(x, name+"ln_2")
	small := nn.RandomNormal{Stddev: 1e-6}
	y = v.Add(nn.Dense{Units: v.MLP, Activation: nn.GELU, BiasInitializer: small, Name: name + "mlp_1"}, y)
	y = v.drop(y, name+"mlp_dropout")
	y = v.Add(nn.Dense{Units: v.Hidden, BiasInitializer: small, Name: name + "mlp_2"}, y)
	return v.Add(nn.Add{Name: name + "add_2"}, x, v.drop(y, name+"mlp_dropout_2"))
}

func (v *vit) norm(x *nn.Tensor, name string) *nn.Tensor {
	return v.Add(nn.LayerNormalization{Epsilon: 1e-6, Name: name}, x)
}

func (v *vit) drop(x *nn.Tensor, name string) *nn.Tensor {
	if v.Dropout == 0 {
		return x
	}
	return v.Add(nn.Dropout{Rate: v.Dropout, Name: name}, x)
}

// vitEntry is the row of a network such as vit-b16: its size, and the side of its squares.
func vitEntry(size string, patch int) entry {
	name := fmt.Sprintf("vit-%s%d", size, patch)
	return entry{name, "Dropout", func(c Config) Architecture {
		v := vitSizes[size]
		v.Input, v.Classes, v.Batch, v.DataFormat, v.Seed, v.Dropout, v.Patch = c.Input, c.Classes, c.Batch, c.DataFormat, c.Seed, c.Dropout, patch
		v.Name = strings.ReplaceAll(name, "-", "_")
		return v
	}}
}
