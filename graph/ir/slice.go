package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Slice is x[…, Start:End:Step, …] along Axis; a single slice drops the axis, as in Gorgonia. In: x; out: y. Step is at
// least 1. An End behind the axis's is the axis's. Stock Gorgonia: sliceOp.
//
// There are (End−Start)/Step slices, rounded down but at least 1: what Gorgonia's shape inference says. NumPy, Gorgonia's
// machines on axes other than the first, where the value does not have its node's shape, and a Slice with RoundUp round up.
//
// Start and End may be moved between runs by the machine that owns the plan (gorgonia.UnsafeLet of a slice), so kernels
// read them when they run; End−Start never changes.
type Slice struct {
	Axis, Start, End, Step int
	RoundUp                bool
}

// Kind is "Slice".
func (o *Slice) Kind() string { return "Slice" }
func (o *Slice) String() string {
	if o.RoundUp {
		return fmt.Sprintf("Slice(axis %d, %d:%d:%d, rounded up)", o.Axis, o.Start, o.End, o.Step)
	}
	return fmt.Sprintf("Slice(axis %d, %d:%d:%d)", o.Axis, o.Start, o.End, o.Step)
}

// Infer returns the shape of x with the number of slices on Axis, or without it where that is 1.
func (o *Slice) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(o.check(in, in[0])); err != nil {
		return nil, err
	}
	return o.of(in[0]), nil
}

// check checks the attributes against the shape that is sliced.
func (o *Slice) check(in []tensor.Shape, x tensor.Shape) error {
	if err := firstOf(wantAxis(o.Kind(), in, x, o.Axis),
		wantAttribute(o.Kind(), in, o.Step >= 1, "Step of at least 1", o.Step)); err != nil {
		return err
	}
	if o.Start < 0 || o.Start >= x[o.Axis] || o.End <= o.Start {
		return &shape.Error{Op: o.Kind(), Axis: o.Axis, Wanted: fmt.Sprintf("a range within 0:%d that is not empty", x[o.Axis]),
			Got: fmt.Sprintf("%d:%d", o.Start, o.End), Shapes: in, Remedy: "positions count from 0 and not from the end"}
	}
	return nil
}

// Count is the number of slices of a tensor of shape x.
func (o *Slice) Count(x tensor.Shape) int {
	n := min(o.End, x[o.Axis]) - o.Start
	if o.RoundUp {
		n += o.Step - 1
	}
	return max(n/o.Step, 1)
}

func (o *Slice) of(x tensor.Shape) tensor.Shape {
	y := tensor.ScalarShape()
	for axis, d := range x {
		if axis != o.Axis {
			y = append(y, d)
		} else if n := o.Count(x); n != 1 {
			y = append(y, n)
		}
	}
	return y
}

// CheckMoved checks that count slices from where Start is now lie within an axis of n. Engines call it before their
// kernels, which cannot fail.
func (o *Slice) CheckMoved(n, count int) error {
	if o.Start < 0 || o.Start+(count-1)*o.Step >= n {
		return fmt.Errorf("ir: %v was moved out of its axis of %d elements; want %d slices within it", o, n, count)
	}
	return nil
}

// Compute computes y with plain loops.
func (o *Slice) Compute(out, in []op.Array) error {
	from, err := o.locate(in[0].Shape, op.Len(out[0].Shape))
	if err != nil {
		return err
	}
	return take(out[0], in[0], from)
}

// locate returns the map from the elements of a slice, of which there are size, to those of x. The number of slices
// follows from size and not from End, for the range may have moved to where the axis cuts it.
func (o *Slice) locate(x tensor.Shape, size int) (func(int) int, error) {
	outer, n, inner := around(x, o.Axis)
	count := size / (outer * inner)
	if err := o.CheckMoved(n, count); err != nil {
		return nil, err
	}
	return func(i int) int {
		row, rest := i/inner, i%inner
		return (row/count*n+o.Start+row%count*o.Step)*inner + rest
	}, nil
}

// SliceGrad is a tensor of zeros of shape InputShape with dy in the place that Slice takes. In: dy; out: dx. Stock
// Gorgonia: sliceIncrOp, whose first input only gives the shape.
type SliceGrad struct {
	Slice      *Slice // shared with the Slice, so that both move together
	InputShape tensor.Shape
}

// Kind is "SliceGrad".
func (o *SliceGrad) Kind() string { return "SliceGrad" }
func (o *SliceGrad) String() string {
	return fmt.Sprintf("SliceGrad(%v, input %s)", o.Slice, shape.Format(o.InputShape))
}

// Infer returns InputShape.
func (o *SliceGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(wantFull(o.Kind(), in, o.InputShape), o.Slice.check(in, o.InputShape)); err != nil {
		return nil, err
	}
	return o.InputShape.Clone(), wantShape(o.Kind(), in, in[0], o.Slice.of(o.InputShape), "a gradient")
}

// Compute computes dx with plain loops.
func (o *SliceGrad) Compute(out, in []op.Array) error {
	to, err := o.Slice.locate(o.InputShape, op.Len(in[0].Shape))
	if err != nil {
		return err
	}
	return put(out[0], in[0], to)
}
