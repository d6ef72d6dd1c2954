package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Repeat repeats every slice along Axis Times times, each copy next to its original, as numpy.repeat does. A scalar,
// and a vector whose shape has no such axis (of one axis, or of two with one of size 1), first get axes of size 1. In:
// x; out: y. Stock Gorgonia: repeatOp.
type Repeat struct{ Axis, Times int }

// Kind is "Repeat".
func (o *Repeat) Kind() string   { return "Repeat" }
func (o *Repeat) String() string { return fmt.Sprintf("Repeat(axis %d, %d times)", o.Axis, o.Times) }

// Infer returns the shape of x with Axis Times times as long.
func (o *Repeat) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(wantAttribute(o.Kind(), in, o.Times >= 1, "Times of at least 1", o.Times),
		wantAttribute(o.Kind(), in, o.Axis >= 0, "Axis of at least 0", o.Axis)); err != nil {
		return nil, err
	}
	y := o.extended(in[0])
	if err := wantAxis(o.Kind(), in, y, o.Axis); err != nil {
		return nil, err
	}
	y[o.Axis] *= o.Times
	return y, nil
}

// extended is the shape of x with the axes that it gets.
func (o *Repeat) extended(x tensor.Shape) tensor.Shape {
	y := x.Clone()
	if len(x) > 2 || len(x) == 2 && !x.IsColVec() && !x.IsRowVec() {
		return y
	}
	for len(y) <= o.Axis {
		y = append(y, 1)
	}
	return y
}

// Rows returns Repeat's geometry: x is rows of inner elements, each of which the result has Times times.
func (o *Repeat) Rows(x tensor.Shape) (rows, inner int) {
	outer, n, inner := around(o.extended(x), o.Axis)
	return outer * n, inner
}

// Compute computes y with plain loops.
func (o *Repeat) Compute(out, in []op.Array) error {
	_, inner := o.Rows(in[0].Shape)
	return take(out[0], in[0], func(i int) int { return i/inner/o.Times*inner + i%inner })
}
