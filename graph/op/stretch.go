package op

import (
	"fmt"
	"iter"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// stretched returns the shape that two inputs are stretched to, as NumPy does: missing leading axes count as axes of size
// 1, and axes of size 1 take the other's size.
func stretched(o Op, in []tensor.Shape, a, b tensor.Shape) (tensor.Shape, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out, missing := a.Clone(), len(a)-len(b)
	for i, d := range b {
		switch at := missing + i; {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil, &shape.Error{Op: o.Kind(), Axis: at, Wanted: "equal sizes, or a size of 1", Got: fmt.Sprintf("%d and %d", out[at], d), Shapes: in,
				Remedy: "axes are matched from the last one; only axes of size 1 are stretched"}
		}
	}
	return out, nil
}

// strides returns how far apart, in elements, the neighbours along each axis of s lie in the memory of a tensor of shape
// in that is stretched to s: 0 along stretched axes.
func strides(in, s tensor.Shape) []int {
	steps, step := make([]int, len(s)), 1
	for i := len(in) - 1; i >= 0; i-- {
		if d := in[i]; d != 1 {
			steps[len(s)-len(in)+i] = step
			step *= d
		}
	}
	return steps
}

// positions yields the numbers of the elements of a tensor of shape s in their order, each with the place that is reached
// from start by as many steps along each axis.
func positions(s tensor.Shape, start int, steps []int) iter.Seq2[int, int] {
	return func(yield func(i, place int) bool) {
		at, place := make([]int, len(s)), start
		for i := range Len(s) {
			if !yield(i, place) {
				return
			}
			for axis := len(s) - 1; axis >= 0; axis-- {
				at[axis]++
				place += steps[axis]
				if at[axis] < s[axis] {
					break
				}
				place -= steps[axis] * s[axis]
				at[axis] = 0
			}
		}
	}
}

// axisOf resolves an axis that may count from the end, as −1 for the last one.
func axisOf(axis, dims int) (int, bool) {
	if axis < 0 {
		axis += dims
	}
	return axis, 0 <= axis && axis < dims
}

// wantAxis checks that axis, which may count from the end, is one of s.
func wantAxis(o Op, in []tensor.Shape, s tensor.Shape, axis int) error {
	_, ok := axisOf(axis, len(s))
	return wantAttribute(o, in, ok, fmt.Sprintf("an axis of a tensor of %d axes", len(s)), axis, "axes count from 0, or from −1 for the last one backwards")
}

// sumTo returns the gradient of a tensor of shape s from that of what it was stretched to: the sums along the stretched
// axes.
func sumTo(d Expr, s tensor.Shape) Expr {
	from := d.Shape()
	if d.err != nil || shape.Equal(from, s) {
		return d
	}
	var axes []int
	missing := len(from) - len(s)
	for axis, n := range from {
		if axis < missing || s[axis-missing] != n {
			axes = append(axes, axis)
		}
	}
	if len(axes) > 0 {
		d = d.Sum(axes...)
	}
	return d.Reshape(s...)
}
