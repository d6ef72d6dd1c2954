package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// The operations that only move elements are each a map from the elements of the result to those of the input. The
// gradient of such an operation adds along the same map, the other way round.

// take sets dst[i] = src[from(i)], or 0 where from is negative. Both have one element type.
func take(dst, src op.Array, from func(i int) int) error {
	switch d := dst.Data.(type) {
	case []float32:
		return takeOf(d, src, from)
	case []float64:
		return takeOf(d, src, from)
	case []int:
		return takeOf(d, src, from)
	case []bool:
		return takeOf(d, src, from)
	}
	return noType(dst.Data)
}

func takeOf[T float32 | float64 | int | bool](dst []T, src op.Array, from func(i int) int) error {
	s, ok := src.Data.([]T)
	if !ok {
		return fmt.Errorf("ir: a result of %T from an operand of %T; both must have one element type", dst, src.Data)
	}
	for i := range dst {
		var v T
		if j := from(i); j >= 0 {
			v = s[j]
		}
		dst[i] = v
	}
	return nil
}

// put is the transposition of take: dst is the sum of src[i] at to(i), in float64, and 0 elsewhere.
func put(dst, src op.Array, to func(i int) int) error {
	switch d := dst.Data.(type) {
	case []float32:
		return putOf(d, src, to)
	case []float64:
		return putOf(d, src, to)
	}
	return noType(dst.Data)
}

func putOf[T op.Float](dst []T, src op.Array, to func(i int) int) error {
	s, ok := src.Data.([]T)
	if !ok {
		return fmt.Errorf("ir: a gradient of %T from one of %T; both must have one element type", dst, src.Data)
	}
	sums := make([]float64, len(dst))
	for i, v := range s {
		if j := to(i); j >= 0 {
			sums[j] += float64(v)
		}
	}
	for i, v := range sums {
		dst[i] = T(v)
	}
	return nil
}

func noType(data any) error {
	return fmt.Errorf("ir: elements of type %T are not supported here", data)
}

// around splits a shape at an axis: elements are numbered outer·n·inner + i·inner + rest, where i runs along the axis.
func around(s tensor.Shape, axis int) (outer, n, inner int) {
	return op.Len(s[:axis]), s[axis], op.Len(s[axis+1:])
}
