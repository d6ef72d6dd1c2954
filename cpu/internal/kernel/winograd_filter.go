package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/winograd"
	"github.com/stheno-ml/stheno/graph/op"
)

var (
	WgCB         = 64
	WgFB         = 64
	WgChunk      = 3 << 20 // elements of V and Y
	WgLocal      = 64 * 64 // most C·F
	WgLocalChunk = 48
	WgPieces     = 16
	WgWay        = 0
)

// winogradFilter is the gradient of a 3×3 kernel by package winograd.
type winogradFilter struct {
	env  Env[float32]
	g    op.ConvGeometry
	grid *winograd.Grid
	ops  winograd.Ops

	cb, fb       int // channels and filters of a block
	cs, fs       int // blocks
	panel        int
	local        bool
	chunk        int // tiles at a time
	vp, yp, up   int // elements from point to point
	pieces, size int // pieces of tiles

	v, y, u, part area[float32]
	mem           *Scratch[float32]

	transform, multiply, whole, total phase
	products                          []gemm.Direct[float32] // one a worker

	// Under way.
	first, count int
	dw, x, dy    []float32
}

func newWinogradFilter(e Env[float32], s *Scratch[float32], g op.ConvGeometry) *winogradFilter {
	k := &winogradFilter{env: e, g: g, mem: s, ops: winograd.For(e.Gemm.Level()), panel: e.Gemm.PanelWidth()}
	k.grid = winograd.NewGrid(g.N, g.H.In, g.W.In, g.C, g.H.Before, g.W.Before, g.H.Out, g.W.Out, g.F)
	k.products = make([]gemm.Direct[float32], e.Pool.Threads())
	tiles := k.grid.Tiles()
	k.cs, k.cb = blocksOf(g.C, WgCB, 16)
	k.fs, k.fb = blocksOf(g.F, WgFB, k.panel)
	k.up = k.cb*k.fb + 16
	threads := e.Pool.Threads()
	per := winograd.Points * (k.cs*k.cb + k.fs*k.fb)
	if k.local = g.C*g.F <= WgLocal; k.local {
		pieces := splitInto(tiles, WgPieces)
		k.pieces, k.size = pieces.parts, pieces.size
		k.chunk = min(WgLocalChunk, k.size)
	} else {
		k.chunk = splitInto(tiles, ceilDiv(tiles*per, WgChunk)).size
	}
	k.vp, k.yp = k.cs*k.cb*k.chunk+16, k.fs*k.fb*k.chunk+16
	nv, ny, nu := winograd.Points*k.vp, winograd.Points*k.yp, winograd.Points*k.up
	if k.local {
		k.v, k.y, k.u = s.reserve(threads*nv), s.reserve(threads*ny), s.reserve(threads*nu*k.cs*k.fs)
		k.part = s.reserve(k.pieces * 9 * g.C * g.F)
		k.whole = newPhase(e.Pool, k.pieces, k.wholePart)
		k.total = newPhase(e.Pool, ceilDiv(9*g.C*g.F, grain), k.totalPart)
		return k
	}
	k.v, k.y = s.reserve(nv), s.reserve(ny)
	if k.chunk < tiles {
		k.u = s.reserve(nu * k.cs * k.fs)
	} else {
		k.u = s.reserve(threads * nu)
	}
	k.transform = newPhase(e.Pool, 0, k.transformPart)
	k.multiply = newPhase(e.Pool, k.cs*k.fs, k.multiplyPart)
	return k
}

// blocksOf cuts n into blocks of at most most, a multiple of unit.
func blocksOf(n, most, unit int) (blocks, size int) {
	units := ceilDiv(n, unit)
	blocks = ceilDiv(units, max(most/unit, 1))
	size = ceilDiv(units, blocks) * unit
	return ceilDiv(n, size), size
}

func (k *winogradFilter) run(dw, x, dy []float32) {
	k.dw, k.x, k.dy = dw, x, dy
	if k.local {
		k.whole.run()
		k.total.run()
	} else {
		tiles := k.grid.Tiles()
		for k.first = 0; k.first < tiles; k.first += k.chunk {
			k.count = min(k.chunk, tiles-k.first)
			k.transform.parts = splitInto(k.count, 32).parts
			k.transform.run()
			k.multiply.run()
		}
	}
	k.dw, k.x, k.dy = nil, nil, nil
}

func (k *winogradFilter) transformPart(_, part int) {
	lo, hi := splitInto(k.count, 32).bounds(part)
	k.transformTiles(k.v.of(k.mem), k.y.of(k.mem), k.first+lo, lo, hi-lo)
}

// transformTiles transforms count tiles, the first of which is the chunk's number at.
func (k *winogradFilter) transformTiles(v, y []float32, first, at, count int) {
	for c := 0; c < k.g.C; c += k.cb {
		k.ops.Input(v[c*k.chunk+at*k.cb:], k.vp, k.cb, k.x[c:], k.grid, first, count, min(k.cb, k.g.C-c))
	}
	for f := 0; f < k.g.F; f += k.panel {
		k.ops.Gradient(y[f*k.chunk+at*k.panel:], k.yp, k.panel, k.dy[f:], k.grid, first, count, min(k.panel, k.g.F-f))
	}
}

// multiplyTiles adds the products of a block.
func (k *winogradFilter) multiplyTiles(worker int, u, v, y []float32, c, f, count int, add bool) {
	d := &k.products[worker]
	d.M, d.N, d.K = min(k.cb, k.g.C-c), min(k.fb, k.g.F-f), count
	d.LDA, d.ADepth, d.LDC, d.Add = k.cb, true, k.fb, add
	for p := range winograd.Points {
		d.A, d.B, d.C = v[p*k.vp+c*k.chunk:], y[p*k.yp+f*k.chunk:], u[p*k.up:]
		d.Run(k.env.Gemm)
	}
}

func (k *winogradFilter) taps(dw, u []float32, c, f int) {
	k.ops.Taps(dw[c*k.g.F+f:], k.g.C*k.g.F, k.g.F, u, k.up, k.fb, min(k.cb, k.g.C-c), min(k.fb, k.g.F-f))
}

func (k *winogradFilter) multiplyPart(worker, part int) {
	c, f := part%k.cs*k.cb, part/k.cs*k.fb
	n := winograd.Points * k.up
	at := worker
	tiles := k.grid.Tiles()
	if k.chunk < tiles {
		at = part
	}
	u := k.u.of(k.mem)[at*n : (at+1)*n]
	k.multiplyTiles(worker, u, k.v.of(k.mem), k.y.of(k.mem), c, f, k.count, k.first > 0)
	if k.first+k.count == tiles {
		k.taps(k.dw, u, c, f)
	}
}

func (k *winogradFilter) wholePart(worker, part int) {
	lo, hi := part*k.size, min((part+1)*k.size, k.grid.Tiles())
	nv, ny, nu := winograd.Points*k.vp, winograd.Points*k.yp, winograd.Points*k.up
	v, y := k.v.of(k.mem)[worker*nv:(worker+1)*nv], k.y.of(k.mem)[worker*ny:(worker+1)*ny]
	us := k.u.of(k.mem)[worker*nu*k.cs*k.fs:]
	dw := k.part.of(k.mem)[part*9*k.g.C*k.g.F:]
	for t := lo; t < hi; t += k.chunk {
		n := min(k.chunk, hi-t)
		k.transformTiles(v, y, t, 0, n)
		for i := range k.cs * k.fs {
			c, f := i%k.cs*k.cb, i/k.cs*k.fb
			u := us[i*nu : (i+1)*nu]
			k.multiplyTiles(worker, u, v, y, c, f, n, t > lo)
			if t+n == hi {
				k.taps(dw, u, c, f)
			}
		}
	}
}

func (k *winogradFilter) totalPart(_, part int) {
	n := 9 * k.g.C * k.g.F
	lo, hi := part*grain, min((part+1)*grain, n)
	p := k.part.of(k.mem)
	copy(k.dw[lo:hi], p[lo:hi])
	for i := 1; i < k.pieces; i++ {
		add(k.dw[lo:hi], k.dw[lo:hi], p[i*n+lo:i*n+hi])
	}
}
