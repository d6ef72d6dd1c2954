package ir

// UnaryFn is an elementwise function of one operand.
type UnaryFn uint8

// The functions of stock Gorgonia's unary operations, in its order (operatorPointwise_unary_const.go).
const (
	Abs UnaryFn = iota
	Sign
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
)

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
	Min // NaN if one is NaN
	Max
	ReLUGrad // a > 0 ? b : 0, where a is ReLU's input or output
)

// Unary is Fn of every element. In: x; out: y, both of one shape and float type.
type Unary struct{ Fn UnaryFn }

// Binary is Fn of pairs of elements. In: a, b of one element type, whose shapes are equal, or one is a scalar (or has one
// element), or both have as many axes and sizes of 1 are stretched to the other's, as NumPy does. Out: y.
type Binary struct{ Fn BinaryFn }
