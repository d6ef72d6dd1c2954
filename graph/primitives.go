package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// primitive translates a node of one of package op's primitives into the steps that those of stock Gorgonia become, for which
// engines have kernels and passes look. It reports false, and leaves nothing behind, for other operations.
func (c *capturer) primitive(o op.Op, rank int, in []*Value, out *Value) bool {
	l := &lowering{c: c, in: in, out: out, rank: rank, values: len(c.prog.values), steps: len(c.prog.steps), assigns: len(c.prog.assigns)}
	var v *Value
	switch o := o.(type) {
	case *op.Unary:
		v = l.emit(&ir.Unary{Fn: o.Fn}, in[0])
	case *op.Binary:
		v = l.binary(o.Fn, l.ranked(in[0]), l.ranked(in[1]))
	case *op.BinaryNumber:
		number := l.filled(in[0].Dtype, o.Number)
		if o.First {
			v = l.emit(&ir.Binary{Fn: o.Fn}, number, in[0])
		} else {
			v = l.emit(&ir.Binary{Fn: o.Fn}, in[0], number)
		}
	case *op.Reduce:
		v = l.reduceAxes(o)
	case *op.BroadcastTo:
		v = l.stretch(l.ranked(in[0]), o.Shape)
	case *op.Full:
		v = l.stretch(l.filled(in[0].Dtype, o.Value, slices.Repeat([]int{1}, len(o.Shape))...), o.Shape)
	case *op.BatchMatMul:
		v = l.emit(&ir.BatchMatMul{TransA: o.TransA, TransB: o.TransB}, in...)
	case *op.Concat:
		if v = l.in[0]; len(in) > 1 {
			axis := axisOf(o.Axis, v.Shape)
			v = l.emit(&ir.Concat{Axis: axis}, in...)
		}
	case *op.Slice:
		v = l.slices(o)
	case *op.SliceGrad:
		v = l.slicesGrad(o)
	case *op.Gather:
		v = l.reshape(l.emit(&ir.Gather{Axis: axisOf(o.Axis, in[0].Shape)}, in[0], l.reshape(in[1], in[1].Len())), out.Shape...)
	case *op.GatherGrad:
		axis := axisOf(o.Axis, o.Shape)
		dy := o.Shape.Clone()
		dy[axis] = in[1].Len()
		v = l.emit(&ir.GatherGrad{Axis: axis, InputShape: o.Shape.Clone()}, l.reshape(in[0], dy...), l.reshape(in[1], in[1].Len()))
	case *op.StopGradient:
		v = in[0]
	case *op.Random:
		v = l.emitAs(out.Dtype, &ir.Random{From: o.From, A: o.A, B: o.B, Shape: o.Shape.Clone(), Seed: o.Seed, Stream: o.Stream}, in[1])
	case *op.Truncate:
		v = l.emitAs(tensor.Int, &ir.Cast{To: tensor.Int}, in[0])
	default:
		return false
	}
	return l.finish(v)
}

// ranked returns v with axes of size 1 in front, as many as the result has; a scalar stays one.
func (l *lowering) ranked(v *Value) *Value {
	missing := len(l.out.Shape) - len(v.Shape)
	if missing <= 0 || len(v.Shape) == 0 {
		return v
	}
	return l.reshape(v, append(slices.Repeat([]int{1}, missing), v.Shape...)...)
}

// binary makes sums and products of equal shapes the operations of package op, which the passes for residuals and penalties
// look for.
func (l *lowering) binary(fn ir.BinaryFn, x, y *Value) *Value {
	if x != nil && y != nil && shape.Equal(x.Shape, y.Shape) {
		switch fn {
		case ir.Add:
			return l.emit(&op.Add{}, x, y)
		case ir.Mul:
			return l.emit(&op.Mul{}, x, y)
		}
	}
	return l.emit(&ir.Binary{Fn: fn}, x, y)
}

// reduceAxes leaves the axes that are kept to finish, and those that have one element to a reshape.
func (l *lowering) reduceAxes(o *op.Reduce) *Value {
	x := l.in[0]
	if x.Len() == l.out.Len() {
		return l.reshape(x, l.out.Shape...)
	}
	var axes []int
	for axis, gone := range o.Reduced(len(x.Shape)) {
		if gone {
			axes = append(axes, axis)
		}
	}
	if o.Fn == op.ReduceMin {
		neg := &ir.Unary{Fn: ir.Neg}
		return l.emit(neg, l.emit(&ir.Reduce{Fn: ir.ReduceMax, Axes: axes}, l.emit(neg, x)))
	}
	return l.emit(&ir.Reduce{Fn: o.Fn, Axes: axes}, x)
}

// stretch repeats v, a scalar or of as many axes, along the axes of size 1 that are longer in s. Loops that read the result
// read v instead.
func (l *lowering) stretch(v *Value, s tensor.Shape) *Value {
	if v == nil {
		return nil
	}
	if len(v.Shape) == 0 {
		v = l.reshape(v, slices.Repeat([]int{1}, len(s))...)
	}
	for axis, n := range s {
		if v != nil && v.Shape[axis] != n {
			v = l.emit(&ir.Repeat{Axis: axis, Times: n}, v)
		}
	}
	return v
}

// slices takes the slices axis by axis.
func (l *lowering) slices(o *op.Slice) *Value {
	v := l.in[0]
	for axis, r := range o.Ranges(v.Shape) {
		if v == nil {
			return nil
		}
		v = l.slice(v, axis, r)
	}
	return v
}

// slice takes some slices along an axis, which stays; those that go backwards, as by indices.
func (l *lowering) slice(v *Value, axis int, r op.Range) *Value {
	s := v.Shape.Clone()
	n := s[axis]
	s[axis] = r.Count
	switch {
	case r.Count == n && r.Step == 1:
		return v
	case r.Step < 0:
		return l.emit(&ir.Gather{Axis: axis}, v, l.places(r))
	}
	return l.reshape(l.emit(forwards(axis, r), v), s...)
}

// slicesGrad puts the slices back axis by axis, the last axis first.
func (l *lowering) slicesGrad(o *op.SliceGrad) *Value {
	v := l.in[0]
	for axis, r := range slices.Backward(o.Slice().Ranges(o.Shape)) {
		if v == nil {
			return nil
		}
		s := v.Shape.Clone()
		s[axis] = o.Shape[axis]
		switch {
		case r.Count == s[axis] && r.Step == 1:
		case r.Step < 0:
			v = l.emit(&ir.GatherGrad{Axis: axis, InputShape: s}, v, l.places(r))
		default:
			v = l.emit(&ir.SliceGrad{Slice: forwards(axis, r), InputShape: s}, v)
		}
	}
	return v
}

// forwards is the slice for a range that goes forwards.
func forwards(axis int, r op.Range) *ir.Slice {
	end := r.Start + (r.Count-1)*r.Step + 1
	return &ir.Slice{Axis: axis, Start: r.Start, End: end, Step: r.Step, RoundUp: r.Step > 1}
}

// places is a constant: the places of a range.
func (l *lowering) places(r op.Range) *Value {
	list := make([]int, r.Count)
	for i := range list {
		list[i] = r.Start + i*r.Step
	}
	v := l.c.prog.newValue(l.out.Name, tensor.Shape{r.Count}, tensor.Int, nil)
	v.Const = &op.Array{Shape: v.Shape, Data: list}
	return v
}
