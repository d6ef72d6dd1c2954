package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/winograd"
)

// The model of what the ways to compute a convolution take, in seconds on one thread, with the filters in memory and not in a
// cache, as they are when a net's other layers were computed since. It adds up multiplications, filters read and rearranged, and
// transforms, at rates that were measured once, on a 3.8 GHz core; only the ratios matter. BenchmarkWays prints the model's
// times next to measured ones.

// rates are what a core does with one instruction set.
type rates struct {
	flops                 float64 // additions and multiplications of float32 a second in products; half as many of float64
	input, output, filter float64 // seconds of a Winograd transform of 16 channels of a tile, 16 filters of one, or of one channel
	turned                float64 // the same of a filter for the gradient with respect to the images
	lane, high            int     // columns of a vector, rows of the highest tile of a product
}

var ratesOf = [...]rates{
	cpuid.Generic: {flops: 5.4e9, input: 3900e-9, output: 3400e-9, filter: 2100e-9, turned: 2200e-9, lane: 4, high: 4},
	cpuid.AVX2:    {flops: 121e9, input: 90e-9, output: 60e-9, filter: 42e-9, turned: 52e-9, lane: 8, high: 6},
	cpuid.AVX512:  {flops: 242e9, input: 36e-9, output: 28e-9, filter: 23e-9, turned: 33e-9, lane: 16, high: 12},
}

const (
	memoryRate  = 33e9    // bytes a second from memory
	cacheRate   = 106e9   // or from the last cache
	startTime   = 1.5e-6  // to start a product on all workers
	packTime    = 0.04e-9 // of an element of filters that a product packs, once
	packTap     = 0.1e-9  // and of one tap's, for one position
	packTurned  = 0.2e-9  // or of a transposed filter
	gatherTime  = 4.5e-9  // of a run of patches
	ofPeak      = 0.92    // of the peak: products over patches
	ofPeakShort = 0.9     // and those of Winograd's points, which are less deep
	leastRows   = 4       // a product of fewer rows takes as long as one of so many: additions wait for each other
	leastFar    = 5       // the same where filters come from the second-level cache
	rowDepth    = 256     // most depth of a product whose filters stay in the first-level cache
	rowTime     = 12e-9   // to begin and end a tile of a product over a row
	leastTiles  = 8       // the same of Winograd's points, which read more for a row
	leastDepth  = 16      // a product that is less deep takes as long: it writes its result
	// winogradStart is for transforms and points of a few tiles, which cost more to begin than they take: measured on nets with
	// one small image, where it is twice as fast to go without.
	winogradStart = 8e-6
	// The same of the gradient of filters, which has to begin twice a chunk.
	winogradChunkStart = 25e-6
	ofPeakPoints       = 0.79  // products of points, both factors of which come from the third-level cache
	shareTime          = 85e-9 // to put 16 transformed channels of a tile there
	addTime            = 36e-9 // to write and read 36 products of 16 filters, once a chunk
	chunkPixels        = 1.7   // times as long as they should, images take from memory: some channels of some tiles at a time
	// Winograd's algorithm must be faster by so much, for it rounds more and needs more memory.
	winogradMargin = 1.1
)

func (c Conv) rates() rates {
	if c.Rounds { // plain Go then checks what AVX-512 computes, and goes the same ways
		return ratesOf[cpuid.AVX512]
	}
	r := ratesOf[c.Level]
	if c.Double {
		r.flops /= 2
		r.lane /= 2
	}
	return r
}

// productRates are those of products that may round their factors. Winograd's never do.
func (c Conv) productRates() rates {
	r := c.rates()
	if c.Rounds {
		r.flops *= 2
	}
	return r
}

// leastRows is how many rows a product takes as long for as for one: additions wait for each other, and with pairs of bfloat16 two
// multiplications for each.
func (c Conv) leastRows() int {
	if c.Rounds {
		return 2 * leastRows
	}
	return leastRows
}

// channels are the depth and the number of columns of the pass's product of one tap; of that of the filters' gradient, its sides.
func (c Conv) channels() (in, out float64) {
	in, out = float64(c.Geometry.C/c.Geometry.Groups), float64(c.Geometry.F/c.Geometry.Groups)
	if c.Pass == BackwardInput {
		return out, in
	}
	return in, out
}

// patchesCost is that of one product a group, with all taps.
func (c Conv) patchesCost() float64 {
	g, r := c.Geometry, c.productRates()
	in, out := c.channels()
	taps, groups := float64(g.H.Kernel*g.W.Kernel), float64(g.Groups)
	rows := g.N * g.H.Out * g.W.Out
	filters := taps * in * out * groups
	if c.Pass == BackwardFilter {
		return 2 * float64(max(rows, leastDepth)) * filters / (ofPeak * r.flops)
	}
	s := 2*float64(max(rows, c.leastRows()))*filters/(ofPeak*r.flops) + float64(rows*g.H.Kernel)*gatherTime + c.streamFactor(filters)
	switch {
	case c.Frozen:
	case c.Pass == BackwardInput:
		s += filters * packTurned
	default:
		s += filters * packTime
	}
	return s
}

// stream is the time to read filters from memory.
func (c Conv) stream(elements float64) float64 {
	if c.Double {
		elements *= 2
	}
	return 4 * elements / memoryRate
}

// streamFactor is the same of filters that are a factor of a product: kept as pairs of bfloat16, they take half of it.
func (c Conv) streamFactor(elements float64) float64 {
	if c.Frozen && c.Rounds {
		elements /= 2
	}
	return c.stream(elements)
}

// tapsCost is that of products a position, or of the filters' gradient a tap, without the taps that see padding.
func (c Conv) tapsCost() float64 {
	g, r := c.Geometry, c.productRates()
	in, out := c.channels()
	taps, rows, _ := tapsOf(g)
	filters := float64(len(taps)) * in * out
	s, work, sights := c.streamFactor(filters), 0, 0
	if c.Pass == BackwardFilter {
		s = 0
		depth := make([]int, len(taps))
		for _, x := range rows {
			depth[x.tap] += x.count * g.N
		}
		for _, d := range depth {
			work += max(d, leastDepth)
		}
		return 2 * float64(work) * in * out / (ofPeak * r.flops)
	}
	for _, x := range rows {
		sights += x.count
		if c.Frozen {
			work += max(x.count*g.N, c.leastRows())
		} else {
			work += x.count * max(g.N, c.leastRows())
		}
	}
	s += 2 * float64(work) * in * out / r.flops
	if !c.Frozen { // every position has the filter packed again
		s += float64(sights) * (in*out*packTap + startTime)
	}
	return s
}

// rowsCost is that of a product a row of results, in tiles that are not always high, and of the copy of images with a border.
func (c Conv) rowsCost() float64 {
	g, r := c.Geometry, c.rates()
	depth := g.H.Kernel * g.W.Kernel * g.C
	least := leastRows
	if depth > rowDepth {
		least = leastFar
	}
	tiles := ceilDiv(g.W.Out, r.high)
	low, more := g.W.Out/tiles, g.W.Out%tiles
	height := (tiles-more)*max(low, least) + more*max(low+1, least)
	rows, filters := float64(g.N*g.H.Out), depth*ceilDiv(g.F, r.lane)*r.lane
	s := 2*rows*float64(height*filters)/(ofPeak*r.flops) + rows*float64(tiles*ceilDiv(g.F, 2*r.lane))*rowTime + c.stream(float64(depth*g.F))
	s += c.stream(float64((g.N-1)*depth*g.F)) * memoryRate / cacheRate // again for every image
	if g.H.Before+g.H.After+g.W.Before+g.W.After > 0 {
		s += float64(g.N*g.H.In) * gatherTime
	}
	if !c.Frozen {
		s += float64(depth*g.F) * packTime
	}
	return s
}

// canWinograd says whether winogradConv or winogradFilter computes it.
func (c Conv) canWinograd() bool {
	g := c.Geometry
	return !c.Double && g.Groups == 1 && g.H.Kernel == 3 && g.W.Kernel == 3 &&
		g.H.Stride == 1 && g.W.Stride == 1 && g.H.Dilation == 1 && g.W.Dilation == 1
}

// winogradCost is that of the transforms, the products of the points, and the images, which the other ways read while they compute.
func (c Conv) winogradCost() float64 {
	if c.Pass == BackwardFilter {
		return c.winogradFilterCost()
	}
	g, r := c.Geometry, c.rates()
	in, out := c.channels()
	h, w, filter := g.H.Out, g.W.Out, r.filter
	if c.Pass == BackwardInput {
		h, w, filter = g.H.In, g.W.In, r.turned
	}
	tiles := g.N * ceilDiv(h, winograd.Side) * ceilDiv(w, winograd.Side)
	p := planWinograd(tiles, int(in), int(out), gemm.New[float32](c.Level).PanelWidth(), 1)
	blocks := 0. // in which the filters are transformed
	switch {
	case p.byFilters:
		blocks = float64(ceilDiv(tiles, p.tiles))
	case !c.Frozen:
		blocks = 1
	}
	// Whole vectors: of channels, where the rest of one costs as much again for its masks, and of filters.
	in16, out16 := float64(ceilDiv(int(in), 16)), float64(ceilDiv(int(out), 16))
	s := 2 * winograd.Points * float64(max(tiles, leastTiles)) * max(in, leastDepth) * 16 * out16 / (ofPeakShort * r.flops)
	if int(in)%16 > 0 {
		in16++
	}
	if int(out)%16 > 0 {
		s += float64(tiles) * r.output
	}
	s += float64(tiles)*(in16*r.input+out16*r.output) + blocks*in*out16*filter
	s += c.stream(9*in*out) + 4*float64(g.N)*(float64(g.H.In*g.W.In*g.C)+float64(g.H.Out*g.W.Out*g.F))/memoryRate
	return s*winogradMargin + winogradStart
}

// winogradFilterCost is that of the transforms of a tile's images and gradients, which go to the third-level cache and back, the
// products of the points, which chunks add up, and the taps.
func (c Conv) winogradFilterCost() float64 {
	g, r := c.Geometry, c.rates()
	tiles := g.N * ceilDiv(g.H.Out, winograd.Side) * ceilDiv(g.W.Out, winograd.Side)
	chunks := float64(ceilDiv(tiles, filterChunk(tiles, g.C, g.F)))
	in16, out16 := float64(ceilDiv(g.C, 16)), float64(ceilDiv(g.F, 16))
	s := 2*winograd.Points*float64(tiles)*float64(g.C)*16*out16/(ofPeakPoints*r.flops) + float64(g.C)*out16*(chunks*addTime+r.filter)
	if g.C%16 > 0 {
		in16++
	}
	if g.F%16 > 0 {
		out16++
	}
	s += float64(tiles) * (in16*(r.input+shareTime) + out16*(r.output+shareTime))
	s += chunkPixels * 4 * float64(g.N) * (float64(g.H.In*g.W.In*g.C) + float64(g.H.Out*g.W.Out*g.F)) / memoryRate
	return s*winogradMargin + winogradChunkStart
}
