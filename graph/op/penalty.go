package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// L2Penalty is Lambda·Σw², a scalar, for a weight of any shape. There is no factor ½: this is keras.regularizers.L2.
type L2Penalty struct {
	ranked
	Lambda float64
}

func (o *L2Penalty) Kind() string          { return "L2Penalty" }
func (o *L2Penalty) String() string        { return fmt.Sprintf("L2Penalty(lambda %v)", o.Lambda) }
func (o *L2Penalty) Arity() int            { return 1 }
func (o *L2Penalty) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *L2Penalty) Hashcode() uint32      { return hashcode(o) }
func (o *L2Penalty) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *L2Penalty) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *L2Penalty) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *L2Penalty) Reference(out Array, in []Array) error {
	if single(in[0]) {
		l2Penalty[float32](o, out, in)
	} else {
		l2Penalty[float64](o, out, in)
	}
	return nil
}

// Infer returns the scalar shape.
func (o *L2Penalty) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.ScalarShape(), wantFull(o, in, 0, "a weight")
}

// SymDiff returns L2PenaltyGrad(w, dy).
func (o *L2Penalty) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&L2PenaltyGrad{Lambda: o.Lambda}, in[0], dy))
}

func l2Penalty[T Float](o *L2Penalty, out Array, in []Array) {
	var sum float64
	for _, v := range floats[T](in[0]) {
		sum += float64(v) * float64(v)
	}
	floats[T](out)[0] = T(o.Lambda * sum)
}

// L2PenaltyGrad is the gradient of L2Penalty: 2·Lambda·g·w. Inputs: w of any shape, g, a scalar.
type L2PenaltyGrad struct {
	salted
	Lambda float64
}

func (o *L2PenaltyGrad) Kind() string          { return "L2PenaltyGrad" }
func (o *L2PenaltyGrad) String() string        { return fmt.Sprintf("L2PenaltyGrad(lambda %v)", o.Lambda) }
func (o *L2PenaltyGrad) Arity() int            { return 2 }
func (o *L2PenaltyGrad) Type() hm.Type         { return signature(typeVar(), anyType(), typeVar()) }
func (o *L2PenaltyGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *L2PenaltyGrad) Hashcode() uint32      { return hashcode(o) }
func (o *L2PenaltyGrad) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *L2PenaltyGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *L2PenaltyGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *L2PenaltyGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		l2PenaltyGrad[float32](o, out, in)
	} else {
		l2PenaltyGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of w.
func (o *L2PenaltyGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a weight"), wantScalar(o, in, 1, "a gradient"))
}

// SymDiff returns 2·Lambda·g·d and 2·Lambda·Σ w·d: the operation is linear in each input.
func (o *L2PenaltyGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	dw, err := Apply(&L2PenaltyGrad{Lambda: o.Lambda}, d, in[1])
	if err != nil {
		return nil, err
	}
	product, err := Apply(&Mul{}, in[0], d)
	if err != nil {
		return nil, err
	}
	dot, err := Apply(&Sum{}, product)
	if err != nil {
		return nil, err
	}
	dg, err := Apply(&Scale{Factor: 2 * o.Lambda}, dot)
	return gorgonia.Nodes{dw, dg}, err
}

func l2PenaltyGrad[T Float](o *L2PenaltyGrad, out Array, in []Array) {
	y, w := floats[T](out), floats[T](in[0])
	factor := 2 * o.Lambda * scalar[T](in[1])
	for i := range y {
		y[i] = T(factor * float64(w[i]))
	}
}
