package ir

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// unaryOf are the functions in float64, in which float32 is computed as well.
var unaryOf = [UnaryFns]func(x float64) float64{
	Abs: math.Abs, Sign: sign, Ceil: math.Ceil, Floor: math.Floor, Sin: math.Sin, Cos: math.Cos,
	Exp: math.Exp, Log: log, Log2: log2, Neg: func(x float64) float64 { return -x },
	Square: func(x float64) float64 { return x * x }, Sqrt: math.Sqrt,
	Inverse: func(x float64) float64 { return 1 / x }, InverseSqrt: func(x float64) float64 { return 1 / math.Sqrt(x) },
	Cube: func(x float64) float64 { return x * x * x }, Tanh: math.Tanh, Sigmoid: sigmoid,
	Log1p: math.Log1p, Expm1: math.Expm1, Softplus: softplus,
}

// Of returns the function at x.
func (f UnaryFn) Of(x float64) float64 { return unaryOf[f](x) }

// Of returns the function at (a, b); comparisons give 1 and 0.
func (f BinaryFn) Of(a, b float64) float64 {
	switch f {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Div:
		return a / b
	case Pow:
		return math.Pow(a, b)
	case Min:
		if b < a || b != b {
			return b
		}
		return a
	case Max:
		if b > a || b != b {
			return b
		}
		return a
	case ReLUGrad:
		if a > 0 {
			return b
		}
		return 0
	}
	if compare(f, a, b) {
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

// log is math.Log, which takes denormals for larger than they are (go1.26 on amd64).
func log(x float64) float64 {
	if 0 < x && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// log2 is exact for powers of 2 and, unlike math.Log2, good to its last digits around 1.
func log2(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	return float64(e) + math.Log(m)*math.Log2E
}

// softplus is log(1+exp(x)) without overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func unary[T op.Float](f UnaryFn, y, x []T) {
	for i, v := range x {
		y[i] = T(unaryOf[f](float64(v)))
	}
}

func binary[T op.Float](f BinaryFn, out op.Array, a, b []T) error {
	switch y := out.Data.(type) {
	case []T:
		for i := range y {
			y[i] = T(f.Of(float64(a[i]), float64(b[i])))
		}
	case []bool:
		if !f.Compares() {
			return fmt.Errorf("ir: %s has no boolean result", f)
		}
		for i := range y {
			y[i] = compare(f, a[i], b[i])
		}
	default:
		return fmt.Errorf("ir: %s of floats has a result of %v", f, out.Dtype())
	}
	return nil
}

func binaryInt(f BinaryFn, out op.Array, a, b []int) error {
	if y, ok := out.Data.([]bool); ok && f.Compares() {
		for i := range y {
			y[i] = compare(f, a[i], b[i])
		}
		return nil
	}
	y, ok := out.Data.([]int)
	if !ok {
		return fmt.Errorf("ir: %s of integers has a result of %v", f, out.Dtype())
	}
	for i := range y {
		switch {
		case f == Add:
			y[i] = a[i] + b[i]
		case f == Sub:
			y[i] = a[i] - b[i]
		case f == Mul:
			y[i] = a[i] * b[i]
		case f == Div && b[i] == 0:
			return fmt.Errorf("ir: element %d is divided by the integer 0", i)
		case f == Div:
			y[i] = a[i] / b[i]
		case f == Min:
			y[i] = min(a[i], b[i])
		case f == Max:
			y[i] = max(a[i], b[i])
		case f.Compares():
			y[i] = 0
			if compare(f, a[i], b[i]) {
				y[i] = 1
			}
		default:
			return fmt.Errorf("ir: %s takes floats, got int", f)
		}
	}
	return nil
}

func compare[T op.Float | ~int](f BinaryFn, a, b T) bool {
	switch f {
	case Lt:
		return a < b
	case Gt:
		return a > b
	case Lte:
		return a <= b
	case Gte:
		return a >= b
	case Eq:
		return a == b
	}
	return a != b
}
