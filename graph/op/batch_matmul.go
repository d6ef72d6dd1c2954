package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// BatchMatMul is the matrix product op(a[i])·op(b[i]) for every i of the leading axes, which are equal; op transposes if TransA or TransB is
// set. Keras: ops.matmul, without its broadcasting.
//
//	a (…, m, k), or (…, k, m) if TransA;  b (…, k, n), or (…, n, k) if TransB  →  (…, m, n)
type BatchMatMul struct {
	ranked
	TransA, TransB bool
}

func (o *BatchMatMul) Kind() string { return "BatchMatMul" }
func (o *BatchMatMul) String() string {
	return fmt.Sprintf("BatchMatMul(transA %t, transB %t)", o.TransA, o.TransB)
}
func (o *BatchMatMul) Arity() int            { return 2 }
func (o *BatchMatMul) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchMatMul) Hashcode() uint32      { return hashcode(o) }
func (o *BatchMatMul) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchMatMul) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchMatMul) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Products is the geometry of a [BatchMatMul]: Batch products of m×k by k×n matrices.
type Products struct{ Batch, M, N, K int }

// Geometry checks the shapes of a and b.
func (o *BatchMatMul) Geometry(a, b tensor.Shape) (Products, error) {
	in := []tensor.Shape{a, b}
	if len(a) < 2 || len(b) != len(a) {
		return Products{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "two inputs of as many axes, at least 2",
			Got: fmt.Sprintf("%d and %d", len(a), len(b)), Shapes: in, Remedy: "reshape one of them before this operation"}
	}
	lead := len(a) - 2
	for axis := range lead {
		if a[axis] != b[axis] {
			return Products{}, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("equal leading axes, here %d", a[axis]),
				Got: fmt.Sprint(b[axis]), Shapes: in, Remedy: "this operation does not broadcast"}
		}
	}
	m, ka, _ := matAxes(a[lead:], o.TransA)
	kb, n, _ := matAxes(b[lead:], o.TransB)
	if ka != kb {
		return Products{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("second matrices with %d rows%s", ka, turned(o.TransB)),
			Got: fmt.Sprint(kb), Shapes: in, Remedy: "the inner sizes of a matrix product must agree"}
	}
	return Products{Batch: Len(a[:lead]), M: m, N: n, K: ka}, nil
}

// Infer returns (…, m, n).
func (o *BatchMatMul) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantFull(o, in, 0, "matrices"), wantFull(o, in, 1, "matrices")); err != nil {
		return nil, err
	}
	g, err := o.Geometry(in[0], in[1])
	if err != nil {
		return nil, err
	}
	y := in[0].Clone()
	y[len(y)-2], y[len(y)-1] = g.M, g.N
	return y, nil
}

// SymDiff is [MatMul]'s, matrix by matrix.
func (o *BatchMatMul) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	a, b := Of(in[0]), Of(in[1])
	da, err := batchMatMulOf(o.TransA, Of(dy), false, b, !o.TransB).Node()
	if err != nil {
		return nil, err
	}
	db, err := batchMatMulOf(o.TransB, a, !o.TransA, Of(dy), false).Node()
	return gorgonia.Nodes{da, db}, err
}

// batchMatMulOf is l·r, or (l·r)ᵀ = rᵀ·lᵀ if turn is set.
func batchMatMulOf(turn bool, l Expr, transL bool, r Expr, transR bool) Expr {
	if turn {
		return r.BatchMatMul(l, !transR, !transL)
	}
	return l.BatchMatMul(r, transL, transR)
}

// BatchMatMul is the matrix product of the last two axes, each transposed before if it is said so; see [BatchMatMul].
func (x Expr) BatchMatMul(y Expr, transX, transY bool) Expr {
	return x.Apply(&BatchMatMul{TransA: transX, TransB: transY}, y)
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *BatchMatMul) Reference(out Array, in []Array) error {
	g, err := o.Geometry(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	a, b, y := wide(in[0]), wide(in[1]), make([]float64, Len(out.Shape))
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
		for k := range g.K {
			y[i] += a[atA+k*colA] * b[atB+k*rowB]
		}
	}
	store(out, y)
	return nil
}
