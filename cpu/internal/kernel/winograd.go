package kernel

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/winograd"
	"github.com/stheno-ml/stheno/graph/op"
)

// winogradConv is a 3×3 convolution with stride 1 of float32, computed tile by tile: a quarter of the multiplications for
// transforms of the images, the filters and the results. Package winograd has the transforms and says what they cost in
// precision. The gradient with respect to the images is the same of dy, with the filters flipped and transposed.
//
// Each of the 36 points has a product of its own, tiles × channels by channels × filters. It is done in blocks that stay in the
// second-level cache between the transforms, in one of two orders:
//
//   - by tiles: the filters are transformed first, all of them; then a part takes a block of tiles through the three steps.
//     It is for many tiles, and filters that stay in the third-level cache when they are transformed: four times as large.
//   - by filters: the images are transformed first, all of them; then a part takes a block of filters, transforms their taps
//     some channels at a time, adds up the products, and transforms the results. It is for few tiles with many channels: the
//     transformed filters, larger than any cache, are never written to memory.
type winogradConv struct {
	ops  winograd.Ops
	gemm *gemm.Gemm[float32]
	grid *winograd.Grid
	c, f int  // channels and filters; of the gradient, of dy and of dx
	flip bool // the gradient
	o    ConvOptions
	then *after[float32]
	plan winogradPlan

	u, v    area[float32] // shared by all workers: transformed filters, or transformed images
	workers []winogradWorker
	first   phase // transforms what all parts of rest share
	rest    phase

	s                     *Scratch[float32] // of the run under way, as all below
	x, y, w, uAll         []float32
	bias, residual        []float32
	uPoint, vPoint, vLine int // distances of points, and of tiles, in u and v
	base, tiles           int // by filters, the tiles in v
	few                   int // of them that a part transforms
}

// winogradWorker is the working memory of one worker.
type winogradWorker struct {
	direct  gemm.Direct[float32]
	v, u, m area[float32] // transformed tiles or filters of a block; products
	turned  area[float32] // taps of a block of filters, transposed
	_       [64]byte      // the next worker's begin in another cache line
}

// newWinograd prepares the convolution of a geometry, or with backward the gradient with respect to its images.
func newWinograd(e Env[float32], s *Scratch[float32], g op.ConvGeometry, o ConvOptions, backward bool, then *after[float32]) *winogradConv {
	e.Gemm = e.Gemm.Plain() // what is transformed is not rounded
	k := &winogradConv{ops: winograd.For(e.Gemm.Level()), gemm: e.Gemm, c: g.C, f: g.F, flip: backward, o: o, then: then}
	if backward {
		k.c, k.f = g.F, g.C
		k.grid = winograd.NewGrid(g.N, g.H.Out, g.W.Out, g.F, 2-g.H.Before, 2-g.W.Before, g.H.In, g.W.In, g.C)
	} else {
		k.grid = winograd.NewGrid(g.N, g.H.In, g.W.In, g.C, g.H.Before, g.W.Before, g.H.Out, g.W.Out, g.F)
	}
	k.prepare(e, s, planWinograd(k.grid.Tiles(), k.c, k.f, e.Gemm.PanelWidth(), e.Pool.Threads()))
	return k
}

// prepare reserves the memory for a plan.
func (k *winogradConv) prepare(e Env[float32], s *Scratch[float32], p winogradPlan) {
	k.plan = p
	nr := e.Gemm.PanelWidth()
	k.vLine = spacedLine[float32](k.c)
	vLen, uLen := 0, 0 // of a worker
	if p.byFilters {
		k.vPoint, k.uPoint = spacedPoint(p.all*k.vLine), spacedPoint(min(p.channels, k.c)*p.filters)
		k.v, uLen = s.reserve(winograd.Points*k.vPoint), winograd.Points*k.uPoint
		k.first = newPhase(e.Pool, 0, k.transformTiles)
		k.rest = newPhase(e.Pool, 0, k.filterBlock)
	} else {
		k.vPoint, k.uPoint = spacedPoint(p.tiles*k.vLine), spacedPoint(e.Gemm.PackedLen(k.c, k.f))
		vLen = winograd.Points * k.vPoint
		if !k.o.Frozen {
			k.u = s.reserve(winograd.Points * k.uPoint)
		}
		k.first = newPhase(e.Pool, ceilDiv(k.f, nr)*ceilDiv(k.c, winogradTurned), k.transformFilters)
		k.rest = newPhase(e.Pool, ceilDiv(k.grid.Tiles(), p.tiles), k.tileBlock)
	}
	k.workers = make([]winogradWorker, e.Pool.Threads())
	for i := range k.workers {
		w := &k.workers[i]
		w.v, w.u = s.reserve(vLen), s.reserve(uLen)
		w.m = s.reserve(winograd.Points * k.mPoint())
		if k.flip {
			w.turned = s.reserve(9 * winogradTurned * k.ops.Lanes())
		}
	}
}

const (
	winogradFew    = 4  // most tiles that a part transforms
	winogradTurned = 32 // channels whose taps are transformed at a time
)

// spacedPoint is a distance of at least n elements such that the same element of 36 points lies in different sets of the
// first-level cache: an odd number of cache lines.
func spacedPoint(n int) int { return (n+15)/16*16 | 16 }

// mPoint is the distance of points of a block's products.
func (k *winogradConv) mPoint() int { return spacedPoint(k.plan.tiles * k.mLine()) }

func (k *winogradConv) mLine() int { return min(k.plan.filters, k.f) }

// packed is the length of the transformed filters, which are four times as large as the filters; by filters it is that of the
// filters themselves, rearranged in the order in which they are read.
func (k *winogradConv) packed() int {
	if k.plan.byFilters {
		return 9 * k.gemm.PackedLen(k.c, k.f)
	}
	return winograd.Points * k.uPoint
}

func (k *winogradConv) pack(s *Scratch[float32], u, w []float32) {
	if !k.plan.byFilters {
		k.s, k.w, k.uAll = s, w, u
		k.first.run()
		return
	}
	nr := k.gemm.PanelWidth()
	for j := 0; j < k.f; j += nr {
		n := min(nr, k.f-j)
		for c := range k.c {
			to := u[(j*k.c+c*nr)*9:]
			copyRuns(to, nr, w[c*k.f+j:], k.c*k.f, 9, n)
			if n < nr {
				zeroRuns(to[n:], nr, 9, nr-n)
			}
		}
	}
}

// run computes y from the images x and the filters w, or what pack made of them.
func (k *winogradConv) run(s *Scratch[float32], y, x, w, bias, residual []float32) {
	k.s, k.x, k.y, k.w, k.bias, k.residual = s, x, y, w, bias, residual
	switch {
	case k.plan.byFilters:
		k.runByFilters()
	case k.o.Frozen:
		k.uAll = w
		k.rest.run()
	default:
		k.uAll = k.u.of(s)
		k.first.run()
		k.rest.run()
	}
}

// transformFilters transforms the taps of one panel of filters for some channels.
func (k *winogradConv) transformFilters(worker, part int) {
	nr := k.gemm.PanelWidth()
	panels := ceilDiv(k.f, nr)
	j, c := part%panels*nr, part/panels*winogradTurned
	k.transformTaps(worker, k.uAll[j*k.c+c*nr:], j, c, min(winogradTurned, k.c-c))
}

// transformTaps transforms the taps of the filters of the panel from j on, for count channels from c on. u begins at the
// first of these channels in the panel.
func (k *winogradConv) transformTaps(worker int, u []float32, j, c, count int) {
	nr, lanes := k.gemm.PanelWidth(), k.ops.Lanes()
	for h := 0; h < nr; h += lanes {
		n := max(min(lanes, k.f-j-h), 0)
		switch {
		case n == 0:
			k.ops.Filter(u[h:], k.uPoint, nr, nil, 0, 0, count, 0, false)
		case k.plan.byFilters && k.o.Frozen:
			k.ops.Filter(u[h:], k.uPoint, nr, k.w[(j*k.c+c*nr)*9+h:], nr, 9*nr, count, n, false)
		case !k.flip:
			k.ops.Filter(u[h:], k.uPoint, nr, k.w[c*k.f+j+h:], k.c*k.f, k.f, count, n, false)
		default: // w is (taps, f, c) here
			turned := k.workers[worker].turned.of(k.s)
			tap := winogradTurned * lanes
			for t := range 9 {
				ops[float32]().Transpose(turned[t*tap:], lanes, k.w[(t*k.f+j+h)*k.c+c:], k.c, n, count)
			}
			k.ops.Filter(u[h:], k.uPoint, nr, turned, tap, lanes, count, n, true)
		}
	}
}

// tileBlock takes a block of tiles through all steps.
func (k *winogradConv) tileBlock(worker, part int) {
	p, w := &k.plan, &k.workers[worker]
	first := part * p.tiles
	count := min(p.tiles, k.grid.Tiles()-first)
	v, m := w.v.of(k.s), w.m.of(k.s)
	k.ops.Input(v, k.vPoint, k.vLine, k.x, k.grid, first, count, k.c)
	d := &w.direct
	d.M, d.K, d.LDA, d.LDC, d.Add = count, k.c, k.vLine, k.mLine(), false
	for j := 0; j < k.f; j += p.filters {
		d.N = min(p.filters, k.f-j)
		for i := range winograd.Points {
			d.A, d.B, d.C = v[i*k.vPoint:], k.uAll[i*k.uPoint+j*k.c:], m[i*k.mPoint():]
			d.Run(k.gemm)
		}
		k.finish(worker, m, j, d.N, first, count)
	}
}

// runByFilters takes as many tiles at a time as have room in v.
func (k *winogradConv) runByFilters() {
	p := &k.plan
	for k.base = 0; k.base < k.grid.Tiles(); k.base += p.all {
		k.tiles = min(p.all, k.grid.Tiles()-k.base)
		k.few = min(winogradFew, ceilDiv(k.tiles, 16))
		k.first.parts = ceilDiv(k.tiles, k.few)
		k.first.run()
		k.rest.parts = ceilDiv(k.f, p.filters) * ceilDiv(k.tiles, p.tiles)
		k.rest.run()
	}
}

// transformTiles transforms some tiles of the images.
func (k *winogradConv) transformTiles(_, part int) {
	at := part * k.few
	k.ops.Input(k.v.of(k.s)[at*k.vLine:], k.vPoint, k.vLine, k.x, k.grid, k.base+at, min(k.few, k.tiles-at), k.c)
}

// filterBlock computes a block of filters for a block of tiles.
func (k *winogradConv) filterBlock(worker, part int) {
	p, w := &k.plan, &k.workers[worker]
	nr := k.gemm.PanelWidth()
	blocks := ceilDiv(k.f, p.filters)
	j, first := part%blocks*p.filters, part/blocks*p.tiles
	count := min(p.tiles, k.tiles-first)
	v, u, m := k.v.of(k.s)[first*k.vLine:], w.u.of(k.s), w.m.of(k.s)
	d := &w.direct
	d.M, d.N, d.LDA, d.LDC = count, min(p.filters, k.f-j), k.vLine, k.mLine()
	for c := 0; c < k.c; c += p.channels {
		d.K, d.Add = min(p.channels, k.c-c), c > 0
		for i := 0; i < d.N; i += nr {
			for r := 0; r < d.K; r += winogradTurned {
				k.transformTaps(worker, u[i*d.K+r*nr:], j+i, c+r, min(winogradTurned, d.K-r))
			}
		}
		for i := range winograd.Points {
			d.A, d.B, d.C = v[i*k.vPoint+c:], u[i*k.uPoint:], m[i*k.mPoint():]
			d.Run(k.gemm)
		}
	}
	k.finish(worker, m, j, d.N, k.base+first, count)
}

// finish writes the results of n filters from j on for count tiles.
func (k *winogradConv) finish(worker int, m []float32, j, n, first, count int) {
	e := winograd.Epilogue{ReLU: k.o.ReLU}
	if k.bias != nil {
		e.Bias = k.bias[j:]
	}
	if k.residual != nil {
		e.Residual = k.residual[j:]
	}
	k.ops.Output(k.y[j:], m, k.mPoint(), k.mLine(), k.grid, first, count, n, &e)
	if k.then == nil {
		return
	}
	for count > 0 { // a row of tiles after the other
		at, rows, cols, tiles := k.grid.Outputs(first, count)
		for r := range rows {
			k.then.Apply(worker, k.y[at+r*k.grid.OutW*k.grid.OutC+j:], k.grid.OutC, cols, n)
		}
		first, count = first+tiles, count-tiles
	}
}

// singles is a slice of float32 as itself: what is generic cannot name the type.
func singles[T Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
