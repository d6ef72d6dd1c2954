package ir_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// all are the operations of the package that are tested here.
var all = []ir.Op{
	&ir.Repeat{}, &ir.Slice{}, &ir.SliceGrad{}, &ir.Concat{}, &ir.At{}, &ir.Gather{}, &ir.GatherGrad{}, &ir.DiagFlat{}, &ir.Cast{},
	&ir.Upsample{}, &ir.UpsampleGrad{}, &ir.Reduce{}, &ir.BatchMatMul{}, &ir.Im2Col{}, &ir.Col2Im{}, &ir.GroupNorm{},
	&ir.GroupNormGrad{}, &ir.Random{},
}

// normal is an array of standard normal numbers.
func normal(seed uint64, dims ...int) op.Array {
	r := rand.New(rand.NewPCG(seed, 11))
	x := make([]float64, op.Len(dims))
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return op.Array{Shape: tensor.Shape(dims), Data: x}
}

func vector[T any](x ...T) op.Array { return op.Array{Shape: tensor.Shape{len(x)}, Data: x} }

func number(n int) op.Array { return op.Array{Shape: tensor.ScalarShape(), Data: []int{n}} }

func f64(a op.Array) []float64 { return a.Data.([]float64) }

// narrow rounds to float32.
func narrow(a op.Array) op.Array {
	x, ok := a.Data.([]float64)
	if !ok {
		return a
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return op.Array{Shape: a.Shape, Data: y}
}

// compute runs an operation on dirty memory; the result has the element type of the first operand.
func compute(t testing.TB, o ir.Op, in ...op.Array) op.Array {
	t.Helper()
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	y := op.Array{Shape: s}
	switch n := op.Len(s); in[0].Data.(type) {
	case []float32:
		y.Data = filled[float32](n, 123)
	case []float64:
		y.Data = filled[float64](n, 123)
	case []int:
		y.Data = filled(n, 123)
	case []bool:
		y.Data = filled(n, true)
	}
	require.NoError(t, o.Compute([]op.Array{y}, in))
	return y
}

func filled[T any](n int, v T) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// each calls f with the coordinates of all elements of a shape, in order. f must not keep them.
func each(s tensor.Shape, f func(c []int)) {
	c := make([]int, len(s))
	for range op.Len(s) {
		f(c)
		for axis := len(s) - 1; axis >= 0; axis-- {
			if c[axis]++; c[axis] < s[axis] {
				break
			}
			c[axis] = 0
		}
	}
}

// at is the element at some coordinates.
func at(a op.Array, c []int) float64 {
	i := 0
	for axis, d := range a.Shape {
		i = i*d + c[axis]
	}
	return f64(a)[i]
}

// with is c with another coordinate on one axis.
func with(c []int, axis, v int) []int {
	d := append([]int(nil), c...)
	d[axis] = v
	return d
}

// made are the elements of a shape, each by its coordinates.
func made(s tensor.Shape, f func(c []int) float64) []float64 {
	var y []float64
	each(s, func(c []int) { y = append(y, f(c)) })
	return y
}
