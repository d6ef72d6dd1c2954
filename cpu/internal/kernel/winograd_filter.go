package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/winograd"
	"github.com/stheno-ml/stheno/graph/op"
)

// winogradFilter is the gradient of a 3×3 kernel with stride 1 of float32, computed tile by tile: a quarter of the multiplications
// for transforms of the images, of the gradients of the results and of the sums. Package winograd has the transforms.
//
// Each of the 36 points has a product of its own, channels × tiles by tiles × filters. Some tiles at a time, a chunk, are transformed
// to where all workers find them, in the third-level cache. Then a part takes a block of channels and filters and does the products
// of all its points. After the last chunk it transforms them to taps while they are in its second-level cache: with one chunk, which
// is what many channels have, products never reach memory. It does not hand the taps to an optimizer's step,
// see [Conv2DBackwardFilter.Update]: that reads what is written here.
type winogradFilter struct {
	ops  winograd.Ops
	gemm *gemm.Gemm[float32]
	grid *winograd.Grid
	c, f int
	plan winogradFilterPlan

	v, y, u                area[float32] // transformed images and gradients of a chunk; products
	vPoint, yPoint, uPoint int           // distances of points in them
	workers                []winogradFilterWorker
	transform, multiply    phase

	s            *Scratch[float32]
	first, count int // tiles of the chunk under way
	dw, x, dy    []float32
}

// winogradFilterWorker is what one worker keeps.
type winogradFilterWorker struct {
	direct gemm.Direct[float32]
	_      [64]byte // the next worker's begins in another cache line
}

// winogradShare is the number of parts of the transforms of a chunk: its tiles are few, and parts alike.
const winogradShare = 32

func newWinogradFilter(e Env[float32], s *Scratch[float32], g op.ConvGeometry) *winogradFilter {
	e.Gemm = e.Gemm.Plain() // what is transformed is not rounded
	k := &winogradFilter{ops: winograd.For(e.Gemm.Level()), gemm: e.Gemm, c: g.C, f: g.F, s: s}
	k.grid = winograd.NewGrid(g.N, g.H.In, g.W.In, g.C, g.H.Before, g.W.Before, g.H.Out, g.W.Out, g.F)
	k.prepare(e, planWinogradFilter(k.grid.Tiles(), g.C, g.F, e.Gemm.PanelWidth(), e.Pool.Threads()))
	return k
}

// prepare reserves the memory for a plan.
func (k *winogradFilter) prepare(e Env[float32], p winogradFilterPlan) {
	k.plan = p
	blocks := ceilDiv(k.c, p.channels) * ceilDiv(k.f, p.filters)
	k.vPoint = spacedPoint(ceilDiv(k.c, p.channels) * p.channels * p.tiles)
	k.yPoint = spacedPoint(ceilDiv(k.f, p.filters) * p.filters * p.tiles)
	k.uPoint = spacedPoint(p.channels * p.filters)
	k.v, k.y = k.s.reserve(winograd.Points*k.vPoint), k.s.reserve(winograd.Points*k.yPoint)
	held := e.Pool.Threads() // blocks whose products are kept: those under way
	if p.tiles < k.grid.Tiles() {
		held = blocks
	}
	k.u = k.s.reserve(held * winograd.Points * k.uPoint)
	k.workers = make([]winogradFilterWorker, e.Pool.Threads())
	k.transform = newPhase(e.Pool, 0, k.transformPart)
	k.multiply = newPhase(e.Pool, blocks, k.multiplyPart)
}

// run computes dw (3, 3, C, F) from the images x and the gradient dy of the result.
func (k *winogradFilter) run(dw, x, dy []float32) {
	k.dw, k.x, k.dy = dw, x, dy
	tiles := k.grid.Tiles()
	for k.first = 0; k.first < tiles; k.first += k.plan.tiles {
		k.count = min(k.plan.tiles, tiles-k.first)
		k.transform.parts = splitInto(k.count, winogradShare).parts
		k.transform.run()
		k.multiply.run()
	}
}

// transformPart transforms some tiles of the chunk: blocks of channels one behind the other, each tiles × channels, and of the
// gradients panels of filters, tiles × filters, as products read them.
func (k *winogradFilter) transformPart(_, part int) {
	lo, hi := splitInto(k.count, winogradShare).bounds(part)
	v, y, n, nr := k.v.of(k.s), k.y.of(k.s), k.plan.channels, k.gemm.PanelWidth()
	for c := 0; c < k.c; c += n {
		k.ops.Input(v[c*k.plan.tiles+lo*n:], k.vPoint, n, k.x[c:], k.grid, k.first+lo, hi-lo, min(n, k.c-c))
	}
	for f := 0; f < k.f; f += nr {
		k.ops.Gradient(y[f*k.count+lo*nr:], k.yPoint, nr, k.dy[f:], k.grid, k.first+lo, hi-lo, min(nr, k.f-f))
	}
}

// multiplyPart adds the chunk's products of a block of channels and filters, and after the last one transforms them to taps.
func (k *winogradFilter) multiplyPart(worker, part int) {
	p := &k.plan
	rows := ceilDiv(k.c, p.channels)
	c, f, held := part%rows*p.channels, part/rows*p.filters, worker
	if p.tiles < k.grid.Tiles() {
		held = part
	}
	size := winograd.Points * k.uPoint
	u, v, y := k.u.of(k.s)[held*size:][:size], k.v.of(k.s)[c*p.tiles:], k.y.of(k.s)[f*k.count:]
	d := &k.workers[worker].direct
	d.M, d.N, d.K = min(p.channels, k.c-c), min(p.filters, k.f-f), k.count
	d.LDA, d.ADepth, d.LDC, d.Add = p.channels, true, p.filters, k.first > 0
	for i := range winograd.Points {
		d.A, d.B, d.C = v[i*k.vPoint:], y[i*k.yPoint:], u[i*k.uPoint:]
		d.Run(k.gemm)
	}
	if k.first+k.count == k.grid.Tiles() {
		k.ops.Taps(k.dw[c*k.f+f:], k.c*k.f, k.f, u, k.uPoint, p.filters, d.M, d.N)
	}
}
