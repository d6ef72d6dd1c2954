package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// A window that is larger than the image is over padding for the most part, and what a library multiplies there are zeros: 20 of the 36
// products that a filter of 3×3 has over 2×2 pixels. Where every output pixel sees every input pixel, the pass is a product of matrices
// without them: an image is a row of all its pixels' channels, and the filter is expanded to hold, for each pair of pixels, the tap that
// connects them. So it is a convolution of 1×1 over images of one pixel, which either library can compute.

// Pixels are the windows of a convolution whose filter is expanded. The zero value is none.
type Pixels struct{ H, W shape.Span }

func (p Pixels) expanded() bool { return p.H.In > 0 }

// mostExpanded is how many times as large as a filter an expanded one may be.
const mostExpanded = 2

// tiny says whether the pass is to be tried as such a product: of at most three quarters of the products, with a filter that is not too
// large. A filter is expanded once in every training step, before the steps that read it, and takes as much more memory traffic than a packed
// one as it is larger: 16/9 for 2×2 pixels, some megabytes or a microsecond for 512 channels. What is measured of a step does not have that.
func (c convolution) tiny() bool {
	g := c.g
	pixels, taps := g.H.In*g.W.In, g.H.Kernel*g.W.Kernel
	if c.dt != tensor.Float32 || g.Format != shape.NHWC || g.Groups != 1 || g.N == 0 || g.C == 0 || !c.countable() ||
		4*pixels > 3*taps || pixels*g.H.Out*g.W.Out > mostExpanded*taps || !connected(g.H) || !connected(g.W) {
		return false
	}
	d := c.ofPixels()
	return d.countable() && d.packedOf(nil, 0, false).Bytes() <= mostScratch
}

// connected says whether every result sees every element along an axis.
func connected(s shape.Span) bool {
	for o := range s.Out {
		for i := range s.In {
			if at := i + s.Before - o*s.Stride; at < 0 || at%s.Dilation != 0 || at/s.Dilation >= s.Kernel {
				return false
			}
		}
	}
	return true
}

// ofPixels is the pass over images of one pixel, of the channels of all of theirs. A bias is left as it is.
func (c convolution) ofPixels() convolution {
	g := c.whole() // the filter is expanded from where it lies, whatever of it is idle
	c.g, c.all, c.part, c.pixels = dense(g.N, g.H.In*g.W.In*g.C, g.H.Out*g.W.Out*g.F), nil, Part{}, Pixels{g.H, g.W}
	return c
}

// dense is the geometry of a product as a convolution.
func dense(rows, from, to int) op.ConvGeometry {
	one := shape.Span{In: 1, Out: 1, Kernel: 1, Stride: 1, Dilation: 1}
	return op.ConvGeometry{N: rows, C: from, F: to, H: one, W: one, Groups: 1, Format: shape.NHWC}
}

// tinyWays are the ways to compute a pass over tiny images as a product. Where cuDNN has no good engine with a bias or a ReLU there is no way
// through it.
func (b *Builder) tinyWays(c convolution) []alternative {
	if !c.tiny() {
		return nil
	}
	if c.pass == BackwardFilter {
		return b.tinyFilterWays(c)
	}
	ways := []alternative{{"tiny images as a product", func() []Command { return b.tinyProduct(c) }}}
	if !b.epilogueApart(c) {
		ways = append(ways, alternative{"tiny images by cuDNN", func() []Command { return b.tinyConvolution(c) }})
	}
	return ways
}

// tinyProduct is a pass with the expanded filter through cuBLASLt, else with our own kernels.
func (b *Builder) tinyProduct(c convolution) []Command {
	d := c.ofPixels()
	before := b.tiledBias(&d)
	p := d.asProduct()
	p.bNarrow = p.aNarrow || p.cNarrow
	p.b = b.laid(d.packedOf(c.filter, 0, p.bNarrow), c.w, &before)
	p.transB, p.packed = !p.transB, Packed{} // which is what lies at b
	return append(before, b.product(p)...)
}

// tinyConvolution is a pass with the expanded filter through cuDNN.
func (b *Builder) tinyConvolution(c convolution) []Command {
	d := c.ofPixels()
	before := b.tiledBias(&d)
	return append(before, b.libraryConvolution(d)...)
}

// tiledBias makes the bias of a convolution one of each output pixel's channels: an expanded filter, too, of one input.
func (b *Builder) tiledBias(d *convolution) (before []Command) {
	if d.bias == nil {
		return nil
	}
	to := func(s shape.Span) shape.Span { return shape.Span{In: 1, Out: s.Out, Kernel: 1, Dilation: 1} } // without strides all see the same
	of := Pixels{to(d.pixels.H), to(d.pixels.W)}
	results := of.H.Out * of.W.Out
	tiled := b.laid(Packed{Of: d.biasOf, Dtype: d.dt, Taps: results, Channels: 1, Padded: 1, Filters: d.g.F / results, Pixels: of}, *d.bias, &before)
	d.bias = &tiled
	return before
}

const mostExpandedFilters = 50 // MOST of expand.cu

// windowAxis is struct Axis of expand.cu.
type windowAxis struct{ In, Out, Kernel, Stride, Dilation, Before int32 }

func windowAxisOf(s shape.Span) windowAxis {
	return windowAxis{int32(s.In), int32(s.Out), int32(s.Kernel), int32(s.Stride), int32(s.Dilation), int32(s.Before)}
}

// expandEntry is struct Filter of expand.cu, expandTable struct Filters.
type expandEntry struct {
	From, To          uint64
	Channels, Filters int32
	H, W              windowAxis
	First, Pad        int32
}

type expandTable struct {
	Of         [mostExpandedFilters]expandEntry
	Count, Pad int32
}

// expandTableOf is a table of some filters, and how many blocks work on them.
func expandTableOf(list []PackedAt) (table expandTable, blocks int32) {
	table.Count = int32(len(list))
	for i, p := range list {
		table.Of[i] = expandEntry{From: uint64(p.Wide), To: uint64(p.At), Channels: int32(p.Channels), Filters: int32(p.Filters),
			H: windowAxisOf(p.Pixels.H), W: windowAxisOf(p.Pixels.W), First: blocks}
		blocks += int32(p.Taps * ceilDiv(p.Channels, packSide) * ceilDiv(p.Filters, packSide))
	}
	return table, blocks
}
