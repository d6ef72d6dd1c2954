package gemm

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// job is one Run under way; it is the pool's task in each of its phases.
type job[T vec.Float] struct {
	plan[T]
	g       *Gemm[T]
	phase   phase
	j0      int // first column of the nc columns under way
	shared  []T
	acc     []T
	workers []worker[T]
	live    int // of them in this product

	far, stream bool // how C is written, see stream.go
}

// phase says what the parts of the loop under way are.
type phase uint8

const (
	packPhase   phase = iota // a block of a panel of B into shared
	blockPhase               // a part of C
	piecePhase               // all of C, of one piece of K, into acc
	finishPhase              // rows of C: sum the pieces, then the epilogue
	deepPhase                // a block of C of a deep product, of one piece of K
	sinkPhase                // a block of C, for a sink
)

// worker is what one worker has for itself.
type worker[T vec.Float] struct {
	id    int // among the pool's workers
	t     tile[T]
	a, b  []T
	tmp   []T     // what is packed while it is on its way
	block []T     // of C, for a sink or until it is finished
	aKeys [3]int  // the block of A that a holds: row, depth, rows
	next  fetches // of a deep product
}

func (j *job[T]) reserve(threads int) {
	j.live = threads
	if len(j.workers) < threads {
		j.workers = make([]worker[T], threads)
	}
	for i := range j.workers {
		j.workers[i].id = i
	}
}

// release forgets the caller's slices, which the workspace must not keep alive.
func (j *job[T]) release() {
	j.plan = plan[T]{}
	for i := range j.live {
		j.workers[i].t, j.workers[i].next = tile[T]{}, fetches{}
	}
}

// run goes through the phases.
func (j *job[T]) run(p *pool.Pool) {
	for i := range j.live {
		j.workers[i].aKeys = [3]int{-1, -1, -1}
	}
	if j.deep {
		j.do(p, deepPhase, max(j.splits, 1)*j.mParts*j.nParts)
		if j.splits > 0 {
			j.do(p, finishPhase, j.finishParts())
		}
		return
	}
	if (j.k == 0 || j.splits > 0) && j.args.Sink == nil {
		j.do(p, piecePhase, j.splits)
		j.do(p, finishPhase, j.finishParts())
		j.watchAll()
		return
	}
	for j.j0 = 0; j.j0 < j.n; j.j0 += j.nc {
		n := min(j.nc, j.n-j.j0)
		if j.bMode == bShared {
			j.do(p, packPhase, ceil(n, j.g.k.nr)*ceil(j.k, j.kc))
		}
		ph := blockPhase
		if j.args.Sink != nil {
			ph = sinkPhase
		}
		j.do(p, ph, j.mParts*ceil(n, j.np))
	}
	j.j0 = 0
}

func (j *job[T]) do(p *pool.Pool, ph phase, parts int) {
	j.phase = ph
	if p == nil || j.work(j.n) < serialWork {
		for i := range parts {
			j.Do(0, i)
		}
		return
	}
	p.Run(j, parts)
}

// Do implements pool.Task.
func (j *job[T]) Do(worker, part int) {
	w := &j.workers[worker]
	switch j.phase {
	case packPhase:
		blocks := ceil(j.k, j.kc)
		q, k0 := part/blocks, part%blocks*j.kc
		nr := j.g.k.nr
		j.packB(w, j.shared[(q*j.packed(j.k)+k0/j.fold)*nr:], k0, min(j.kc, j.k-k0), j.j0+q*nr, min(nr, j.n-j.j0-q*nr))
	case blockPhase:
		i0, jj := part%j.mParts*j.mp, j.j0+part/j.mParts*j.np
		j.block(w, region[T]{
			i0: i0, i1: min(i0+j.mp, j.m),
			j0: jj, j1: min(jj+j.np, j.n, j.j0+j.nc),
			k0: 0, k1: j.k,
			c: j.args.C, ldc: j.args.LDC, d: j.args.D, ldd: j.args.LDD, beta: j.args.Beta, last: true,
		})
		if j.stream {
			j.g.k.fence()
		}
	case piecePhase:
		j.block(w, region[T]{
			i1: j.m, j1: j.n,
			k0: part * j.ks, k1: min((part+1)*j.ks, j.k),
			c: j.acc[part*j.m*j.n : (part+1)*j.m*j.n], ldc: j.n,
		})
	case deepPhase:
		j.deepPart(w, part)
	case finishPhase:
		j.finish(part)
		if a := &j.args; a.After != nil {
			i0 := part * finishRowsAtOnce
			a.After.Apply(worker, a.C[i0*a.LDC:], a.LDC, min(finishRowsAtOnce, a.M-i0), a.N)
		}
	case sinkPhase:
		j.sink(worker, part)
	}
}
