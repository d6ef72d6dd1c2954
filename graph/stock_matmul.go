package graph

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// The numbers of stock Gorgonia's linear algebra operators.
const (
	stockMatMul = iota
	stockMatVec
	stockDot
	stockOuter
	stockBatched
)

func lowerLinAlg(l *lowering, a attributes) *Value {
	if len(l.in) != 2 || !isFloat(l.in[0].Dtype) || l.in[0].Dtype != l.in[1].Dtype {
		return nil
	}
	x, y := l.in[0], l.in[1]
	transA, transB := a.bool("transA"), a.bool("transB")
	switch int(a.v.Field(0).Uint()) {
	case stockMatMul:
		return l.emit(&op.MatMul{TransA: transA, TransB: transB}, x, y)
	case stockMatVec:
		return l.emit(&op.MatMul{TransA: transA}, x, l.reshape(y, y.Len(), 1))
	case stockDot:
		if x.Len() != y.Len() {
			return nil
		}
		return l.reshape(l.emit(&op.MatMul{}, l.reshape(x, 1, x.Len()), l.reshape(y, y.Len(), 1)), l.out.Shape...)
	case stockOuter:
		return l.emit(&op.MatMul{}, l.reshape(x, x.Len(), 1), l.reshape(y, 1, y.Len()))
	case stockBatched:
		return l.emit(&ir.BatchMatMul{TransA: transA, TransB: transB}, x, y)
	}
	return nil
}

// lowerTensordot contracts pairs of axes with one matrix product: the contracted axes go last in a and first in b.
func lowerTensordot(l *lowering, at attributes) *Value {
	a, b := l.in[0], l.in[1]
	aAxes, bAxes := at.ints("aAxes"), at.ints("bAxes")
	if !isFloat(a.Dtype) || len(aAxes) != len(bAxes) {
		return nil
	}
	aFree, m := otherAxes(a.Shape, aAxes)
	bFree, n := otherAxes(b.Shape, bAxes)
	k := 1
	for i, axis := range aAxes {
		if axis >= len(a.Shape) || bAxes[i] >= len(b.Shape) || a.Shape[axis] != b.Shape[bAxes[i]] {
			return nil
		}
		k *= a.Shape[axis]
	}
	left := l.reshape(l.permute(a, append(aFree, aAxes...)...), m, k)
	right := l.reshape(l.permute(b, append(slices.Clone(bAxes), bFree...)...), k, n)
	return l.reshape(l.emit(&op.MatMul{}, left, right), l.out.Shape...)
}

// otherAxes returns the axes of s that are not in axes, and the product of their sizes.
func otherAxes(s tensor.Shape, axes []int) (other []int, n int) {
	n = 1
	for i, d := range s {
		if !slices.Contains(axes, i) {
			other, n = append(other, i), n*d
		}
	}
	return other, n
}
