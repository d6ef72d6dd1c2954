package op

import (
	"fmt"
	"hash"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ReduceFn is how [Reduce] puts elements together.
type ReduceFn uint8

// The reductions. Sums of float32 are added up in float64 or in blocks, so that they are as good as the element type.
const (
	ReduceSum  ReduceFn = iota
	ReduceMax           // NaN if one is NaN
	ReduceMean          //
	ReduceMin           // NaN if one is NaN

	ReduceFns // their number
)

func (f ReduceFn) String() string {
	if names := [ReduceFns]string{"sum", "max", "mean", "min"}; f < ReduceFns {
		return names[f]
	}
	return fmt.Sprintf("ReduceFn(%d)", uint8(f))
}

// Reduce reduces x over Axes, which may count from the end; all axes if there are none. They are dropped or, with
// KeepDims, left with a size of 1. Where several elements are the maximum or minimum, each gets an equal part of the
// gradient, as in TensorFlow. Keras: ops.sum, ops.mean, ops.max, ops.min (axis, keepdims).
type Reduce struct {
	ranked
	Fn       ReduceFn
	Axes     []int // default: all
	KeepDims bool
}

func (o *Reduce) Kind() string { return "Reduce" }
func (o *Reduce) String() string {
	axes := "all axes"
	if len(o.Axes) > 0 {
		axes = fmt.Sprintf("axes %v", o.Axes)
	}
	if o.KeepDims {
		axes += " kept"
	}
	return fmt.Sprintf("Reduce(%v, %s)", o.Fn, axes)
}
func (o *Reduce) Arity() int            { return 1 }
func (o *Reduce) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Reduce) Hashcode() uint32      { return hashcode(o) }
func (o *Reduce) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Reduce) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Reduce) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference sums in float64 and rounds once.
func (o *Reduce) Reference(out Array, in []Array) error {
	if single(in[0]) {
		reduce[float32](o, out, in)
	} else {
		reduce[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x without Axes, or with sizes of 1 in their place.
func (o *Reduce) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantAttribute(o, in, o.Fn < ReduceFns, "a known reduction", o.Fn, "set Fn to one of the constants, such as op.ReduceSum"),
		wantFull(o, in, 0, "an input")); err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	for _, a := range o.Axes {
		if err := wantAxis(o, in, in[0], a); err != nil {
			return nil, err
		}
		axis, _ := axisOf(a, len(in[0]))
		if err := wantAttribute(o, in, !seen[axis], "axes that are each named once", o.Axes, "drop the second mention"); err != nil {
			return nil, err
		}
		seen[axis] = true
	}
	y := tensor.ScalarShape()
	for axis, gone := range o.Reduced(len(in[0])) {
		switch {
		case !gone:
			y = append(y, in[0][axis])
		case o.KeepDims:
			y = append(y, 1)
		}
	}
	return y, nil
}

// Reduced says for each of a number of axes whether it is reduced.
func (o *Reduce) Reduced(dims int) []bool {
	r := make([]bool, dims)
	for i := range r {
		r[i] = len(o.Axes) == 0
	}
	for _, a := range o.Axes {
		if axis, ok := axisOf(a, dims); ok {
			r[axis] = true
		}
	}
	return r
}

// kept is the shape of x with sizes of 1 in the place of reduced axes: dropped or not, they have as many elements.
func (o *Reduce) kept(x tensor.Shape) tensor.Shape {
	y := x.Clone()
	for axis, gone := range o.Reduced(len(x)) {
		if gone {
			y[axis] = 1
		}
	}
	return y
}

// SymDiff hands dy to the elements that it came from.
func (o *Reduce) SymDiff(in gorgonia.Nodes, out, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	s := in[0].Shape()
	kept := o.kept(s)
	d := Of(dy).Reshape(kept...)
	switch o.Fn {
	case ReduceMean:
		d = d.Mul(Number(float64(Len(kept)) / float64(Len(s))))
	case ReduceMax, ReduceMin:
		chosen := Of(in[0]).Equal(Of(out).Reshape(kept...))
		number := chosen.Reduce(ReduceSum, o.Axes...).Reshape(kept...)
		return grads(chosen.Mul(d.Div(number)).Node())
	}
	return grads(d.BroadcastTo(s...).Node())
}

func reduce[T Float](o *Reduce, out Array, in []Array) {
	y, x := floats[T](out), floats[T](in[0])
	totals := make([]float64, len(y))
	switch o.Fn {
	case ReduceMax:
		setAll(totals, math.Inf(-1))
	case ReduceMin:
		setAll(totals, math.Inf(1))
	}
	for i, to := range positions(in[0].Shape, 0, strides(o.kept(in[0].Shape), in[0].Shape)) {
		switch v := float64(x[i]); o.Fn {
		case ReduceMax:
			totals[to] = max(totals[to], v) // the built-ins hand NaN on
		case ReduceMin:
			totals[to] = min(totals[to], v)
		default:
			totals[to] += v
		}
	}
	for i, v := range totals {
		if o.Fn == ReduceMean {
			v /= float64(len(x) / len(y))
		}
		y[i] = T(v)
	}
}
