package kernel

import (
	"fmt"

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
type Permute[T Float] struct {
	fast         *Transpose[T] // when the permutation swaps two groups of neighbouring axes behind a common front
	dims         []int         // of the result; the last one is the run
	steps        []int         // in x, for each axis of the result
	run, runStep int
	work         split
	loop         phase
	y, x         []T
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
	strides := make([]int, len(dims))
	s := 1
	for i := len(dims) - 1; i >= 0; i-- {
		strides[i] = s
		s *= dims[i]
	}
	last := len(axes) - 1
	for _, a := range axes[:last] {
		k.dims, k.steps = append(k.dims, dims[a]), append(k.steps, strides[a])
	}
	k.run, k.runStep = dims[axes[last]], strides[axes[last]]
	k.work = splitBy(count(k.dims...), k.run)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
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
	n := k.work.n * k.run
	k.y, k.x = y[:n], x[:n]
	k.loop.run()
}

func (k *Permute[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for r := lo; r < hi; r++ {
		from, rest := 0, r
		for i := len(k.dims) - 1; i >= 0; i-- {
			from += rest % k.dims[i] * k.steps[i]
			rest /= k.dims[i]
		}
		y := k.y[r*k.run : (r+1)*k.run]
		if k.runStep == 1 {
			copy(y, k.x[from:from+k.run])
			continue
		}
		for i := range y {
			y[i] = k.x[from]
			from += k.runStep
		}
	}
}
