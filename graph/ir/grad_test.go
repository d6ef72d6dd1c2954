package ir_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// The gradients, which are operations of their own, against central differences: of f = Σ dy·y in every element of x.
func TestGradients(t *testing.T) {
	x := tensor.Shape{2, 4, 5, 6}
	slice := &ir.Slice{Axis: 2, Start: 1, End: 5, Step: 2}
	conv := ir.Im2Col{Kernel: [2]int{3, 2}, Pad: [2]int{2, 1}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 3}}
	norm := &ir.GroupNorm{Groups: 2, Epsilon: 0.1}
	indices := vector(3, 0, 3, 3)
	for _, c := range []struct {
		forward  ir.Op
		more     []op.Array // its inputs besides x
		backward func(x, dy op.Array) op.Array
	}{
		{slice, nil, func(_, dy op.Array) op.Array { return compute(t, &ir.SliceGrad{Slice: slice, InputShape: x}, dy) }},
		{&ir.Gather{Axis: 1}, []op.Array{indices}, func(_, dy op.Array) op.Array {
			return compute(t, &ir.GatherGrad{Axis: 1, InputShape: x}, dy, indices)
		}},
		{&ir.Upsample{Scale: 3}, nil, func(_, dy op.Array) op.Array { return compute(t, &ir.UpsampleGrad{Scale: 3}, dy) }},
		{&conv, nil, func(_, dy op.Array) op.Array { return compute(t, &ir.Col2Im{Im2Col: conv, InputShape: x}, dy) }},
		{norm, nil, func(x, dy op.Array) op.Array {
			return compute(t, &ir.GroupNormGrad{Groups: norm.Groups, Epsilon: norm.Epsilon}, x, dy)
		}},
	} {
		at := normal(5, x...)
		forward := func() []float64 { return f64(compute(t, c.forward, append([]op.Array{at}, c.more...)...)) }
		s, err := c.forward.Infer(shapesOf(append([]op.Array{at}, c.more...)))
		require.NoError(t, err)
		dy := normal(6, s...)
		dx := f64(c.backward(at, dy))
		const h = 1e-5
		for i, v := range f64(at) {
			f64(at)[i] = v + h
			up := append([]float64(nil), forward()...)
			f64(at)[i] = v - h
			difference := 0.0
			for j, down := range forward() {
				difference += (up[j] - down) * f64(dy)[j]
			}
			f64(at)[i] = v
			require.InDelta(t, difference/(2*h), dx[i], 1e-7, "%v, element %d", c.forward, i)
		}
	}
}

func shapesOf(in []op.Array) []tensor.Shape {
	s := make([]tensor.Shape, len(in))
	for i, a := range in {
		s[i] = a.Shape
	}
	return s
}
