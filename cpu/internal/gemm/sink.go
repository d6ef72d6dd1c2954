package gemm

import "github.com/stheno-ml/stheno/cpu/internal/vec"

// Sink takes a product block by block, as it is computed, so that C need not be in
// memory: a weight's gradient that is used up at once, while it is in the cache.
// Which blocks there are depends on the product alone, never on the workers.
type Sink[T vec.Float] interface {
	// Take gets rows [i0, i0+rows) × columns [j0, j0+cols) of C, finished: element
	// (i0+r, j0+c) is block[r·ld+c]. Every element is in one block. part is another
	// number for every block, below [Gemm.SinkParts]. Calls come from several workers
	// at once and in any order; block is the sink's until Take returns.
	Take(worker, part int, block []T, ld, i0, rows, j0, cols int)
}

// Blocking for a sink, in elements of float32.
const (
	sinkBlock = 1 << 15 // elements of a block, which stays in L2
	sinkWide  = 1 << 12 // columns of a block at most
)

// SinkParts is what the numbers of the blocks that a sink of a gets stay below.
func (g *Gemm[T]) SinkParts(a *Args[T]) int {
	args := *a
	args.fillDefaults()
	p := g.plan(1, &args, nil)
	return p.sinkParts() * ceil(p.n, max(p.nc, 1))
}

// sinkParts is the number of blocks of nc columns of C.
func (p *plan[T]) sinkParts() int { return p.mParts * p.nParts }

// planSink is the part of a plan that is different for a sink. Blocks are whole rows
// where those are not too long: they lie in one piece where the sink puts them.
func (p *plan[T]) planSink(mr, nr int) {
	p.kc = max(p.kc, p.fold)
	p.chooseB(nr)
	if p.bMode == bLocal { // as there are many blocks to a panel
		p.bMode = bShared
	}
	p.chooseA(nr)
	p.nc = p.n
	if p.bMode == bShared {
		p.nc = p.sharedColumns(nr)
	}
	block := fit[T](sinkBlock)
	p.np = even(min(p.nc, p.n), fit[T](sinkWide))
	p.np = min(ceil(p.np, nr)*nr, p.n)
	p.nParts = ceil(min(p.nc, p.n), p.np)
	p.mp = even(p.m, min(max(block/p.np, mr), fit[T](mcMax)))
	p.mParts = ceil(p.m, p.mp)
	p.mc = p.mp
	p.blockLen = align[T](p.mp * p.np)
}

// sink computes a block of C and hands it over.
func (j *job[T]) sink(worker, part int) {
	w := &j.workers[worker]
	i0, j0 := part%j.mParts*j.mp, j.j0+part/j.mParts*j.np
	rows, cols := min(j.mp, j.m-i0), min(j.np, j.n-j0, j.j0+j.nc-j0)
	r := region[T]{i0: i0, i1: i0 + rows, j0: j0, j1: j0 + cols, k1: j.k, c: w.block, ldc: cols, origin: i0*cols + j0, last: true}
	j.block(w, r)
	if j.k == 0 {
		for i := range rows {
			for n := range cols {
				w.block[i*cols+n] = j.epilogue(0, j0+n)
			}
		}
	}
	j.args.Sink.Take(worker, j.j0/j.nc*j.sinkParts()+part, w.block, cols, i0, rows, j0, cols)
}
