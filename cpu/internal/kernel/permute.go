package kernel

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Transpose swaps the last two axes of a batch of matrices: y[b, j, i] = x[b, i, j]. NHWC → NCHW is the transposition
// of (pixels, channels), NCHW → NHWC the inverse.
type Transpose[T Float] struct {
	batch, rows, cols int
	tiles             split // tiles of input rows, of all matrices
	perMatrix         int
	loop              phase
	y, x              []T
}

// transposeTile is the edge of a square block whose reading and writing side both fit the first-level cache, with few
// cache lines a set even where rows lie a power of two apart.
const transposeTile = 32

// newTranspose prepares batch transpositions of rows×cols matrices; every number is at least 1.
func newTranspose[T Float](p *pool.Pool, batch, rows, cols int) *Transpose[T] {
	t := &Transpose[T]{batch: batch, rows: rows, cols: cols, perMatrix: (rows + transposeTile - 1) / transposeTile}
	t.tiles = splitBy(batch*t.perMatrix, min(rows, transposeTile)*cols)
	t.loop = newPhase(p, t.tiles.parts, t.part)
	return t
}

// Run computes y from x, which must not overlap.
func (t *Transpose[T]) Run(y, x []T) {
	n := t.batch * t.rows * t.cols
	t.y, t.x = y[:n], x[:n]
	t.loop.run()
}

func (t *Transpose[T]) part(_, part int) {
	lo, hi := t.tiles.bounds(part)
	for tile := lo; tile < hi; tile++ {
		base := tile / t.perMatrix * t.rows * t.cols
		i0 := tile % t.perMatrix * transposeTile
		i1 := min(i0+transposeTile, t.rows)
		for j0 := 0; j0 < t.cols; j0 += transposeTile {
			ops[T]().Transpose(t.y[base+j0*t.rows+i0:], t.rows, t.x[base+i0*t.cols+j0:], t.cols, i1-i0, min(transposeTile, t.cols-j0))
		}
	}
}

// Permute is a transposition of any number of axes, [op.Permute]: axis i of the result is axis axes[i] of x.
//
// Where the last axis of x stays last, runs of it are copied. Elsewhere it takes turns: the axes behind some axis, the
// long one, are contiguous whatever their number. On the side of x that holds for the last axis of the result, on the
// side of the result for the last axis of x. So blocks of the long axis and the flat ones behind it are transposed,
// between one array, where they are a matrix, and rows in a buffer, which is where the order of the flat axes changes.
type Permute[T Float] struct {
	fast *Transpose[T] // when the permutation swaps two groups of neighbouring axes behind a common front

	run        int      // the last axis of both, 0 if it does not stay
	long       permuted // the longer one of the two axes that may be
	intoResult bool     // the flat axes are contiguous in the result, not in x
	lead, flat permutation
	block      [2]int // elements of a block along the long and the flat axes
	tiles      [2]int // blocks along them
	buf        []T    // a block for each worker

	work split
	loop phase
	y, x []T
}

// permuted is an axis of a permutation: its size and its steps in x and in the result.
type permuted struct{ n, from, to int }

// permutation is a number of axes, slowest first.
type permutation []permuted

func (p permutation) count() int {
	n := 1
	for _, a := range p {
		n *= a.n
	}
	return n
}

// at returns where position r of the axes begins in x and in the result.
func (p permutation) at(r int) (from, to int) {
	for i := len(p) - 1; i >= 0; i-- {
		a := &p[i]
		q := r / a.n
		from += (r - q*a.n) * a.from
		to += (r - q*a.n) * a.to
		r = q
	}
	return from, to
}

// NewPermute prepares the permutation of an array of the given dimensions.
func NewPermute[T Float](p *pool.Pool, dims, axes []int) (*Permute[T], error) {
	if len(axes) != len(dims) {
		return nil, fmt.Errorf("kernel: Permute of %d axes by %v; name each axis once", len(dims), axes)
	}
	seen := make([]bool, len(dims))
	for _, a := range axes {
		if a < 0 || a >= len(dims) || seen[a] {
			return nil, fmt.Errorf("kernel: Permute of %d axes by %v; name each axis once", len(dims), axes)
		}
		seen[a] = true
	}
	for _, d := range dims {
		if d < 1 {
			return nil, fmt.Errorf("kernel: Permute of shape %v; every axis must have at least 1 element", dims)
		}
	}
	dims, axes = joinAxes(dims, axes)
	k := &Permute[T]{}
	switch {
	case len(axes) == 2 && axes[0] == 1:
		k.fast = newTranspose[T](p, 1, dims[0], dims[1])
		return k, nil
	case len(axes) == 3 && axes[0] == 0 && axes[1] == 2:
		k.fast = newTranspose[T](p, dims[0], dims[1], dims[2])
		return k, nil
	}
	k.prepare(p, dims, axes)
	return k, nil
}

// A block of the long axis, which may be pages away from its neighbours on the flat side, is long enough to be worth a
// page's translation, and a block of the flat axes has a cache line at least; both together fit the first-level cache.
const (
	permuteLong  = 2048 // bytes
	permuteBlock = 32 << 10
)

func (k *Permute[T]) prepare(p *pool.Pool, dims, axes []int) {
	inX, inY := make(permutation, len(dims)), make(permutation, len(dims)) // the axes in the order of each
	for i, at := len(dims)-1, 1; i >= 0; i-- {
		inX[i].n, inX[i].from = dims[i], at
		at *= dims[i]
	}
	for i, at := len(dims)-1, 1; i >= 0; i-- {
		inX[axes[i]].to = at
		inY[i] = inX[axes[i]]
		at *= inY[i].n
	}
	last := len(dims) - 1
	if axes[last] == last {
		k.run, k.lead = dims[last], inY[:last]
		k.work = splitBy(k.lead.count(), k.run)
		k.loop = newPhase(p, k.work.parts, k.copyPart)
		return
	}
	order, at := inX, axes[last]
	if inX[last].n > inY[last].n {
		k.intoResult = true
		order, at = inY, slices.Index(axes, last)
	}
	k.lead, k.long, k.flat = order[:at], order[at], order[at+1:]
	size := int(unsafe.Sizeof(*new(T)))
	k.block[0] = min(k.long.n, permuteLong/size)
	k.block[1] = min(k.flat.count(), permuteBlock/size/k.block[0])
	k.tiles = [2]int{ceilDiv(k.long.n, k.block[0]), ceilDiv(k.flat.count(), k.block[1])}
	k.buf = make([]T, p.Threads()*k.block[0]*k.block[1])
	k.work = splitBy(k.lead.count()*k.tiles[0]*k.tiles[1], k.block[0]*k.block[1])
	k.loop = newPhase(p, k.work.parts, k.transposePart)
}

// joinAxes drops axes of one element and joins axes that stay neighbours, so that few and long ones remain; at least
// one axis does.
func joinAxes(dims, axes []int) ([]int, []int) {
	var order []int // axes of x in the order of the result, without those of one element
	for _, a := range axes {
		if dims[a] > 1 {
			order = append(order, a)
		}
	}
	kept := make([]int, 0, len(order)) // axes of more than one element in the order of x
	for a := range dims {
		if dims[a] > 1 {
			kept = append(kept, a)
		}
	}
	rank := make(map[int]int, len(kept))
	for i, a := range kept {
		rank[a] = i
	}
	// heads[i] says whether kept axis i starts a group
	heads := make([]bool, len(kept))
	for i, a := range order {
		heads[rank[a]] = i == 0 || rank[order[i-1]] != rank[a]-1
	}
	group := make([]int, len(kept))
	var joined []int
	for i, a := range kept {
		if heads[i] {
			joined = append(joined, 1)
		}
		group[i] = len(joined) - 1
		joined[group[i]] *= dims[a]
	}
	var to []int
	for _, a := range order {
		if heads[rank[a]] {
			to = append(to, group[rank[a]])
		}
	}
	if len(joined) == 0 {
		return []int{1}, []int{0}
	}
	return joined, to
}

// Run computes y from x, which must not overlap.
func (k *Permute[T]) Run(y, x []T) {
	if k.fast != nil {
		k.fast.Run(y, x)
		return
	}
	n := k.lead.count() * k.run
	if k.run == 0 {
		n = k.lead.count() * k.long.n * k.flat.count()
	}
	k.y, k.x = y[:n], x[:n]
	k.loop.run()
}

func (k *Permute[T]) copyPart(_, part int) {
	lo, hi := k.work.bounds(part)
	for r := lo; r < hi; r++ {
		from, _ := k.lead.at(r)
		copy(k.y[r*k.run:(r+1)*k.run], k.x[from:])
	}
}

func (k *Permute[T]) transposePart(worker, part int) {
	lo, hi := k.work.bounds(part)
	count, loops, width := k.flat.count(), ops[T](), k.block[0]
	buf := k.buf[worker*width*k.block[1]:][:width*k.block[1]]
	for r := lo; r < hi; r++ {
		from, to := k.lead.at(r / (k.tiles[0] * k.tiles[1]))
		i, f := r/k.tiles[1]%k.tiles[0]*width, r%k.tiles[1]*k.block[1]
		n, m := min(width, k.long.n-i), min(k.block[1], count-f)
		from, to = from+i*k.long.from, to+i*k.long.to
		if !k.intoResult {
			loops.Transpose(buf, width, k.x[from+f:], k.long.from, n, m)
		}
		for row := range m {
			line := buf[row*width:][:n]
			rowFrom, rowTo := k.flat.at(f + row)
			if k.intoResult {
				copy(line, k.x[from+rowFrom:])
			} else {
				copy(k.y[to+rowTo:], line)
			}
		}
		if k.intoResult {
			loops.Transpose(k.y[to+f:], k.long.to, buf, width, m, n)
		}
	}
}
