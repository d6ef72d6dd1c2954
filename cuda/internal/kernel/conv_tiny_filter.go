package kernel

import "github.com/stheno-ml/stheno/graph"

// tinyFilterWays are those for the gradient of the filter: a product for all pairs of pixels, and a sweep that sums, for every tap, the pairs
// that it connects. The product is float32, or rounded to bfloat16 as cuDNN rounds gradients, for half of the traffic.
func (b *Builder) tinyFilterWays(c convolution) []alternative {
	ways := []alternative{{"tiny images as a product", func() []Command { return b.tinyFilter(c, false) }}}
	if c.xNarrow || c.yNarrow {
		ways = append(ways, alternative{"tiny images as a rounded product", func() []Command { return b.tinyFilter(c, true) }})
	}
	return ways
}

func (b *Builder) tinyFilter(c convolution, rounded bool) []Command {
	d := c.ofPixels()
	pairs := d.packedOf(nil, 0, rounded)
	d.w = b.Scratch(pairs.Bytes())
	p := d.asProduct()
	p.cNarrow = rounded
	if c.gradient.transposed { // each side in the place of the other
		p.a, p.b, p.m, p.n, p.aNarrow, p.bNarrow = p.b, p.a, p.n, p.m, p.bNarrow, p.aNarrow
		return append(b.product(p), b.foldTapsTransposed(c, d.w, pairs))
	}
	return append(b.product(p), b.foldTaps(c, d.w, pairs))
}

// foldTaps sums the gradients of all pairs of pixels, which lie at from as (input pixels, channels; output pixels, filters), into the filter's.
func (b *Builder) foldTaps(c convolution, from Pointer, pairs Packed) Command {
	dw := &graph.Value{Dtype: c.dt, Shape: c.whole().Filter()}
	of := &graph.Value{Dtype: c.dt, Narrow: pairs.Rounded}
	pack := packOf(c.g.F, dw, of)
	return b.packed("expand.cu", "fold_taps", c.dt, storage{}.as("S", of), dw.Len(), pack, c.w, from, foldWindow(pairs, pairs.Channels, pairs.Filters/pack))
}

// foldTapsTransposed is foldTaps for a gradient that is kept filters first, of pairs that lie at from as (output pixels, filters; input
// pixels, channels).
func (b *Builder) foldTapsTransposed(c convolution, from Pointer, pairs Packed) Command {
	dw := &graph.Value{Dtype: c.dt, Shape: c.whole().Filter(), Narrow: c.gradient.narrow}
	of := &graph.Value{Dtype: c.dt, Narrow: pairs.Rounded}
	pack, w := packOf(c.g.C, dw, of), c.whole()
	return b.packed("expand.cu", "fold_taps_transposed", c.dt, storage{}.as("S", of).as("D", dw), dw.Len(), pack, c.w, from,
		foldWindow(pairs, w.H.Kernel*w.W.Kernel, pairs.Channels/pack))
}

// foldWindow is struct Window of expand.cu.
func foldWindow(pairs Packed, rows, packs int) Bytes {
	return structOf(struct {
		Rows, Packs divisor
		H, W        windowAxis
	}{divideBy(rows), divideBy(packs), windowAxisOf(pairs.Pixels.H), windowAxisOf(pairs.Pixels.W)})
}
