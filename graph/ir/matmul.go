package ir

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// BatchMatMul is [op.BatchMatMul], which also takes empty matrices here. In: a (…, m, k), b (…, k, n), the last two axes of each swapped where it
// is transposed; out: y (…, m, n). Stock Gorgonia: linAlgBinOp with the batched operator.
type BatchMatMul struct{ TransA, TransB bool }

// Kind is "BatchMatMul".
func (o *BatchMatMul) Kind() string   { return "BatchMatMul" }
func (o *BatchMatMul) String() string { return o.public().String() }

func (o *BatchMatMul) public() *op.BatchMatMul {
	return &op.BatchMatMul{TransA: o.TransA, TransB: o.TransB}
}

// Geometry checks the shapes of a and b.
func (o *BatchMatMul) Geometry(in []tensor.Shape) (op.Products, error) {
	if err := wantInputs(o.Kind(), in, 2); err != nil {
		return op.Products{}, err
	}
	return o.public().Geometry(in[0], in[1])
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
	for _, a := range append(in[:len(in):len(in)], out...) {
		if dt := a.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 || dt != out[0].Dtype() {
			return noType(a.Data)
		}
	}
	return o.public().Reference(out[0], in)
}
