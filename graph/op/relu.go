package op

import (
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ReLU is max(x, 0) for an input of any shape; the gradient at 0 is 0 and NaN stays NaN, as in Keras.
type ReLU struct{ salted }

func (o *ReLU) Kind() string          { return "ReLU" }
func (o *ReLU) String() string        { return "ReLU" }
func (o *ReLU) Arity() int            { return 1 }
func (o *ReLU) Type() hm.Type         { return sameType(1) }
func (o *ReLU) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *ReLU) Hashcode() uint32      { return hashcode(o) }
func (o *ReLU) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *ReLU) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *ReLU) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) { return inferShape(o, ds) }

// Infer returns the shape of x.
func (o *ReLU) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantFull(o, in, 0, "an input")
}

// SymDiff returns ReLUGrad(y, dy).
func (o *ReLU) SymDiff(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&ReLUGrad{}, y, dy))
}

// Reference computes the operation with plain loops.
func (o *ReLU) Reference(out Array, in []Array) error {
	if x, ok := in[0].Data.([]float32); ok {
		relu(out.Data.([]float32), x)
	} else {
		relu(out.Data.([]float64), in[0].Data.([]float64))
	}
	return nil
}

func relu[T Float](y, x []T) {
	for i, v := range x {
		if v < 0 { // false for NaN, which is handed on
			v = 0
		}
		y[i] = v
	}
}

// ReLUGrad is dy where y > 0 and 0 elsewhere, for y = ReLU(x). Inputs: y, dy, both of one shape. A NaN in y gives 0.
type ReLUGrad struct{ salted }

func (o *ReLUGrad) Kind() string          { return "ReLUGrad" }
func (o *ReLUGrad) String() string        { return "ReLUGrad" }
func (o *ReLUGrad) Arity() int            { return 2 }
func (o *ReLUGrad) Type() hm.Type         { return sameType(2) }
func (o *ReLUGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *ReLUGrad) Hashcode() uint32      { return hashcode(o) }
func (o *ReLUGrad) DiffWRT(int) []bool    { return []bool{false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *ReLUGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *ReLUGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the common shape of y and dy.
func (o *ReLUGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantSame(o, in, 0, 1)
}

// SymDiff is the second derivative: ReLU is linear where its mask is constant.
func (o *ReLUGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&ReLUGrad{}, in[0], d)
	return gorgonia.Nodes{nil, g}, err
}

// Reference computes the operation with plain loops.
func (o *ReLUGrad) Reference(out Array, in []Array) error {
	if y, ok := in[0].Data.([]float32); ok {
		reluGrad(out.Data.([]float32), y, in[1].Data.([]float32))
	} else {
		reluGrad(out.Data.([]float64), in[0].Data.([]float64), in[1].Data.([]float64))
	}
	return nil
}

func reluGrad[T Float](dx, y, dy []T) {
	for i, v := range y {
		dx[i] = 0
		if v > 0 {
			dx[i] = dy[i]
		}
	}
}
