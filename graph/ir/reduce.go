package ir

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// ReduceFn is how elements are put together: as in package op. The minimum is the maximum of what is negated.
type ReduceFn = op.ReduceFn

// The reductions.
const (
	ReduceSum  = op.ReduceSum
	ReduceMax  = op.ReduceMax
	ReduceMean = op.ReduceMean
)

// Reduce reduces x over Axes (sorted, each once; all axes if there are none) and drops them. In: x; out: y. Stock
// Gorgonia: sumOp, maxOp.
type Reduce struct {
	Fn   ReduceFn
	Axes []int
}

// Kind is "Reduce".
func (o *Reduce) Kind() string { return "Reduce" }
func (o *Reduce) String() string {
	if len(o.Axes) == 0 {
		return fmt.Sprintf("Reduce(%v, all axes)", o.Fn)
	}
	return fmt.Sprintf("Reduce(%v, axes %v)", o.Fn, o.Axes)
}

// Infer returns the shape of x without Axes.
func (o *Reduce) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := wantAttribute(o.Kind(), in, o.Fn <= ReduceMean, "a known reduction", o.Fn); err != nil {
		return nil, err
	}
	for i, axis := range o.Axes {
		if err := firstOf(wantAxis(o.Kind(), in, in[0], axis),
			wantAttribute(o.Kind(), in, i == 0 || o.Axes[i-1] < axis, "sorted axes, each once", o.Axes)); err != nil {
			return nil, err
		}
	}
	y := tensor.ScalarShape()
	for axis, gone := range o.Reduced(len(in[0])) {
		if !gone {
			y = append(y, in[0][axis])
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
	for _, axis := range o.Axes {
		r[axis] = true
	}
	return r
}

// Compute computes y with plain loops.
func (o *Reduce) Compute(out, in []op.Array) error {
	switch y := out[0].Data.(type) {
	case []float32:
		return reduce(o, y, in[0])
	case []float64:
		return reduce(o, y, in[0])
	}
	return noType(out[0].Data)
}

func reduce[T op.Float](o *Reduce, y []T, in op.Array) error {
	x, ok := in.Data.([]T)
	if !ok {
		return fmt.Errorf("ir: a reduction to %T of %T; both must have one element type", y, in.Data)
	}
	steps := o.steps(in.Shape)
	totals := make([]float64, len(y))
	if o.Fn == ReduceMax {
		for i := range totals {
			totals[i] = math.Inf(-1)
		}
	}
	for i, v := range x {
		to, rest := 0, i
		for axis := len(in.Shape) - 1; axis >= 0; axis-- {
			to += rest % in.Shape[axis] * steps[axis]
			rest /= in.Shape[axis]
		}
		if o.Fn == ReduceMax {
			totals[to] = max(totals[to], float64(v)) // the built-in hands NaN on
		} else {
			totals[to] += float64(v)
		}
	}
	for i, v := range totals {
		if o.Fn == ReduceMean {
			v /= float64(len(x) / len(y))
		}
		y[i] = T(v)
	}
	return nil
}

// steps are how far apart neighbours along each axis of x are in the result; 0 along those that are reduced.
func (o *Reduce) steps(x tensor.Shape) []int {
	steps := make([]int, len(x))
	gone, step := o.Reduced(len(x)), 1
	for axis := len(x) - 1; axis >= 0; axis-- {
		if !gone[axis] {
			steps[axis] = step
			step *= x[axis]
		}
	}
	return steps
}
