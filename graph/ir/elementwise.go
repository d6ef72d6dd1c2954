package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// UnaryFn is an elementwise function of one operand.
type UnaryFn uint8

// The functions of stock Gorgonia's unary operations, in its order (operatorPointwise_unary_const.go).
const (
	Abs  UnaryFn = iota
	Sign         // 0 of 0, as Gorgonia's for tensors (its one for scalars says 1)
	Ceil
	Floor
	Sin
	Cos
	Exp
	Log
	Log2
	Neg
	Square
	Sqrt
	Inverse     // 1/x
	InverseSqrt // 1/√x
	Cube
	Tanh
	Sigmoid
	Log1p
	Expm1
	Softplus

	UnaryFns // their number
)

var unaryNames = [UnaryFns]string{"abs", "sign", "ceil", "floor", "sin", "cos", "exp", "log", "log2", "neg", "square", "sqrt",
	"inverse", "inverseSqrt", "cube", "tanh", "sigmoid", "log1p", "expm1", "softplus"}

// String is the function's name, such as "exp".
func (f UnaryFn) String() string {
	if f < UnaryFns {
		return unaryNames[f]
	}
	return fmt.Sprintf("UnaryFn(%d)", uint8(f))
}

// BinaryFn is an elementwise function of two operands.
type BinaryFn uint8

// The functions of stock Gorgonia's binary operations, in its order (operatorPointwise_binary_const.go), then ours.
// Comparisons give 1 and 0 in the operands' element type, or booleans where the result is boolean.
const (
	Add BinaryFn = iota
	Sub
	Mul
	Div
	Pow
	Lt
	Gt
	Lte
	Gte
	Eq
	Ne
	Min      // NaN if one is NaN, a if they are equal
	Max      // the same; Max(x, 0) is ReLU
	ReLUGrad // a > 0 ? b : 0, where a is ReLU's input or output

	BinaryFns // their number
)

var binaryNames = [BinaryFns]string{"+", "-", "*", "/", "pow", "<", ">", "<=", ">=", "==", "!=", "min", "max", "reluGrad"}

// String is the function's sign or name, such as "+" or "pow".
func (f BinaryFn) String() string {
	if f < BinaryFns {
		return binaryNames[f]
	}
	return fmt.Sprintf("BinaryFn(%d)", uint8(f))
}

// Compares says whether the function is a comparison.
func (f BinaryFn) Compares() bool { return Lt <= f && f <= Ne }

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
