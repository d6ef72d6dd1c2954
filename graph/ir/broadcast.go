package ir

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Broadcast returns the shape that all of the given ones are stretched to: they are equal, or have one element, or have as
// many axes and sizes of 1 where they differ. kind is named in the error.
func Broadcast(kind string, in ...tensor.Shape) (tensor.Shape, error) {
	var out tensor.Shape
	for i, s := range in {
		if n := op.Len(s); i == 0 || n != 1 && op.Len(out) == 1 || n == op.Len(out) && len(s) > len(out) {
			out = s
		}
	}
	out = out.Clone()
	for _, s := range in {
		if op.Len(s) == 1 {
			continue
		}
		if len(s) != len(out) {
			return nil, &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: "inputs with as many axes as each other, or one element",
				Got: shape.Format(s), Shapes: in, Remedy: "reshape one of them with axes of size 1"}
		}
		for i, d := range s {
			switch {
			case out[i] == 1:
				out[i] = d
			case d != 1 && d != out[i]:
				return nil, &shape.Error{Op: kind, Axis: i, Wanted: "equal sizes, or a size of 1", Got: shape.Format(s), Shapes: in,
					Remedy: "only axes of size 1 are stretched"}
			}
		}
	}
	return out, nil
}

// Strides returns how far apart, in elements, the neighbours along each axis of s lie in the memory of a tensor of shape in
// that is stretched to s: 0 along stretched axes. ok is false where it cannot be stretched to s.
func Strides(in, s tensor.Shape) (strides []int, ok bool) {
	strides = make([]int, len(s))
	if op.Len(in) == 1 {
		return strides, true
	}
	if len(in) != len(s) {
		return nil, false
	}
	step := 1
	for i, d := range slices.Backward(in) {
		switch {
		case d == s[i]:
			strides[i] = step
		case d != 1:
			return nil, false
		}
		step *= d
	}
	return strides, true
}

// stretch returns the elements of a, stretched to s.
func stretch[T any](a op.Array, s tensor.Shape) []T {
	x := a.Data.([]T)
	if len(x) == op.Len(s) {
		return x
	}
	strides, _ := Strides(a.Shape, s) // Infer has seen the shapes
	y := make([]T, op.Len(s))
	at := make([]int, len(s))
	from := 0
	for i := range y {
		y[i] = x[from]
		for axis := len(s) - 1; axis >= 0; axis-- {
			at[axis]++
			from += strides[axis]
			if at[axis] < s[axis] {
				break
			}
			from -= strides[axis] * s[axis]
			at[axis] = 0
		}
	}
	return y
}
