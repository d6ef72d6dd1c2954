package op

import (
	"fmt"
	"math"
)

// UnaryFn is an elementwise function of one operand, for [Unary].
type UnaryFn uint8

// The functions of stock Gorgonia's unary operations, in its order (operatorPointwise_unary_const.go), then ours.
const (
	FnAbs  UnaryFn = iota
	FnSign         // 0 of 0, as Gorgonia's for tensors (its one for scalars says 1)
	FnCeil
	FnFloor
	FnSin
	FnCos
	FnExp
	FnLog
	FnLog2
	FnNeg
	FnSquare
	FnSqrt
	FnInverse     // 1/x
	FnInverseSqrt // 1/√x
	FnCube
	FnTanh
	FnSigmoid
	FnLog1p
	FnExpm1
	FnSoftplus
	FnErf // the error function 2/√π·∫₀ˣ exp(−t²) dt

	UnaryFns // their number
)

var unaryNames = [UnaryFns]string{"abs", "sign", "ceil", "floor", "sin", "cos", "exp", "log", "log2", "neg", "square", "sqrt",
	"inverse", "inverseSqrt", "cube", "tanh", "sigmoid", "log1p", "expm1", "softplus", "erf"}

// String is the function's name, such as "exp".
func (f UnaryFn) String() string {
	if f < UnaryFns {
		return unaryNames[f]
	}
	return fmt.Sprintf("UnaryFn(%d)", uint8(f))
}

// BinaryFn is an elementwise function of two operands, for [Binary] and [BinaryNumber].
type BinaryFn uint8

// The functions of stock Gorgonia's binary operations, in its order (operatorPointwise_binary_const.go), then ours.
// Comparisons give 1 and 0 in the operands' element type.
const (
	FnAdd BinaryFn = iota
	FnSub
	FnMul
	FnDiv
	FnPow
	FnLess
	FnGreater
	FnLessEqual
	FnGreaterEqual
	FnEqual
	FnNotEqual
	FnMin  // NaN if one is NaN, a if they are equal
	FnMax  // the same; max(x, 0) is ReLU
	FnWhen // a > 0 ? b : 0, where b may be infinite or NaN and not be looked at

	BinaryFns // their number
)

// The last one's name is from its first use, the gradient of ReLU, whose input or output a is.
var binaryNames = [BinaryFns]string{"+", "-", "*", "/", "pow", "<", ">", "<=", ">=", "==", "!=", "min", "max", "reluGrad"}

// String is the function's sign or name, such as "+" or "pow".
func (f BinaryFn) String() string {
	if f < BinaryFns {
		return binaryNames[f]
	}
	return fmt.Sprintf("BinaryFn(%d)", uint8(f))
}

// Compares says whether the function is a comparison.
func (f BinaryFn) Compares() bool { return FnLess <= f && f <= FnNotEqual }

// unaryOf are the functions in float64, in which float32 is computed as well.
var unaryOf = [UnaryFns]func(x float64) float64{
	FnAbs: math.Abs, FnSign: sign, FnCeil: math.Ceil, FnFloor: math.Floor, FnSin: math.Sin, FnCos: math.Cos,
	FnExp: math.Exp, FnLog: accurateLog, FnLog2: accurateLog2, FnNeg: func(x float64) float64 { return -x },
	FnSquare: func(x float64) float64 { return x * x }, FnSqrt: math.Sqrt,
	FnInverse: func(x float64) float64 { return 1 / x }, FnInverseSqrt: func(x float64) float64 { return 1 / math.Sqrt(x) },
	FnCube: func(x float64) float64 { return x * x * x }, FnTanh: math.Tanh, FnSigmoid: sigmoid,
	FnLog1p: math.Log1p, FnExpm1: math.Expm1, FnSoftplus: softplus, FnErf: math.Erf,
}

// Of returns the function at x.
func (f UnaryFn) Of(x float64) float64 { return unaryOf[f](x) }

// Of returns the function at (a, b); comparisons give 1 and 0.
func (f BinaryFn) Of(a, b float64) float64 {
	switch f {
	case FnAdd:
		return a + b
	case FnSub:
		return a - b
	case FnMul:
		return a * b
	case FnDiv:
		return a / b
	case FnPow:
		return math.Pow(a, b)
	case FnLess:
		return oneIf(a < b)
	case FnGreater:
		return oneIf(a > b)
	case FnLessEqual:
		return oneIf(a <= b)
	case FnGreaterEqual:
		return oneIf(a >= b)
	case FnEqual:
		return oneIf(a == b)
	case FnNotEqual:
		return oneIf(a != b)
	case FnMin:
		if b < a || b != b {
			return b
		}
		return a
	case FnMax:
		if b > a || b != b {
			return b
		}
		return a
	}
	if a > 0 { // FnWhen
		return b
	}
	return 0
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 or NaN
}

// sigmoid never lets exp overflow, so that it is good to its last digits on both sides.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// accurateLog is math.Log, which takes denormals for larger than they are (go1.26 on amd64).
func accurateLog(x float64) float64 {
	if 0 < x && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// accurateLog2 is exact for powers of 2 and, unlike math.Log2, good to its last digits around 1.
func accurateLog2(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	return float64(e) + math.Log(m)*math.Log2E
}

// softplus is log(1+exp(x)) without overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
