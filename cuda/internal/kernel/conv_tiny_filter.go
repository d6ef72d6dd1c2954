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
	return append(b.product(p), b.foldTaps(c, d.w, pairs))
}

// foldTaps sums the gradients of all pairs of pixels, which lie at from as (input pixels, channels; output pixels, filters), into the filter's.
func (b *Builder) foldTaps(c convolution, from Pointer, pairs Packed) Command {
	dw := &graph.Value{Dtype: c.dt, Shape: c.whole().Filter()}
	of := &graph.Value{Dtype: c.dt, Narrow: pairs.Rounded}
	pack := packOf(c.g.F, dw, of)
	window := structOf(struct {
		Channels, Packs divisor
		H, W            windowAxis
	}{divideBy(pairs.Channels), divideBy(pairs.Filters / pack), windowAxisOf(pairs.Pixels.H), windowAxisOf(pairs.Pixels.W)})
	return b.packed("expand.cu", "fold_taps", c.dt, storage{}.as("S", of), dw.Len(), pack, c.w, from, window)
}
