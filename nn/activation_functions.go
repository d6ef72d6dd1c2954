package nn

import (
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// functions are the elementwise nonlinearities but Linear, made of primitives that engines compute in one loop.
var functions map[Nonlinearity]func(x op.Expr) op.Expr

func init() {
	functions = map[Nonlinearity]func(x op.Expr) op.Expr{
		ReLU:            op.Expr.ReLU,
		ReLU6:           relu6,
		LeakyReLU:       func(x op.Expr) op.Expr { return leakyReLU(x, 0.2) },
		ELU:             func(x op.Expr) op.Expr { return elu(x, 1) },
		SELU:            selu,
		CELU:            func(x op.Expr) op.Expr { return elu(x, 1) },
		GELU:            gelu,
		GELUApproximate: geluApproximate,
		Sigmoid:         op.Expr.Sigmoid,
		LogSigmoid:      func(x op.Expr) op.Expr { return x.Neg().Softplus().Neg() },
		SiLU:            silu,
		Swish:           silu,
		Mish:            func(x op.Expr) op.Expr { return x.Mul(x.Softplus().Tanh()) },
		Tanh:            op.Expr.Tanh,
		Softplus:        op.Expr.Softplus,
		Softsign:        func(x op.Expr) op.Expr { return x.Div(x.Abs().Add(op.Number(1))) },
		Squareplus:      func(x op.Expr) op.Expr { return x.Square().Add(op.Number(4)).Sqrt().Add(x).Mul(op.Number(0.5)) },
		Exponential:     op.Expr.Exp,
		HardSigmoid:     hardSigmoid,
		HardSiLU:        hardSiLU,
		HardSwish:       hardSiLU,
		HardTanh:        func(x op.Expr) op.Expr { return x.Clip(-1, 1) },
		HardShrink:      func(x op.Expr) op.Expr { return x.Abs().Greater(op.Number(0.5)).When(x) },
		SoftShrink:      func(x op.Expr) op.Expr { return shrink(x, 0.5) },
		TanhShrink:      func(x op.Expr) op.Expr { return x.Sub(x.Tanh()) },
		SparsePlus:      sparsePlus,
		SparseSigmoid:   func(x op.Expr) op.Expr { return capped(x.Add(op.Number(1)).Mul(op.Number(0.5)), 1) },
	}
}

// capped is x within [0, top], without a gradient at both bounds, as tf.nn.relu6 has none there: of two equal operands the
// minimum hands the gradient to the first.
func capped(x op.Expr, top float64) op.Expr { return op.Number(top).Minimum(x.ReLU()) }

func relu6(x op.Expr) op.Expr { return capped(x, 6) }

func hardSigmoid(x op.Expr) op.Expr { return capped(x.Add(op.Number(3)), 6).Div(op.Number(6)) }

func hardSiLU(x op.Expr) op.Expr { return x.Mul(hardSigmoid(x)) }

func silu(x op.Expr) op.Expr { return x.Mul(x.Sigmoid()) }

// leakyReLU is x where x > 0, else slope·x; its derivative at 0 is the slope.
func leakyReLU(x op.Expr, slope float64) op.Expr {
	if slope > 1 {
		return x.Mul(op.Number(slope)).Minimum(x)
	}
	return x.Mul(op.Number(slope)).Maximum(x)
}

// elu is x where x > 0, else alpha·(exp(x) − 1), whose derivative at 0 is alpha. exp never sees a large number.
func elu(x op.Expr, alpha float64) op.Expr {
	negative := x.Minimum(op.Number(0)).Expm1()
	if alpha != 1 {
		negative = negative.Mul(op.Number(alpha))
	}
	return x.ReLU().Add(negative)
}

// selu has the derivative of its positive side at 0, as TensorFlow's.
func selu(x op.Expr) op.Expr {
	const alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
	zero := op.Number(0)
	return x.Maximum(zero).Add(zero.Minimum(x).Expm1().Mul(op.Number(alpha))).Mul(op.Number(scale))
}

func gelu(x op.Expr) op.Expr {
	return x.Mul(op.Number(0.5)).Mul(x.Mul(op.Number(1 / math.Sqrt2)).Erf().Add(op.Number(1)))
}

func geluApproximate(x op.Expr) op.Expr {
	inner := x.Cube().Mul(op.Number(0.044715)).Add(x).Mul(op.Number(math.Sqrt(2 / math.Pi)))
	return x.Mul(op.Number(0.5)).Mul(inner.Tanh().Add(op.Number(1)))
}

// shrink moves x towards 0 by a threshold. It is not x less its clipped value, which is 0 where both are infinite.
func shrink(x op.Expr, by float64) op.Expr {
	return x.Sub(op.Number(by)).ReLU().Sub(x.Neg().Sub(op.Number(by)).ReLU())
}

func sparsePlus(x op.Expr) op.Expr {
	one := op.Number(1)
	return x.Maximum(op.Number(-1)).Minimum(one).Add(one).Square().Mul(op.Number(0.25)).Add(x.Sub(one).ReLU())
}
