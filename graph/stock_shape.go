package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func lowerReshape(l *lowering, _ attributes) *Value {
	if l.in[0].Len() != l.out.Len() {
		return nil
	}
	return l.reshape(l.in[0], l.out.Shape...)
}

func lowerTranspose(l *lowering, a attributes) *Value {
	return l.emit(&op.Permute{Axes: a.ints("pattern")}, l.in[0])
}

// lowerRepeat needs the count to be known, which it is in all that Gorgonia's own functions build: the size of an axis.
func lowerRepeat(l *lowering, a attributes) *Value {
	times, err := count(l.in[1])
	if err != nil {
		return nil
	}
	return l.emit(&ir.Repeat{Axis: a.int("along"), Times: times}, l.in[0])
}

// slicer is what sliceOp and sliceIncrOp have in common: gorgonia.UnsafeLet changes the slice of a finished graph.
type slicer interface{ IsSlice() tensor.Slice }

// sliced returns the operation for a stock slice, shared by all steps of it, or whole if it takes everything.
func (l *lowering) sliced(a attributes) (s *ir.Slice, whole bool) {
	source, ok := l.n.Op().(slicer)
	if !ok {
		return nil, false
	}
	now := source.IsSlice()
	if now == nil || now.End() <= now.Start() {
		return nil, true
	}
	key := a.identity("sliceOp")
	if m := l.c.prog.slices[key]; m != nil {
		return m.instr, false
	}
	s = &ir.Slice{Axis: a.int("along"), Start: now.Start(), End: now.End(), Step: max(now.Step(), 1)}
	if s.Axis >= len(l.in[0].Shape) {
		return nil, false
	}
	l.c.prog.slices[key] = &movingSlice{source: source, instr: s, node: l.n.Name(), size: l.in[0].Shape[s.Axis]}
	return s, false
}

func lowerSlice(l *lowering, a attributes) *Value {
	s, whole := l.sliced(a)
	switch {
	case whole:
		return l.reshape(l.in[0], l.out.Shape...)
	case s == nil:
		return nil
	}
	return l.emit(s, l.in[0])
}

// lowerSliceGrad adds the gradient of a slice to zeros of the input's shape.
func lowerSliceGrad(l *lowering, a attributes) *Value {
	s, whole := l.sliced(a)
	x, dy := l.in[0], l.in[1]
	switch {
	case whole:
		return l.reshape(dy, l.out.Shape...)
	case s == nil:
		return nil
	}
	want, ok := infer(s, []*Value{x})
	if !ok || op.Len(want) != dy.Len() {
		return nil
	}
	return l.emit(&ir.SliceGrad{Slice: s, InputShape: x.Shape.Clone()}, l.reshape(dy, want...))
}

func lowerConcat(l *lowering, a attributes) *Value {
	if len(l.in) == 1 {
		return l.reshape(l.in[0], l.out.Shape...)
	}
	return l.emit(&ir.Concat{Axis: max(a.int("axis"), 0)}, l.in...) // -1, all axes, means the first
}

func lowerAt(l *lowering, a attributes) *Value {
	return l.emit(&ir.At{Coordinates: a.ints("coordinates")}, l.in[0])
}

func lowerGather(l *lowering, a attributes) *Value {
	if l.in[1].Dtype != tensor.Int {
		return nil
	}
	return l.emit(&ir.Gather{Axis: a.int("axis")}, l.in[0], l.reshape(l.in[1], l.in[1].Len()))
}

// lowerGatherGrad takes x, dy, indices.
func lowerGatherGrad(l *lowering, a attributes) *Value {
	x, dy, indices := l.in[0], l.in[1], l.in[2]
	if indices.Dtype != tensor.Int {
		return nil
	}
	axis := a.int("axis")
	if axis >= len(x.Shape) {
		return nil
	}
	want := x.Shape.Clone()
	want[axis] = indices.Len()
	if op.Len(want) != dy.Len() {
		return nil
	}
	return l.emit(&ir.GatherGrad{Axis: axis, InputShape: x.Shape.Clone()}, l.reshape(dy, want...), l.reshape(indices, indices.Len()))
}

func lowerDiagFlat(l *lowering, _ attributes) *Value { return l.emit(&ir.DiagFlat{}, l.in[0]) }

func lowerSum(l *lowering, a attributes) *Value   { return l.reduce(ir.ReduceSum, a) }
func lowerMaxOf(l *lowering, a attributes) *Value { return l.reduce(ir.ReduceMax, a) }

func (l *lowering) reduce(fn ir.ReduceFn, a attributes) *Value {
	x, axes := l.in[0], a.ints("along")
	if !isFloat(x.Dtype) {
		return nil
	}
	slices.Sort(axes)
	axes = slices.Compact(axes)
	if x.Len() == l.out.Len() { // only axes of one element
		return l.reshape(x, l.out.Shape...)
	}
	return l.emit(&ir.Reduce{Fn: fn, Axes: axes}, x)
}
