package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Unary is Fn of every element of x, of any shape, scalars included. abs has the gradient 0 at 0, as in TensorFlow; sign,
// ceil and floor have none.
type Unary struct {
	salted
	Fn UnaryFn
}

func (o *Unary) Kind() string          { return "Unary" }
func (o *Unary) String() string        { return "Unary(" + o.Fn.String() + ")" }
func (o *Unary) Arity() int            { return 1 }
func (o *Unary) Type() hm.Type         { return sameType(1) }
func (o *Unary) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Unary) Hashcode() uint32      { return hashcode(o) }

// DiffWRT is false for sign, ceil and floor: they are constant wherever they have a derivative.
func (o *Unary) DiffWRT(int) []bool {
	return []bool{o.Fn != FnSign && o.Fn != FnCeil && o.Fn != FnFloor}
}

// Do computes the operation for Gorgonia's own machines.
func (o *Unary) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Unary) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes in float64 and rounds once.
func (o *Unary) Reference(out Array, in []Array) error {
	if single(in[0]) {
		unary[float32](o, out, in)
	} else {
		unary[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *Unary) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantAttribute(o, in, o.Fn < UnaryFns, "a known function", o.Fn, "set Fn to one of the constants, such as op.FnExp"),
		wantFull(o, in, 0, "an input"))
}

// SymDiff returns dy times the derivative, which is taken from the result where that is cheaper.
func (o *Unary) SymDiff(in gorgonia.Nodes, out, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	if !o.DiffWRT(1)[0] {
		return notDifferentiable(o)
	}
	return grads(o.derivative(Of(in[0]), Of(out), Of(dy)).Node())
}

func (o *Unary) derivative(x, y, dy Expr) Expr {
	one := Number(1)
	switch o.Fn {
	case FnAbs:
		return dy.Mul(x.Sign())
	case FnSin:
		return dy.Mul(x.Cos())
	case FnCos:
		return dy.Mul(x.Sin()).Neg()
	case FnExp:
		return dy.Mul(y)
	case FnLog:
		return dy.Div(x)
	case FnLog2:
		return dy.Div(x).Mul(Number(math.Log2E))
	case FnNeg:
		return dy.Neg()
	case FnSquare:
		return dy.Mul(x).Mul(Number(2))
	case FnSqrt:
		return dy.Div(y).Mul(Number(0.5))
	case FnInverse:
		return dy.Mul(y.Square()).Neg()
	case FnInverseSqrt:
		return dy.Mul(y.Cube()).Mul(Number(-0.5))
	case FnCube:
		return dy.Mul(x.Square()).Mul(Number(3))
	case FnTanh:
		return dy.Mul(one.Sub(y.Square()))
	case FnSigmoid:
		return dy.Mul(y).Mul(one.Sub(y))
	case FnLog1p:
		return dy.Div(x.Add(one))
	case FnExpm1:
		return dy.Mul(y.Add(one))
	case FnSoftplus:
		return dy.Mul(x.Sigmoid())
	case FnErf:
		return dy.Mul(x.Square().Neg().Exp()).Mul(Number(2 / math.SqrtPi))
	}
	return failed(fmt.Errorf("op: Unary: %v has no derivative", o.Fn))
}

func unary[T Float](o *Unary, out Array, in []Array) {
	y, x := floats[T](out), floats[T](in[0])
	for i, v := range x {
		y[i] = T(o.Fn.Of(float64(v)))
	}
}
