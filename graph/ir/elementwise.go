package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// UnaryFn is an elementwise function of one operand: those of package op.
type UnaryFn = op.UnaryFn

// The functions of one operand.
const (
	Abs         = op.FnAbs
	Sign        = op.FnSign
	Ceil        = op.FnCeil
	Floor       = op.FnFloor
	Sin         = op.FnSin
	Cos         = op.FnCos
	Exp         = op.FnExp
	Log         = op.FnLog
	Log2        = op.FnLog2
	Neg         = op.FnNeg
	Square      = op.FnSquare
	Sqrt        = op.FnSqrt
	Inverse     = op.FnInverse
	InverseSqrt = op.FnInverseSqrt
	Cube        = op.FnCube
	Tanh        = op.FnTanh
	Sigmoid     = op.FnSigmoid
	Log1p       = op.FnLog1p
	Expm1       = op.FnExpm1
	Softplus    = op.FnSoftplus
	Erf         = op.FnErf

	UnaryFns = op.UnaryFns // their number
)

// BinaryFn is an elementwise function of two operands: those of package op. Comparisons give booleans where the result is
// boolean.
type BinaryFn = op.BinaryFn

// The functions of two operands.
const (
	Add      = op.FnAdd
	Sub      = op.FnSub
	Mul      = op.FnMul
	Div      = op.FnDiv
	Pow      = op.FnPow
	Lt       = op.FnLess
	Gt       = op.FnGreater
	Lte      = op.FnLessEqual
	Gte      = op.FnGreaterEqual
	Eq       = op.FnEqual
	Ne       = op.FnNotEqual
	Min      = op.FnMin
	Max      = op.FnMax
	ReLUGrad = op.FnWhen // a > 0 ? b : 0, where a is ReLU's input or output

	BinaryFns = op.BinaryFns // their number
)

// Unary is Fn of every element. In: x; out: y, both of one shape and float type.
type Unary struct{ Fn UnaryFn }

// Kind is "Unary".
func (o *Unary) Kind() string   { return "Unary" }
func (o *Unary) String() string { return fmt.Sprintf("Unary(%s)", o.Fn) }

// Infer returns the shape of x.
func (o *Unary) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := arity(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	return in[0].Clone(), nil
}

// Compute computes in float64 and rounds once.
func (o *Unary) Compute(out, in []op.Array) error {
	if o.Fn >= UnaryFns {
		return fmt.Errorf("ir: Unary: there is no function %s", o.Fn)
	}
	switch x := in[0].Data.(type) {
	case []float32:
		unary(o.Fn, out[0].Data.([]float32), x)
	case []float64:
		unary(o.Fn, out[0].Data.([]float64), x)
	default:
		return fmt.Errorf("ir: %s of %v; it takes float32 and float64", o, in[0].Dtype())
	}
	return nil
}

// Binary is Fn of pairs of elements. In: a, b of one element type, whose shapes are equal, or one is a scalar (or has one
// element), or both have as many axes and sizes of 1 are stretched to the other's, as NumPy does. Out: y.
type Binary struct{ Fn BinaryFn }

// Kind is "Binary".
func (o *Binary) Kind() string   { return "Binary" }
func (o *Binary) String() string { return fmt.Sprintf("Binary(%s)", o.Fn) }

// Infer returns the shape that a and b are stretched to.
func (o *Binary) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := arity(o.Kind(), in, 2); err != nil {
		return nil, err
	}
	return Broadcast(o.Kind(), in...)
}

// Compute computes floats in float64 and rounds once; integers are computed as such.
func (o *Binary) Compute(out, in []op.Array) error {
	if o.Fn >= BinaryFns {
		return fmt.Errorf("ir: Binary: there is no function %s", o.Fn)
	}
	s := out[0].Shape
	switch in[0].Data.(type) {
	case []float32:
		return binary(o.Fn, out[0], stretch[float32](in[0], s), stretch[float32](in[1], s))
	case []float64:
		return binary(o.Fn, out[0], stretch[float64](in[0], s), stretch[float64](in[1], s))
	case []int:
		return binaryInt(o.Fn, out[0], stretch[int](in[0], s), stretch[int](in[1], s))
	}
	return fmt.Errorf("ir: %s of %v; it takes float32, float64 and int", o, in[0].Dtype())
}

func arity(kind string, in []tensor.Shape, want int) error {
	if len(in) == want {
		return nil
	}
	return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: fmt.Sprintf("%d inputs", want), Got: fmt.Sprint(len(in)), Shapes: in}
}
