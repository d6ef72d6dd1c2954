package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BatchMatMul is op(a[i])·op(b[i]) for every i of the leading axes, which are equal. In: a (…, m, k), b (…, k, n), the
// last two axes of each swapped where it is transposed; out: y (…, m, n). Stock Gorgonia: linAlgBinOp with the batched
// operator.
type BatchMatMul struct{ TransA, TransB bool }

// Kind is "BatchMatMul".
func (o *BatchMatMul) Kind() string { return "BatchMatMul" }
func (o *BatchMatMul) String() string {
	return fmt.Sprintf("BatchMatMul(transA %t, transB %t)", o.TransA, o.TransB)
}

// Product is the geometry of a BatchMatMul: Batch products of m×k by k×n matrices.
type Product struct{ Batch, M, N, K int }

// Geometry checks the shapes of a and b.
func (o *BatchMatMul) Geometry(in []tensor.Shape) (Product, error) {
	if err := wantInputs(o.Kind(), in, 2); err != nil {
		return Product{}, err
	}
	a, b := in[0], in[1]
	if len(a) < 2 || len(b) != len(a) {
		return Product{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "two inputs of as many axes, at least 2",
			Got: fmt.Sprintf("%d and %d", len(a), len(b)), Shapes: in, Remedy: "reshape one of them before this operation"}
	}
	lead := len(a) - 2
	for axis := range lead {
		if a[axis] != b[axis] {
			return Product{}, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("equal leading axes, here %d", a[axis]),
				Got: fmt.Sprint(b[axis]), Shapes: in, Remedy: "this operation does not broadcast"}
		}
	}
	g := Product{Batch: op.Len(a[:lead]), M: a[lead], K: a[lead+1], N: b[lead+1]}
	if o.TransA {
		g.M, g.K = g.K, g.M
	}
	kb := b[lead]
	if o.TransB {
		g.N, kb = kb, g.N
	}
	if kb != g.K {
		return Product{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("second matrices with %d rows", g.K),
			Got: fmt.Sprint(kb), Shapes: in, Remedy: "the inner sizes of a matrix product must agree"}
	}
	return g, nil
}

// Infer returns (…, m, n).
func (o *BatchMatMul) Infer(in []tensor.Shape) (tensor.Shape, error) {
	g, err := o.Geometry(in)
	if err != nil {
		return nil, err
	}
	y := in[0].Clone()
	y[len(y)-2], y[len(y)-1] = g.M, g.N
	return y, nil
}

// Compute computes y with plain loops.
func (o *BatchMatMul) Compute(out, in []op.Array) error {
	g, err := o.Geometry([]tensor.Shape{in[0].Shape, in[1].Shape})
	if err != nil {
		return err
	}
	switch y := out[0].Data.(type) {
	case []float32:
		return batchMatMul(o, g, y, in)
	case []float64:
		return batchMatMul(o, g, y, in)
	}
	return noType(out[0].Data)
}

func batchMatMul[T op.Float](o *BatchMatMul, g Product, y []T, in []op.Array) error {
	a, okA := in[0].Data.([]T)
	b, okB := in[1].Data.([]T)
	if !okA || !okB {
		return fmt.Errorf("ir: a product to %T of %T and %T; all must have one element type", y, in[0].Data, in[1].Data)
	}
	rowA, colA := g.K, 1 // the distances between neighbours in a column and in a row of op(a)
	if o.TransA {
		rowA, colA = 1, g.M
	}
	rowB, colB := g.N, 1
	if o.TransB {
		rowB, colB = 1, g.K
	}
	for i := range y {
		item, row, col := i/(g.M*g.N), i/g.N%g.M, i%g.N
		atA, atB := item*g.M*g.K+row*rowA, item*g.K*g.N+col*colB
		sum := 0.0
		for k := range g.K {
			sum += float64(a[atA+k*colA]) * float64(b[atB+k*rowB])
		}
		y[i] = T(sum)
	}
	return nil
}
