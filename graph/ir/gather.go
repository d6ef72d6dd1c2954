package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// At is the element at Coordinates, a scalar. In: x; out: y. Stock Gorgonia: atOp.
type At struct{ Coordinates []int }

// Kind is "At".
func (o *At) Kind() string   { return "At" }
func (o *At) String() string { return fmt.Sprintf("At(%v)", o.Coordinates) }

// Infer returns the scalar shape.
func (o *At) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := wantDims(o.Kind(), in, in[0], len(o.Coordinates), "an input"); err != nil {
		return nil, err
	}
	for axis, c := range o.Coordinates {
		if c < 0 || c >= in[0][axis] {
			return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("a coordinate from 0 to %d", in[0][axis]-1),
				Got: fmt.Sprint(c), Shapes: in}
		}
	}
	return tensor.ScalarShape(), nil
}

// Index is the number of the element in a tensor of shape x.
func (o *At) Index(x tensor.Shape) int {
	at := 0
	for axis, c := range o.Coordinates {
		at = at*x[axis] + c
	}
	return at
}

// Compute copies the element.
func (o *At) Compute(out, in []op.Array) error {
	return take(out[0], in[0], func(int) int { return o.Index(in[0].Shape) })
}

// Gather takes slices of x along Axis in the order of indices. In: x, indices (int, a vector or a tensor that is one up
// to axes of 1; each within the axis, else Compute returns an error that names it); out: y. Stock Gorgonia:
// byIndicesOp.
type Gather struct{ Axis int }

// Kind is "Gather".
func (o *Gather) Kind() string   { return "Gather" }
func (o *Gather) String() string { return fmt.Sprintf("Gather(axis %d)", o.Axis) }

// Infer returns the shape of x with the number of indices on Axis.
func (o *Gather) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 2); err != nil {
		return nil, err
	}
	if err := firstOf(wantAxis(o.Kind(), in, in[0], o.Axis), wantVector(o.Kind(), in, in[1])); err != nil {
		return nil, err
	}
	y := in[0].Clone()
	y[o.Axis] = op.Len(in[1])
	return y, nil
}

// wantVector checks that indices are a vector, up to axes of 1.
func wantVector(kind string, in []tensor.Shape, indices tensor.Shape) error {
	return wantAttribute(kind, in, len(shape.WithoutOnes(indices)) <= 1, "a vector of indices", shape.Format(indices))
}

// CheckIndices returns an error that names the first index outside 0…n−1. kind is the operation's name. Engines call it
// before their kernels, which cannot fail.
func CheckIndices(kind string, indices []int, n int) error {
	for i, at := range indices {
		if at < 0 || at >= n {
			return fmt.Errorf("ir: %s: index %d is %d, want 0 to %d", kind, i, at, n-1)
		}
	}
	return nil
}

// Compute computes y with plain loops.
func (o *Gather) Compute(out, in []op.Array) error {
	from, err := locateIndices(o.Kind(), in[0].Shape, o.Axis, in[1])
	if err != nil {
		return err
	}
	return take(out[0], in[0], from)
}

// locateIndices returns the map from the elements of slices by indices to those of x.
func locateIndices(kind string, x tensor.Shape, axis int, indices op.Array) (func(int) int, error) {
	list, ok := indices.Data.([]int)
	if !ok {
		return nil, fmt.Errorf("ir: %s: indices are %T, want []int", kind, indices.Data)
	}
	_, n, inner := around(x, axis)
	return func(i int) int {
		row, rest := i/inner, i%inner
		return (row/len(list)*n+list[row%len(list)])*inner + rest
	}, CheckIndices(kind, list, n)
}

// GatherGrad adds the slices of dy to zeros of shape InputShape in the places that indices name; an index that comes
// twice adds twice. In: dy, indices; out: dx. Stock Gorgonia: byIndicesOpDiffOp.
type GatherGrad struct {
	Axis       int
	InputShape tensor.Shape
}

// Kind is "GatherGrad".
func (o *GatherGrad) Kind() string { return "GatherGrad" }
func (o *GatherGrad) String() string {
	return fmt.Sprintf("GatherGrad(axis %d, input %s)", o.Axis, shape.Format(o.InputShape))
}

// Infer returns InputShape.
func (o *GatherGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 2); err != nil {
		return nil, err
	}
	if err := firstOf(wantFull(o.Kind(), in, o.InputShape),
		wantAxis(o.Kind(), in, o.InputShape, o.Axis), wantVector(o.Kind(), in, in[1])); err != nil {
		return nil, err
	}
	dy := o.InputShape.Clone()
	dy[o.Axis] = op.Len(in[1])
	return o.InputShape.Clone(), wantShape(o.Kind(), in, in[0], dy, "a gradient")
}

// Compute computes dx with plain loops.
func (o *GatherGrad) Compute(out, in []op.Array) error {
	to, err := locateIndices(o.Kind(), o.InputShape, o.Axis, in[1])
	if err != nil {
		return err
	}
	return put(out[0], in[0], to)
}
