package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// MatMul is the matrix product op(a)·op(b), where op transposes if TransA or TransB is set.
//
//	a (m, k), or (k, m) if TransA;  b (k, n), or (n, k) if TransB  →  (m, n)
type MatMul struct {
	salted
	TransA, TransB bool
}

func (o *MatMul) Kind() string { return "MatMul" }
func (o *MatMul) String() string {
	return fmt.Sprintf("MatMul(transA %t, transB %t)", o.TransA, o.TransB)
}
func (o *MatMul) Arity() int            { return 2 }
func (o *MatMul) Type() hm.Type         { return signature(tensorType(2), tensorType(2), tensorType(2)) }
func (o *MatMul) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MatMul) Hashcode() uint32      { return hashcode(o) }
func (o *MatMul) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *MatMul) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MatMul) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *MatMul) Reference(out Array, in []Array) error {
	a, b := wideMatrix(in[0], o.TransA), wideMatrix(in[1], o.TransB)
	m, n := out.Shape[0], out.Shape[1]
	k := len(a) / m
	y := make([]float64, m*n)
	for i := range m {
		row := y[i*n : (i+1)*n]
		for p, v := range a[i*k : (i+1)*k] {
			for j, w := range b[p*n : (p+1)*n] {
				row[j] += v * w
			}
		}
	}
	store(out, y)
	return nil
}

// Infer returns (m, n).
func (o *MatMul) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantDims(o, in, 0, 2, "a matrix"), wantDims(o, in, 1, 2, "a matrix")); err != nil {
		return nil, err
	}
	m, ka, _ := matAxes(in[0], o.TransA)
	kb, n, axis := matAxes(in[1], o.TransB)
	if ka != kb {
		return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("a second matrix with %d rows%s", ka, turned(o.TransB)),
			Got: fmt.Sprint(kb), Shapes: in, Remedy: "the inner sizes of a matrix product must agree"}
	}
	return tensor.Shape{m, n}, nil
}

// matAxes returns rows and columns of a matrix after an optional transposition, and the axis its rows come from.
func matAxes(s tensor.Shape, trans bool) (rows, cols, rowAxis int) {
	if trans {
		return s[1], s[0], 1
	}
	return s[0], s[1], 0
}

func turned(trans bool) string {
	if trans {
		return " after transposition"
	}
	return ""
}

// SymDiff returns, for y = A·B with A = op(a), B = op(b): dA = dy·Bᵀ and dB = Aᵀ·dy, each transposed back if its
// matrix was.
func (o *MatMul) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	da, err := matMulOf(o.TransA, dy, false, b, !o.TransB)
	if err != nil {
		return nil, err
	}
	db, err := matMulOf(o.TransB, a, !o.TransA, dy, false)
	return gorgonia.Nodes{da, db}, err
}

// matMulOf applies (l·r), or (l·r)ᵀ = rᵀ·lᵀ if turn is set.
func matMulOf(turn bool, l *gorgonia.Node, transL bool, r *gorgonia.Node, transR bool) (*gorgonia.Node, error) {
	if turn {
		return Apply(&MatMul{TransA: !transR, TransB: !transL}, r, l)
	}
	return Apply(&MatMul{TransA: transL, TransB: transR}, l, r)
}

// wideMatrix returns the elements of a matrix as float64, transposed if trans is set.
func wideMatrix(a Array, trans bool) []float64 {
	x := wide(a)
	if trans {
		x = swapInner(x, 1, a.Shape[0], a.Shape[1])
	}
	return x
}
