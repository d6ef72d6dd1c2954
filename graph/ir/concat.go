package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Concat joins its inputs along Axis. In: any number of tensors, at least one; out: y. Stock Gorgonia: concatOp.
type Concat struct{ Axis int }

// Kind is "Concat".
func (o *Concat) Kind() string   { return "Concat" }
func (o *Concat) String() string { return fmt.Sprintf("Concat(axis %d)", o.Axis) }

// Infer returns the shape of the inputs with the sum of their sizes on Axis.
func (o *Concat) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if len(in) == 0 {
		return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "at least 1 input", Got: "none"}
	}
	if err := wantInputs(o.Kind(), in, len(in)); err != nil {
		return nil, err
	}
	if err := wantAxis(o.Kind(), in, in[0], o.Axis); err != nil {
		return nil, err
	}
	y := in[0].Clone()
	for i, s := range in[1:] {
		if err := wantDims(o.Kind(), in, s, len(y), fmt.Sprintf("input %d", i+1)); err != nil {
			return nil, err
		}
		for axis, d := range s {
			if axis == o.Axis {
				y[axis] += d
			} else if d != y[axis] {
				return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("input %d with %d as in input 0", i+1, y[axis]),
					Got: fmt.Sprint(d), Shapes: in, Remedy: fmt.Sprintf("inputs may differ on axis %d only", o.Axis)}
			}
		}
	}
	return y, nil
}

// Compute computes y with plain loops.
func (o *Concat) Compute(out, in []op.Array) error {
	switch y := out[0].Data.(type) {
	case []float32:
		return concat(o, y, out[0].Shape, in)
	case []float64:
		return concat(o, y, out[0].Shape, in)
	case []int:
		return concat(o, y, out[0].Shape, in)
	case []bool:
		return concat(o, y, out[0].Shape, in)
	}
	return noType(out[0].Data)
}

func concat[T any](o *Concat, y []T, s tensor.Shape, in []op.Array) error {
	outer, n, inner := around(s, o.Axis)
	first := 0
	for _, a := range in {
		x, ok := a.Data.([]T)
		if !ok {
			return fmt.Errorf("ir: Concat to %T of an input of %T; all must have one element type", y, a.Data)
		}
		run := a.Shape[o.Axis] * inner
		for i := range outer {
			copy(y[i*n*inner+first:], x[i*run:(i+1)*run])
		}
		first += run
	}
	return nil
}
