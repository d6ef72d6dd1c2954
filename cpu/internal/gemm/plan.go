package gemm

import "github.com/stheno-ml/stheno/cpu/internal/vec"

// Blocking, chosen by measurement on a 48 KiB L1d / 1–2 MiB L2 core. What stands for
// memory is in elements of float32; float64 takes half as many, see fit.
const (
	kcMax      = 576      // depth of a block: a panel of B of that depth lies in L1/L2
	fewDeep    = 32 << 10 // elements of A of a block of few rows, which with a packed B is deeper: A is copied once
	kcTrans    = 192      // the same where A is transposed: its tiles use cache lines in part
	mcMax      = 240      // rows of A handled per block: mcMax·kcMax floats in L2
	ncLocal    = 256      // columns of B packed at a time by one worker for itself
	sharedMax  = 2 << 20  // elements of B packed at a time for all workers
	serialWork = 1 << 18  // multiply-adds below which helpers are not worth waking
	partWork   = 1 << 19  // multiply-adds a part should have at least
	fewRows    = 64       // rows of A that are near when the second panel of B is: they need not be fetched ahead
	pageFloats = 1024     // rows this far apart (4 KiB) collide in the L1 cache
	lineFloats = 16       // floats in a cache line
)

// StreamRows is the number of rows that a product has in the time in which its factor B comes from memory.
const StreamRows = 16

// nearBytes is how far ahead of what they read tiles of few rows fetch a packed B, whose panels follow each other in memory: what
// comes in the time that memory takes to answer. 4 and 16 KiB are slower.
const nearBytes = 8 << 10

// fit is n elements of float32 in elements of T of the same bytes.
func fit[T vec.Float](n int) int { return n * 4 / int(size[T]()) }

// aMode says where a block of A is read from.
type aMode uint8

const (
	aDirect aMode = iota // from the operand
	aRows                // copied, row after row: (r, k) at r·ld + k
	aDepth               // copied, k after k: (r, k) at k·ld + r
)

// bMode says where a panel of B is read from.
type bMode uint8

const (
	bDirect bMode = iota // from the operand
	bShared              // packed by all workers before the product
	bLocal               // packed by the worker that needs it, piece by piece
	bPacked              // from the operand, which the caller had packed
)

// plan is how one product is computed. It depends on sizes and forms only.
type plan[T vec.Float] struct {
	args Args[T]
	// swapped says that Cᵀ = op(B)ᵀ·op(A)ᵀ is computed; m, n, a, b below are of
	// that product.
	swapped bool
	m, n, k int
	a, b    Operand[T]
	fold    int // how many k an element of a packed factor holds

	aMode  aMode
	bMode  bMode
	kc     int  // depth of a block, K split evenly
	mc     int  // rows of a block
	nc     int  // columns of B per shared packing
	deep   bool // see deep.go
	gather bool // see gather.go
	splits int  // pieces of K summed apart, then together in order; 0: not split
	ks     int  // depth of such a piece, a multiple of kc

	mp, np         int // rows and columns of a part
	mParts, nParts int // per nc columns

	// Lengths of the buffers in the scratch.
	sharedLen, aLen, bLen, tmpLen, accLen, blockLen int
}

// plan decides how to compute a on the given number of workers. Only mp, np and mc,
// which no sum depends on, look at the number of workers.
// memo, unless it is nil, remembers what was found for the product before.
func (g *Gemm[T]) plan(threads int, a *Args[T], memo *grids) plan[T] {
	p := plan[T]{args: *a, m: a.M, n: a.N, k: a.K, a: a.A, b: a.B, fold: g.k.fold()}
	mr, nr := g.k.mr, g.k.nr
	if p.swapped = swap(a); p.swapped {
		p.m, p.n = a.N, a.M
		p.a, p.b = a.B, a.A
		p.a.Trans, p.b.Trans = !p.a.Trans, !p.b.Trans
	}
	if p.m == 0 || p.n == 0 || p.k == 0 && a.Sink == nil {
		return p
	}
	p.kc = p.depth(kcMax)
	if p.a.Trans {
		p.kc = p.depth(kcTrans)
	}
	switch {
	case a.Sink != nil:
		p.planSink(mr, nr)
	case a.Watch != nil:
		p.planWatched(threads, mr, nr)
	case p.a.Trans && !p.b.Trans && !p.b.Packed:
		p.planDeep(threads, mr, nr)
	default:
		p.split(mr, nr)
		if p.b.Packed && p.splits == 0 && !p.a.Trans {
			p.kc = p.depth(max(kcMax, fit[T](fewDeep)/p.m))
		}
		p.chooseB(nr)
		p.chooseA(nr)
		p.partition(threads, mr, nr)
		p.balance(threads, mr, nr, memo)
	}
	p.planGather()
	p.sizes(nr, g.k.lane)
	return p
}

// depth is that of blocks of at most so many elements of a packed factor.
func (p *plan[T]) depth(most int) int {
	return ceil(even(p.k, most*p.fold), p.fold) * p.fold
}

// packed is how many elements k of a packed factor are.
func (p *plan[T]) packed(k int) int { return ceil(k, p.fold) }

// swap decides which factor is read in vectors. The vectors of a row of C want B
// with contiguous columns; a transposed B has to be transposed while packing,
// N·K elements. Computing Cᵀ instead wants the same of A, and C written across.
func swap[T vec.Float](a *Args[T]) bool {
	if !a.B.Trans || a.B.Packed || a.Sink != nil {
		return false
	}
	return a.A.Trans || a.M <= 2*a.N/3
}

// split cuts K into pieces when C is too small to give every worker a share, or
// so small beside K that reading A in whole rows beats cutting it.
func (p *plan[T]) split(mr, nr int) {
	const deep, piece, small, most = 8192, 2048, 1 << 17, 16
	tiles := ceil(p.m, mr) * ceil(p.n, nr)
	if p.n > 2048 || p.m*p.n > small || p.k < 2*piece || (p.k < deep && tiles >= 8) {
		return
	}
	p.splits = min(most, p.k/piece)
	p.ks = ceil(ceil(p.k, p.splits), p.kc) * p.kc
	p.splits = ceil(p.k, p.ks)
}

func (p *plan[T]) chooseB(nr int) {
	plain := p.b.Source == nil && !p.b.Trans
	narrow := p.n <= 2*nr && p.b.LD <= 4*nr
	switch {
	case p.b.Packed:
		p.bMode = bPacked
	case plain && narrow && p.fold == 1:
		p.bMode = bDirect
	case p.splits > 0 || p.m <= fit[T](mcMax):
		p.bMode = bLocal
	default:
		p.bMode = bShared
	}
}

func (p *plan[T]) chooseA(nr int) {
	switch {
	case p.a.Source != nil && p.a.Trans:
		p.aMode = aDepth
	case p.a.Source != nil:
		p.aMode = aRows
	case p.fold > 1:
		if p.aMode = aRows; p.a.Trans {
			p.aMode = aDepth
		}
	case p.n <= nr: // read once
		p.aMode = aDirect
	case p.a.Trans:
		p.aMode = aDepth
	case p.a.LD%fit[T](pageFloats) == 0 && p.n > 2*nr:
		p.aMode = aRows
	}
	p.mc = even(p.m, fit[T](mcMax))
}

// work is the time that n columns take, in multiply-adds: those of few rows wait for B.
func (p *plan[T]) work(n int) int { return max(p.m, StreamRows) * n * p.k }

// sharedColumns is how many columns of B are packed at a time for all workers.
func (p *plan[T]) sharedColumns(nr int) int {
	n := even(p.n, max(4*nr, fit[T](sharedMax)/max(p.packed(p.k), 1)/nr*nr))
	return ceil(n, nr) * nr
}

// partition cuts C into parts for the workers.
func (p *plan[T]) partition(threads, mr, nr int) {
	p.nc = p.n
	if p.bMode == bShared {
		p.nc = p.sharedColumns(nr)
	}
	n := min(p.nc, p.n)
	p.mp, p.np = p.mc, n
	if (p.bMode == bDirect || p.bMode == bPacked) && p.m <= fit[T](mcMax) || threads == 1 {
		p.mp = p.m
	}
	p.mParts = ceil(p.m, p.mp)
	// Several parts a worker, so that a late or slow worker costs little.
	want := min(4*threads, p.work(n)/partWork+1)
	if threads == 1 || want == 1 {
		want = 1
	} else {
		want = ceil(want, threads) * threads
	}
	if p.mParts < want && p.bMode != bLocal && p.args.Watch == nil && (p.a.Source != nil || p.fold > 1) {
		p.mp = max(4*mr, ceil(ceil(p.m, want), mr)*mr)
		p.mParts = ceil(p.m, p.mp)
	}
	if p.mParts > want && p.mParts < 2*want && p.args.Watch == nil { // as many parts for each worker
		p.mParts = ceil(p.mParts, threads) * threads
		p.mc = ceil(p.m, p.mParts)
		p.mp, p.mParts = p.mc, ceil(p.m, p.mc)
	}
	if p.mParts < want {
		pieces := ceil(want, p.mParts)
		p.np = ceil(ceil(n, nr), pieces) * nr
	}
	p.nParts = ceil(n, p.np)
}

func (p *plan[T]) sizes(nr, lane int) {
	depth := max(p.packed(p.kc), 1)
	switch p.bMode {
	case bShared:
		p.sharedLen = p.packed(p.k) * p.nc
	case bDirect:
		if p.n%lane != 0 {
			p.bLen = depth * nr // the last panel
		}
	case bLocal:
		p.bLen = depth * ceil(min(p.n, fit[T](ncLocal)), nr) * nr
	}
	switch p.aMode {
	case aRows:
		p.aLen = p.mc * rowStride[T](depth)
	case aDepth:
		p.aLen = depth * rowStride[T](p.mc)
	}
	p.blockLen = p.gatherLen(nr)
	p.tmpLen = p.temporary(nr)
	if p.splits > 0 {
		p.accLen = p.splits * p.m * p.n
	}
	p.sharedLen, p.aLen, p.bLen = align[T](p.sharedLen), align[T](p.aLen), align[T](p.bLen)
}

// temporary is the length of what a worker needs while it packs.
func (p *plan[T]) temporary(nr int) int {
	if p.fold > 1 {
		return align[T](p.roundTemporary(nr))
	}
	if p.b.Source != nil && p.b.Trans && !p.b.Packed {
		return align[T](nr * p.kc) // a panel before it is transposed
	}
	return 0
}

// scratch is the number of elements the plan needs, alignment included.
func (p *plan[T]) scratch(threads int) int {
	total := p.sharedLen + threads*(p.aLen+p.bLen+p.tmpLen+p.blockLen) + p.accLen
	if total == 0 {
		return 0
	}
	return total + fit[T](lineFloats)
}

// rowStride is the stride of copied rows of n elements: whole cache lines, and
// neighbouring rows in different sets of the L1 cache.
func rowStride[T vec.Float](n int) int {
	n = align[T](n)
	if n%fit[T](pageFloats/8) == 0 {
		n += fit[T](lineFloats)
	}
	return n
}

func align[T vec.Float](n int) int {
	line := fit[T](lineFloats)
	return (n + line - 1) &^ (line - 1)
}

func ceil(a, b int) int { return (a + b - 1) / b }

// even returns the size of equal pieces of n, none larger than most.
func even(n, most int) int { return ceil(n, max(1, ceil(n, most))) }
