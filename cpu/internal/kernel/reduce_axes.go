package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Reduce is [ir.Reduce]: sums, means or maxima over any set of axes.
//
// Neighbouring axes that are all reduced, or all kept, are one. What is left is one sweep for each group of reduced
// axes, the last one first: it reads neighbours and leaves the least to the next. Between sweeps there are float64s.
type Reduce[T Float] struct {
	only   *sweep[T, T] // where one sweep does it
	first  *sweep[T, float64]
	middle []*sweep[float64, float64]
	last   *sweep[float64, T]
	mem    [][]float64 // what first and each of middle leave
}

// NewReduce prepares the reduction of an array over the axes that reduced says. max is for maxima, else sums; mean
// divides them by their number of terms.
func NewReduce[T Float](p *pool.Pool, dims []int, reduced []bool, max, mean bool) (*Reduce[T], error) {
	if len(reduced) != len(dims) {
		return nil, fmt.Errorf("kernel: Reduce of %d axes, given %d", len(dims), len(reduced))
	}
	for _, d := range dims {
		if d < 1 {
			return nil, fmt.Errorf("kernel: Reduce of shape %v; every axis must have at least 1 element", dims)
		}
	}
	sweeps, terms := sweepsOf(dims, reduced)
	divisor := 1.0
	if mean {
		divisor = float64(terms)
	}
	k := &Reduce[T]{}
	n := len(sweeps) - 1
	if n == 0 {
		s := sweeps[0]
		k.only = newSweep[T, T](p, s[0], s[1], s[2], max, divisor)
		return k, nil
	}
	for i, s := range sweeps {
		switch i {
		case 0:
			k.first = newSweep[T, float64](p, s[0], s[1], s[2], max, 1)
		case n:
			k.last = newSweep[float64, T](p, s[0], s[1], s[2], max, divisor)
			continue
		default:
			k.middle = append(k.middle, newSweep[float64, float64](p, s[0], s[1], s[2], max, 1))
		}
		k.mem = append(k.mem, make([]float64, s[0]*s[2]))
	}
	return k, nil
}

// sweepsOf returns outer, n and inner of the sweeps that reduce an array, at least one, and the number of terms of a sum.
func sweepsOf(dims []int, reduced []bool) (sweeps [][3]int, terms int) {
	inner, terms := 1, 1
	left := count(dims...) // elements up to the axis
	for i := len(dims) - 1; i >= 0; {
		n, gone := 1, reduced[i]
		for ; i >= 0 && (reduced[i] == gone || dims[i] == 1); i-- {
			n *= dims[i]
		}
		left /= n
		if !gone {
			inner *= n
			continue
		}
		if n > 1 {
			sweeps = append(sweeps, [3]int{left, n, inner})
			terms *= n
		}
	}
	if len(sweeps) == 0 { // a copy
		return [][3]int{{inner, 1, 1}}, 1
	}
	return sweeps, terms
}

// Run computes y from x, which must not overlap.
func (k *Reduce[T]) Run(y, x []T) {
	if k.only != nil {
		k.only.run(y, x)
		return
	}
	k.first.run(k.mem[0], x)
	for i, s := range k.middle {
		s.run(k.mem[i+1], k.mem[i])
	}
	k.last.run(y, k.mem[len(k.mem)-1])
}
