package vec

import (
	"math"
	"unsafe"
)

// Minus computes dst = x − a.
func (o *Ops[T]) Minus(dst, x []T, a T) {
	same("Minus", len(dst), len(x))
	if len(dst) > 0 {
		o.minus(&dst[0], &x[0], uintptr(len(dst)), a)
	}
}

// Sum returns Σ x: blocks in vectors of T, the blocks in float64.
func (o *Ops[T]) Sum(x []T) float64 {
	var sum float64
	if len(x) <= few {
		for _, v := range x {
			sum += float64(v)
		}
		return sum
	}
	for i := 0; i < len(x); i += sumBlock {
		sum += float64(o.sum(&x[i], uintptr(min(sumBlock, len(x)-i))))
	}
	return sum
}

// sumBlock is how many elements are added in T before float64 takes over: with AVX-512, 16 to each of the sums under way.
const sumBlock = 1024

// Top returns the largest element; NaN elements are passed over, and of none there are it is −Inf.
func (o *Ops[T]) Top(x []T) T {
	if len(x) <= few {
		return topGo(unsafe.SliceData(x), uintptr(len(x)))
	}
	return o.top(&x[0], uintptr(len(x)))
}

// few elements are reduced before the assembly has begun.
const few = 16

func minusGo[T Float](dst, x *T, n uintptr, a T) {
	d := in(dst, n)
	for i, v := range in(x, n) {
		d[i] = v - a
	}
}

func sumGo[T Float](x *T, n uintptr) T {
	var s [4]T
	for i, v := range in(x, n) {
		s[i&3] += v
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

func topGo[T Float](x *T, n uintptr) T {
	top := T(math.Inf(-1))
	for _, v := range in(x, n) {
		if v > top {
			top = v
		}
	}
	return top
}
