package onnx

import (
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// clip is Clip; the bounds were attributes before version 11.
func clip(c *call) {
	low, high := math.Inf(-1), math.Inf(1)
	if c.version < 11 {
		low, high = c.attrFloat("min", low), c.attrFloat("max", high)
	}
	if !c.want(1, 3) {
		return
	}
	if c.has(1) {
		low = c.number(1)
	}
	if c.has(2) {
		high = c.number(2)
	}
	x := op.Try(c.x(0), c.err)
	if c.err != nil {
		return
	}
	if low == 0 {
		x = x.ReLU()
	} else if !math.IsInf(low, -1) && low > -math.MaxFloat32 {
		x = x.Maximum(op.Number(low))
	}
	if !math.IsInf(high, 1) && high < math.MaxFloat32 {
		x = x.Minimum(op.Number(high))
	}
	c.result(x)
}

// rectified is max(x, 0) + alpha·(e of min(x, 0)), the shape of several activations.
func rectified(x op.Expr, negative func(op.Expr) op.Expr) op.Expr {
	return x.ReLU().Add(negative(x.Minimum(op.Number(0))))
}

// leakyRelu, elu, selu, celu, hardSigmoid and thresholdedRelu are the operations of these names, with their defaults.
func activation(f func(c *call) func(op.Expr) op.Expr) operator {
	return operator{lower: func(c *call) {
		g := f(c)
		if c.want(1, 1) {
			c.result(g(op.Try(c.x(0), c.err)))
		}
	}}
}

func leakyRelu(c *call) func(op.Expr) op.Expr {
	alpha := op.Number(c.attrFloat("alpha", 0.01))
	return func(x op.Expr) op.Expr { return rectified(x, func(x op.Expr) op.Expr { return x.Mul(alpha) }) }
}

func elu(c *call) func(op.Expr) op.Expr {
	alpha := op.Number(c.attrFloat("alpha", 1))
	return func(x op.Expr) op.Expr { return rectified(x, func(x op.Expr) op.Expr { return x.Expm1().Mul(alpha) }) }
}

func celu(c *call) func(op.Expr) op.Expr {
	alpha := op.Number(c.attrFloat("alpha", 1))
	return func(x op.Expr) op.Expr {
		return rectified(x, func(x op.Expr) op.Expr { return x.Div(alpha).Expm1().Mul(alpha) })
	}
}

func selu(c *call) func(op.Expr) op.Expr {
	alpha, gamma := op.Number(c.attrFloat("alpha", 1.67326319217681884765625)), op.Number(c.attrFloat("gamma", 1.05070102214813232421875))
	return func(x op.Expr) op.Expr {
		return rectified(x, func(x op.Expr) op.Expr { return x.Expm1().Mul(alpha) }).Mul(gamma)
	}
}

func hardSigmoid(c *call) func(op.Expr) op.Expr {
	alpha, beta := op.Number(c.attrFloat("alpha", 0.2)), op.Number(c.attrFloat("beta", 0.5))
	return func(x op.Expr) op.Expr { return x.Mul(alpha).Add(beta).Clip(0, 1) }
}

func hardSwish(x op.Expr) op.Expr {
	return x.Mul(x.Mul(op.Number(1.0/6)).Add(op.Number(0.5)).Clip(0, 1))
}

func thresholdedRelu(c *call) func(op.Expr) op.Expr {
	alpha := op.Number(c.attrFloat("alpha", 1))
	return func(x op.Expr) op.Expr { return x.Greater(alpha).When(x) }
}

func gelu(c *call) func(op.Expr) op.Expr {
	switch approximate := c.attrString("approximate", "none"); approximate {
	case "none":
		return func(x op.Expr) op.Expr {
			return x.Mul(x.Mul(op.Number(math.Sqrt2 / 2)).Erf().Add(op.Number(1))).Mul(op.Number(0.5))
		}
	case "tanh": // Hendrycks and Gimpel 2016
		return func(x op.Expr) op.Expr {
			inner := x.Add(x.Cube().Mul(op.Number(0.044715))).Mul(op.Number(math.Sqrt(2 / math.Pi)))
			return x.Mul(inner.Tanh().Add(op.Number(1))).Mul(op.Number(0.5))
		}
	default:
		c.fail("", "approximate = %q is unknown", approximate)
		return func(x op.Expr) op.Expr { return x }
	}
}

func mish(x op.Expr) op.Expr { return x.Mul(x.Softplus().Tanh()) }

// prelu is PRelu: slope is stretched to x. Before version 7, one slope a channel had no axes behind.
func prelu(c *call) {
	if !c.want(2, 2) {
		return
	}
	x, slope := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err)
	if c.err != nil {
		return
	}
	if s := c.shape(0); c.version < 7 && len(c.shape(1)) == 1 && len(s) > 2 && c.shape(1)[0] == s[1] {
		slope = slope.Reshape(append([]int{s[1]}, onesBehind(s)[2:]...)...)
	}
	c.result(x.ReLU().Add(slope.Mul(x.Minimum(op.Number(0)))))
}

func swish(c *call) func(op.Expr) op.Expr {
	alpha := op.Number(c.attrFloat("alpha", 1))
	return func(x op.Expr) op.Expr { return x.Mul(x.Mul(alpha).Sigmoid()) }
}
