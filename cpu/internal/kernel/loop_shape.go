package kernel

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/vmath"
	"github.com/stheno-ml/stheno/graph/ir"
)

// blocks cuts the elements of a loop. Where inputs are stretched, a block is a number of whole rows, or lies within one;
// a row is what the last axis runs over after axes that all inputs can do without were joined.
type blocks struct {
	n, size, count int
	row, perRow    int
	within         bool
}

func newBlocks(n, row, most int) blocks {
	b := blocks{n: n, row: row, size: min(n, most)}
	switch {
	case row == n:
	case row >= most:
		b.within = true
		b.perRow = (row + most - 1) / most
		b.size = ((row+b.perRow-1)/b.perRow + 15) &^ 15
		b.perRow = (row + b.size - 1) / b.size
		b.count = n / row * b.perRow
		return b
	default:
		b.size = min(n, most/row*row)
	}
	b.count = (n + b.size - 1) / b.size
	return b
}

// bounds returns the first element of a block and their number.
func (b *blocks) bounds(block int) (lo, n int) {
	if b.within {
		first := block / b.perRow * b.row
		lo = first + block%b.perRow*b.size
		return lo, min(b.size, first+b.row-lo)
	}
	lo = block * b.size
	return lo, min(b.size, b.n-lo)
}

// stretched is an input that is read with strides.
type stretched struct {
	input, slot int
	sizes       []int // of the joined axes
	strides     []int // of the input along them
	repeats     int   // rows of the loop, one after the other, for which the input has the same row; 1 where that is one number
}

func (s *stretched) inner() int { return s.strides[len(s.strides)-1] }

// offset is where the input stands for an element of the loop.
func (s *stretched) offset(element int) int {
	from := 0
	for axis, d := range slices.Backward(s.sizes) {
		from += element % d * s.strides[axis]
		element /= d
	}
	return from
}

// repeated is how many neighbouring rows find the same row of the input.
func (s *stretched) repeated() int {
	rows := 1
	for axis := len(s.sizes) - 2; axis >= 0 && s.strides[axis] == 0 && s.inner() == 1; axis-- {
		rows *= s.sizes[axis]
	}
	return rows
}

// sameRow says whether the input has one row for all n elements from lo, the first of a row.
func (s *stretched) sameRow(lo, n int) bool {
	row := s.sizes[len(s.sizes)-1]
	return s.repeats > 1 && lo/row/s.repeats == (lo+n-1)/row/s.repeats
}

// stretchTo writes what the input is for the elements from lo, the first of a row.
func stretchTo[T Float](y, x []T, s *stretched, lo int, fill vmath.F1[T]) {
	row := s.sizes[len(s.sizes)-1]
	at, from := make([]int, 0, 8), s.offset(lo)
	for axis := len(s.sizes) - 2; axis >= 0; axis-- { // of the outer axes, innermost first
		lo /= s.sizes[axis+1]
		at = append(at, lo%s.sizes[axis])
	}
	for len(y) > 0 {
		n := min(row, len(y))
		if s.inner() == 1 {
			copy(y[:n], x[from:])
		} else {
			fill(&y[0], &x[from], uintptr(n))
		}
		y = y[n:]
		for i := range at {
			axis := len(s.sizes) - 2 - i
			at[i]++
			from += s.strides[axis]
			if at[i] < s.sizes[axis] {
				break
			}
			from -= s.strides[axis] * s.sizes[axis]
			at[i] = 0
		}
	}
}

// joined drops axes of size 1 and joins neighbours that all inputs run through as through one. It returns the sizes and,
// for each input, its strides along them.
func joined(s tensor.Shape, in []tensor.Shape) (sizes []int, strides [][]int, bad int) {
	all := make([][]int, len(in))
	for i, x := range in {
		st, ok := ir.Strides(x, s)
		if !ok {
			return nil, nil, i
		}
		all[i] = st
	}
	strides = make([][]int, len(in))
	for axis, d := range s {
		if d == 1 {
			continue
		}
		last := len(sizes) - 1
		joins := last >= 0
		for i := range all {
			joins = joins && strides[i][last] == all[i][axis]*d
		}
		if joins {
			sizes[last] *= d
			for i := range all {
				strides[i][last] = all[i][axis]
			}
			continue
		}
		sizes = append(sizes, d)
		for i := range all {
			strides[i] = append(strides[i], all[i][axis])
		}
	}
	return sizes, strides, -1
}
