package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// rowConv is a convolution whose patches are never laid out. Windows that follow each other in an image row lie some channels
// apart and overlap, so a row of results is a product of rows that are read where they lie: a piece of each image row that the
// windows cover. It is for few filters, where laying patches out takes long beside multiplying them.
//
// With padding, a band of image rows is first copied to where it has a border of zeros.
type rowConv[T Float] struct {
	g       op.ConvGeometry
	o       ConvOptions
	after   *after[T]
	product groupedProduct[T] // packs
	u       area[T]           // the packed filter, where it is not frozen
	bands   int               // of an image
	size    int               // rows of results in a band
	parts   split             // bands of all images
	loop    phase
	border  bool
	line    int // elements of an image row with its border
	workers []rowWorker[T]

	s                             *Scratch[T]
	y, x, packedW, bias, residual []T // of the current run
}

type rowWorker[T Float] struct {
	direct gemm.Direct[T]
	band   area[T]
	_      [64]byte // the next worker's begin in another cache line
}

// rowsAfter is how many elements of results are finished before what comes behind them.
const rowsAfter = 1 << 15

// rowWork is how many multiplications are worth a part.
const rowWork = 1 << 17

func newRowConv[T Float](e Env[T], s *Scratch[T], g op.ConvGeometry, o ConvOptions, then *after[T]) *rowConv[T] {
	k := &rowConv[T]{g: g, o: o, after: then, workers: make([]rowWorker[T], e.Pool.Threads())}
	k.product = newGroupedProduct(e, s, []gemm.Args[T]{{M: 1, N: g.F, K: k.depth()}})
	if !o.Frozen {
		k.u = s.reserve(k.packed())
	}
	image := g.H.Out * g.W.Out * g.F * k.depth()
	// Images are cut where there are few of them: neighbouring bands copy the same rows.
	k.bands = max(1, min(image/rowWork, g.H.Out/2, ceilDiv(4*e.Pool.Threads(), g.N)))
	k.size = ceilDiv(g.H.Out, k.bands)
	k.bands = ceilDiv(g.H.Out, k.size)
	k.parts = splitInto(g.N*k.bands, max(1, g.N*image/rowWork))
	k.loop = newPhase(e.Pool, k.parts.parts, k.part)
	k.border = g.H.Before > 0 || g.W.Before > 0 || g.H.After > 0 || g.W.After > 0
	k.line = g.W.In * g.C
	if k.border {
		k.line = max(g.W.Before+g.W.In, (g.W.Out-1)*g.W.Stride+g.W.Kernel) * g.C
		for i := range k.workers {
			k.workers[i].band = s.reserve(((k.size-1)*g.H.Stride + g.H.Reach()) * k.line)
		}
	}
	return k
}

func (k *rowConv[T]) depth() int { return k.g.H.Kernel * k.g.W.Kernel * k.g.C }

func (k *rowConv[T]) packed() int { return k.product.env.Gemm.PackedLen(k.depth(), k.g.F) }

func (k *rowConv[T]) pack(s *Scratch[T], u, w []T) {
	k.product.pack(s, u, gemm.Operand[T]{Data: w}, k.depth(), k.g.F)
}

func (k *rowConv[T]) run(s *Scratch[T], y, x, w, bias, residual []T) {
	if !k.o.Frozen {
		u := k.u.of(s)
		k.pack(s, u, w)
		w = u
	}
	k.s, k.y, k.x, k.packedW, k.bias, k.residual = s, y, x, w, bias, residual
	k.loop.run()
}

func (k *rowConv[T]) part(worker, part int) {
	lo, hi := k.parts.bounds(part)
	for b := lo; b < hi; b++ {
		first := b % k.bands * k.size
		k.band(worker, b/k.bands, first, min(k.size, k.g.H.Out-first))
	}
}

// band computes some rows of an image's results.
func (k *rowConv[T]) band(worker, n, first, count int) {
	g, w := &k.g, &k.workers[worker]
	x := k.x[n*g.H.In*g.W.In*g.C:]
	if k.border {
		to := w.band.of(k.s)
		k.copyBand(to, x, first*g.H.Stride-g.H.Before, (count-1)*g.H.Stride+g.H.Reach())
		x = to
	} else {
		x = x[first*g.H.Stride*k.line:]
	}
	at := (n*g.H.Out + first) * g.W.Out * g.F
	d := &w.direct
	d.M, d.N, d.K, d.Pieces = g.W.Out, g.F, k.depth(), g.H.Kernel
	d.A, d.LDA, d.Jump = x, g.W.Stride*g.C, g.H.Dilation*k.line
	d.B, d.C, d.LDC = k.packedW, k.y[at:], g.F
	d.Bias, d.ReLU, d.Add, d.D = k.bias, k.o.ReLU, false, nil
	if k.residual != nil {
		d.Add, d.D, d.LDD = true, k.residual[at:], g.F
	}
	d.Times, d.ANext, d.CNext = count, g.H.Stride*k.line, g.W.Out*g.F
	if k.after == nil {
		d.Run(k.product.env.Gemm)
		return
	}
	// So many rows at a time as stay in the second-level cache until all is done with them.
	some := max(1, rowsAfter/d.CNext)
	for row := 0; row < count; row += some {
		d.Times = min(some, count-row)
		d.A, d.C = x[row*d.ANext:], k.y[at+row*d.CNext:]
		if d.Add {
			d.D = k.residual[at+row*d.CNext:]
		}
		d.Run(k.product.env.Gemm)
		k.after.Apply(worker, d.C, d.CNext, d.Times, d.CNext)
	}
}

// copyBand copies the rows of an image from first on, with their border.
func (k *rowConv[T]) copyBand(to, x []T, first, count int) {
	g := &k.g
	row := g.W.In * g.C
	left := g.W.Before * g.C
	for i := range count {
		line := to[i*k.line:][:k.line]
		h := first + i
		if h < 0 || h >= g.H.In {
			clear(line)
			continue
		}
		clear(line[:left])
		clear(line[left+copy(line[left:], x[h*row:(h+1)*row]):])
	}
}
