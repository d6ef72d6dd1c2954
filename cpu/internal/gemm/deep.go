package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// A deep product is one of two matrices whose rows lie along K: A is transposed, B is not. Gradients of kernels are such,
// their K is all positions of all images. C is cut into blocks, each of which is summed over K, or over a piece of it, at a
// stretch. A and B are read where they lie, so there is nothing to copy. Hardly anything is read twice, so memory would
// be the limit: while the tiles of a block are computed, they fetch the rows of the next one, a few cache lines each.

// Blocking, chosen by measurement as that of plan.go.
const (
	deepKC    = 192     // depth of a block
	deepSide  = 256     // rows and columns of a block of C: with both factors in L2
	deepFloor = 96      // sides are not cut below that for the sake of more parts
	deepParts = 16      // parts that K is cut into pieces for, where C has fewer blocks
	deepPiece = 512     // least depth of a piece, or where C is small twice that
	deepSmall = 1 << 15 // elements of a small C
	deepWhole = 1 << 17 // elements of C from which on K is not cut; there are blocks enough, and pieces have to be added up
	deepReads = 32      // tiles from which on a panel of B whose rows collide in the L1 cache is copied
	deepGiven = 1 << 21 // the same for all pieces of C where A is a Source: fewer blocks ask it for fewer rows
)

// planDeep decides how to compute a deep product.
func (p *plan[T]) planDeep(threads, mr, nr int) {
	p.deep = true
	p.kc = p.depth(deepKC)
	p.aMode, p.bMode = aDirect, bLocal
	if p.a.Source != nil || p.fold > 1 {
		p.aMode = aDepth
	}
	p.nc = p.n
	p.mp, p.np = ceil(even(p.m, fit[T](deepSide)), mr)*mr, ceil(even(p.n, fit[T](deepSide)), nr)*nr
	p.mParts, p.nParts = ceil(p.m, p.mp), ceil(p.n, p.np)
	collides := p.b.LD%fit[T](pageFloats/2) == 0
	if p.b.Source == nil && p.fold == 1 && (!collides || ceil(p.mp, mr) <= deepReads) {
		p.bMode = bDirect
	}
	p.splitDeep()
	p.moreParts(threads, mr, nr)
	p.mc = p.mp
}

// splitDeep cuts K into pieces.
func (p *plan[T]) splitDeep() {
	least := deepPiece
	if p.m*p.n <= deepSmall {
		least *= 2
	}
	n := min(ceil(deepParts, p.mParts*p.nParts), p.k/least)
	if n < 2 || p.m*p.n > deepWhole && (p.a.Source == nil || n*p.m*p.n > deepGiven) {
		return
	}
	p.ks = ceil(ceil(p.k, n), p.kc) * p.kc
	p.splits = ceil(p.k, p.ks)
}

// moreParts makes blocks smaller, until there are several for each worker, so that a late or slow one costs little.
func (p *plan[T]) moreParts(threads, mr, nr int) {
	want := min(6*threads, p.m*p.n*p.k/partWork+1)
	if threads == 1 {
		want = 1
	}
	for max(p.splits, 1)*p.mParts*p.nParts < want && max(p.mp, p.np) > fit[T](deepFloor) {
		if p.mp > p.np || p.a.Source != nil && p.mp > fit[T](deepFloor) {
			p.mp = ceil(ceil(p.mp, 2), mr) * mr
		} else {
			p.np = ceil(ceil(p.np, 2), nr) * nr
		}
		p.mParts, p.nParts = ceil(p.m, p.mp), ceil(p.n, p.np)
	}
}

// deepPart computes a block of C, or of a piece of K.
func (j *job[T]) deepPart(w *worker[T], part int) {
	piece, part := part/(j.mParts*j.nParts), part%(j.mParts*j.nParts)
	i0, j0 := part%j.mParts*j.mp, part/j.mParts*j.np
	r := region[T]{
		i0: i0, i1: min(i0+j.mp, j.m),
		j0: j0, j1: min(j0+j.np, j.n),
		k1: j.k,
		c:  j.args.C, ldc: j.args.LDC, d: j.args.D, ldd: j.args.LDD, beta: j.args.Beta, last: true,
	}
	if j.splits > 0 {
		r.k0, r.k1 = piece*j.ks, min((piece+1)*j.ks, j.k)
		r.c, r.ldc, r.beta, r.last = j.acc[piece*j.m*j.n:(piece+1)*j.m*j.n], j.n, 0, false
	}
	j.block(w, r)
}

// fetch is what some tiles fetch ahead of one matrix.
type fetch struct {
	base unsafe.Pointer // nil for nothing
	ld   uintptr        // from row to row
	run  int            // turns of the micro-kernel that a row takes
	rows int            // rows of each tile
	last uintptr        // the matrix's last element: no pointer may go beyond
}

// turn is how many bytes a turn of a micro-kernel fetches.
func turn[T vec.Float]() uintptr { return 64 * (1 + size[T]()/4) }

// fetchRows shares rows [r0, r0+rows) of columns [c0, c0+cols) of a matrix among tiles.
func fetchRows[T vec.Float](o *Operand[T], r0, rows, c0, cols, tiles int) fetch {
	if o.Source != nil || tiles <= 0 {
		return fetch{}
	}
	e, turn := int(size[T]()), int(turn[T]())
	base, last := unsafe.Pointer(&o.Data[r0*o.LD+c0]), uintptr((span(rows, cols, o.LD)-1)*e)
	if o.LD == cols { // all one long row: as many rows as tiles
		run := ceil(rows*cols*e, tiles*turn)
		return fetch{base, uintptr(run * turn), run, 1, last}
	}
	return fetch{base, uintptr(o.LD * e), ceil(cols*e, turn), ceil(rows, tiles), last}
}

// fetches is what the tiles of a block fetch of the next block: the first of them of A, the others of B.
type fetches struct {
	a, b fetch
	forA int // tiles
	tile int // the tile under way
}

// nextRows shares the rows of depth [k0, k1) of a block of C among its tiles.
func (j *job[T]) nextRows(tiles, i0, i1, j0, j1, k0, k1 int) fetches {
	if k0 >= k1 {
		return fetches{}
	}
	forA := 0
	if j.a.Source == nil { // a share in proportion
		forA = max(1, tiles*(i1-i0)/(i1-i0+j1-j0))
	}
	return fetches{fetchRows(&j.a, k0, k1-k0, i0, i1-i0, forA), fetchRows(&j.b, k0, k1-k0, j0, j1-j0, tiles-forA), forA, 0}
}

// fetchShare tells a tile what to fetch: the next share, or nothing new.
func (t *tile[T]) fetchShare(h *fetches) {
	f, i := &h.a, h.tile
	if i >= h.forA {
		f, i = &h.b, i-h.forA
	}
	h.tile++
	if f.base == nil {
		t.pf, t.pfRun, t.pfld = t.a, 1, 0
		return
	}
	t.pf, t.pfRun, t.pfld = unsafe.Add(f.base, min(uintptr(i*f.rows)*f.ld, f.last)), uint64(f.run), f.ld
}
