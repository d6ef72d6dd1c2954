package gemm

import (
	"unsafe"

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
	t     tile[T]
	a, b  []T
	tmp   []T     // what is packed while it is on its way
	block []T     // of C, for a sink
	aKeys [3]int  // the block of A that a holds: row, depth, rows
	next  fetches // of a deep product
	out   [12 * 32]T
}

func (j *job[T]) reserve(threads int) {
	if len(j.workers) < threads {
		j.workers = make([]worker[T], threads)
	}
}

// release forgets the caller's slices, which the workspace must not keep alive.
func (j *job[T]) release() {
	j.plan = plan[T]{}
	for i := range j.workers {
		j.workers[i].t, j.workers[i].next = tile[T]{}, fetches{}
	}
}

// run goes through the phases.
func (j *job[T]) run(p *pool.Pool) {
	for i := range j.workers {
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
	case sinkPhase:
		j.sink(worker, part)
	}
}

// region is a block of the product and where it goes.
type region[T vec.Float] struct {
	i0, i1, j0, j1, k0, k1 int

	c, d   []T // d is what beta multiplies
	ldc    int
	ldd    int
	origin int // index of the first element of c in C
	beta   T
	last   bool // with the epilogue and, where the plan says so, across
}

// block computes a region, depth block after depth block.
func (j *job[T]) block(w *worker[T], r region[T]) {
	width := r.j1 - r.j0
	if j.bMode == bLocal {
		width = min(width, fit[T](ncLocal))
	}
	for k0 := r.k0; k0 < r.k1; k0 += j.kc {
		kc := min(j.kc, r.k1-k0)
		for j0 := r.j0; j0 < r.j1; j0 += width {
			j1 := min(j0+width, r.j1)
			if j.bMode == bLocal {
				j.packLocal(w, j0, j1, k0, kc)
			}
			for i0 := r.i0; i0 < r.i1; i0 += j.mc {
				j.macro(w, &r, i0, min(i0+j.mc, r.i1), j0, j1, k0, kc)
			}
		}
	}
}

// macro runs the micro-kernel over a block of A and some panels of B.
func (j *job[T]) macro(w *worker[T], r *region[T], i0, i1, j0, j1, k0, kc int) {
	ks := j.g.k
	t := &w.t
	rows := i1 - i0
	a, order := j.blockA(w, i0, rows, k0, kc)
	depth := j.packed(kc)
	t.kc, t.parts = uintptr(depth), 1
	// The first block adds to d, the others to what that left in c.
	t.alpha, t.beta = j.args.Alpha, 1
	d, ldd, origin := r.c, r.ldc, r.origin
	if k0 == r.k0 {
		t.beta, d, ldd, origin = r.beta, r.d, r.ldd, 0
	}
	last := r.last && k0+kc == r.k1
	across := r.last && j.swapped
	relu := uint32(0)
	if last && j.args.ReLU {
		relu = 1
	}
	t.relu, t.bias = relu, nil
	beta := t.beta
	if across {
		t.c, t.ldc = unsafe.Pointer(&w.out), size[T]()*uintptr(ks.nr)
		t.beta, t.relu = 0, 0
	} else {
		t.ldc, t.ldd = size[T]()*uintptr(r.ldc), size[T]()*uintptr(ldd)
	}
	// Rows are dealt out evenly so that no tile is much lower than the others.
	tiles := ceil(rows, ks.mr)
	low, more := rows/tiles, rows%tiles
	w.next = fetches{}
	if j.deep {
		w.next = j.nextRows(tiles*ceil(j1-j0, ks.nr), i0, i1, j0, j1, k0+kc, min(k0+2*kc, r.k1))
	}
	half := size[T]() * uintptr(depth*ks.nr/2)
	residual := beta != 0 && k0 == r.k0 && !across
	for jj := j0; jj < j1; jj += ks.nr {
		cols := min(ks.nr, j1-jj)
		t.setCols(cols)
		j.panelB(w, jj, j0, cols, k0, kc)
		near := jj > j0 || rows <= fewRows // the rows of A
		var ahead unsafe.Pointer           // the panel that comes next, where it comes from far
		if jj+ks.nr < j1 && near {
			switch j.bMode {
			case bPacked:
				ahead = unsafe.Pointer(&j.b.Data[((jj/ks.nr+1)*j.packed(j.k)+k0/j.fold)*ks.nr])
			case bShared:
				ahead = unsafe.Pointer(&j.shared[(((jj-j.j0)/ks.nr+1)*j.packed(j.k)+k0/j.fold)*ks.nr])
			}
		}
		if last && j.args.Bias != nil && !across {
			t.bias = unsafe.Pointer(&j.args.Bias[jj])
		}
		kernels := ks.tiles[order][(cols-1)/ks.lane]
		i := i0
		for n := range tiles {
			h := low
			if n < more {
				h++
			}
			t.rows = uint32(h)
			t.a = unsafe.Add(a, uintptr(i-i0)*t.rs)
			switch {
			case j.deep:
				t.fetchShare(&w.next)
			case ahead != nil && n < 2: // half of the next panel
				t.pf, t.pfRun, t.pfld = unsafe.Add(ahead, uintptr(n)*half), uint64(depth), 0
			case residual && near && i+h < i1:
				t.pf, t.pfRun, t.pfld = unsafe.Pointer(&d[(i+h)*ldd+jj-origin]), 1, t.ldd
			case residual && near && jj+ks.nr < j1:
				t.pf, t.pfRun, t.pfld = unsafe.Pointer(&d[i0*ldd+jj+ks.nr-origin]), 1, t.ldd
			case order == byDepth: // nothing new
				t.pf, t.pfRun, t.pfld = t.a, 1, 0
			case n+1 < tiles:
				t.pf, t.pfRun, t.pfld = unsafe.Add(t.a, uintptr(h)*t.rs), uint64(depth/2/h+1), t.rs
			default:
				t.pf, t.pfRun, t.pfld = a, uint64(depth/2/h+1), t.rs
			}
			if across {
				kernels[h](t)
				j.across(w, r, d, ldd, i, h, jj, cols, beta, last)
			} else {
				t.c = unsafe.Pointer(&r.c[i*r.ldc+jj-r.origin])
				if t.beta != 0 {
					t.d = unsafe.Pointer(&d[i*ldd+jj-origin])
				}
				kernels[h](t)
			}
			i += h
		}
	}
	if last && j.args.Watch != nil {
		j.args.Watch.Done(i0, rows, j0, j1-j0)
	}
}

// across adds a tile of Cᵀ in w.out to d and stores it in C.
func (j *job[T]) across(w *worker[T], r *region[T], d []T, ldd, i, h, jj, cols int, beta T, last bool) {
	nr := j.g.k.nr
	for x := range cols {
		c := r.c[(jj+x)*r.ldc+i:][:h]
		for y := range c {
			s := w.out[y*nr+x]
			if beta != 0 {
				s += beta * d[(jj+x)*ldd+i+y]
			}
			if last {
				s = j.epilogue(s, i+y)
			}
			c[y] = s
		}
	}
}

// epilogue is the plain form of what the micro-kernels do to a finished sum in
// column n of C.
func (j *job[T]) epilogue(s T, n int) T {
	if j.args.Bias != nil {
		s += j.args.Bias[n]
	}
	if j.args.ReLU && s < 0 {
		s = 0
	}
	return s
}

// finishRowsAtOnce is how many rows of C a part of the finish phase has.
const finishRowsAtOnce = 16

func (j *job[T]) finishParts() int { return ceil(j.args.M, finishRowsAtOnce) }

// finish sums the pieces of K in order and applies the epilogue. With no piece
// (K = 0) the sum is 0.
func (j *job[T]) finish(part int) {
	i0, i1 := part*finishRowsAtOnce, min((part+1)*finishRowsAtOnce, j.args.M)
	if j.swapped || j.splits == 0 || j.args.Beta != 0 {
		j.finishRows(i0, i1)
		return
	}
	rows, n := i1-i0, j.n
	if j.args.LDC == n { // all one row
		rows, n = 1, (i1-i0)*n
	}
	for r := range rows {
		c, at := j.args.C[(i0+r)*j.args.LDC:][:n], (i0+r)*j.n
		copy(c, j.acc[at:])
		for s := 1; s < j.splits; s++ {
			at += j.m * j.n
			j.g.ops.Add(c, c, j.acc[at:at+n])
		}
		if j.args.Bias != nil || j.args.ReLU {
			for x := range c {
				c[x] = j.epilogue(c[x], x%j.n)
			}
		}
	}
}

// finishRows is the plain form of finish.
func (j *job[T]) finishRows(i0, i1 int) {
	si, sj := j.n, 1 // strides of the pieces in terms of C
	if j.swapped {
		si, sj = 1, j.n
	}
	for i := i0; i < i1; i++ {
		c := j.args.C[i*j.args.LDC:][:j.args.N]
		d := j.args.D[i*j.args.LDD:][:j.args.N]
		for n := range c {
			var s T
			at := i*si + n*sj
			for range j.splits {
				s += j.acc[at]
				at += j.m * j.n
			}
			if j.args.Beta != 0 {
				s += j.args.Beta * d[n]
			}
			c[n] = j.epilogue(s, n)
		}
	}
}
