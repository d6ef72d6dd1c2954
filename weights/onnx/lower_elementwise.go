package onnx

import (
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// unaryOp is a function of each element.
func unaryOp(f func(op.Expr) op.Expr) operator {
	return operator{lower: func(c *call) {
		if c.want(1, 1) {
			c.result(f(op.Try(c.x(0), c.err)))
		}
	}}
}

// foldedUnary is unaryOp with a way for constants.
func foldedUnary(f func(op.Expr) op.Expr, of func(float64) float64) operator {
	o := unaryOp(f)
	o.fold = func(c *call) *array {
		if !c.want(1, 1) {
			return nil
		}
		return mapped(c.constant(0), of)
	}
	return o
}

// binaryOp is a function of two operands that are stretched to one shape. Before version 7, the second operand could be aligned at an
// axis instead, and was stretched only if an attribute said so.
func binaryOp(f func(a, b op.Expr) op.Expr, of func(a, b float64) float64, ofInts func(a, b int64) (int64, bool)) operator {
	return operator{
		lower: func(c *call) {
			if !c.want(2, 2) {
				return
			}
			b := c.e(1)
			if c.version < 7 && c.attrFlag("broadcast", false) {
				b = c.aligned(b)
			}
			c.result(f(c.e(0), b))
		},
		fold: func(c *call) *array {
			c.ignore("broadcast", "axis")
			if !c.want(2, 2) {
				return nil
			}
			return c.pairwise(c.constant(0), c.constant(1), of, ofInts)
		},
	}
}

// pow is Pow, the only operation whose operands may be of two types.
func pow() operator {
	o := binaryOp(op.Expr.Pow, math.Pow, power)
	lower, fold := o.lower, o.fold
	o.lower = func(c *call) {
		if c.has(1) && c.isFixed(1) {
			c.in[1] = c.asFloat(1)
		}
		lower(c)
	}
	o.fold = func(c *call) *array {
		if len(c.in) != 2 || !c.has(0) || !c.has(1) {
			return fold(c)
		}
		a, b := c.constant(0), c.constant(1)
		if c.err != nil || a.elem.isFloat() == b.elem.isFloat() {
			return fold(c)
		}
		elem := a.elem
		c.in[0], c.in[1] = c.asFloat(0), c.asFloat(1)
		y := fold(c)
		if y == nil || elem.isFloat() {
			return y
		}
		return converted(y, elem)
	}
	return o
}

// asFloat returns input i, a constant, in floats.
func (c *call) asFloat(i int) *value {
	a := c.constant(i)
	if a == nil || a.i64 == nil || !c.afford(a.shape, 4) {
		return c.in[i]
	}
	return &value{fixed: converted(a, elemFloat), shape: a.shape}
}

// aligned gives b, input 1, axes of size 1 behind, so that its first one is the axis that attribute "axis" names.
func (c *call) aligned(b op.Expr) op.Expr {
	a, s := c.shape(0), c.shape(1)
	at := c.attrInt("axis", len(a)-len(s))
	if at < 0 {
		at += len(a)
	}
	behind := len(a) - at - len(s)
	if b.Shape() == nil || at < 0 || behind <= 0 {
		return b
	}
	to := append([]int{}, s...)
	for range behind {
		to = append(to, 1)
	}
	return b.Reshape(to...)
}

// variadic combines one or more operands.
func variadic(f func(a, b op.Expr) op.Expr, of func(a, b float64) float64, ofInts func(a, b int64) (int64, bool)) operator {
	return operator{
		lower: func(c *call) {
			if !c.want(1, math.MaxInt) {
				return
			}
			y := op.Try(c.x(0), c.err)
			for i := 1; i < len(c.in); i++ {
				if !c.has(i) {
					c.fail("", "input %d must be there", i)
					return
				}
				y = f(y, op.Try(c.x(i), c.err))
			}
			c.result(y)
		},
		fold: func(c *call) *array {
			if !c.want(1, math.MaxInt) {
				return nil
			}
			y := c.constant(0)
			for i := 1; i < len(c.in); i++ {
				y = c.pairwise(y, c.constant(i), of, ofInts)
			}
			return y
		},
	}
}

// mean is Mean: of any number of operands.
func mean(c *call) {
	if !c.want(1, math.MaxInt) {
		return
	}
	y := op.Try(c.x(0), c.err)
	for i := 1; i < len(c.in); i++ {
		y = y.Add(op.Try(c.x(i), c.err))
	}
	c.result(y.Mul(op.Number(1 / float64(len(c.in)))))
}

// comparison gives 1 and 0, which later operations take as numbers.
func comparison(f func(a, b op.Expr) op.Expr, of func(a, b float64) bool) operator {
	number := func(a, b float64) float64 {
		if of(a, b) {
			return 1
		}
		return 0
	}
	o := binaryOp(f, number, func(a, b int64) (int64, bool) { return int64(number(float64(a), float64(b))), true })
	fold := o.fold
	o.fold = func(c *call) *array {
		a := fold(c)
		if a == nil {
			return nil
		}
		out := &array{elem: elemBool, shape: a.shape, i64: make([]int64, a.len())}
		for i := range out.i64 {
			out.i64[i] = int64(a.at(i))
		}
		return out
	}
	return o
}

// mapped applies a function to each element.
func mapped(a *array, f func(float64) float64) *array {
	if a == nil {
		return nil
	}
	out := &array{elem: a.elem, shape: a.shape}
	switch {
	case a.f32 != nil:
		out.f32 = make([]float32, len(a.f32))
		for i, v := range a.f32 {
			out.f32[i] = float32(f(float64(v)))
		}
	case a.f64 != nil:
		out.f64 = make([]float64, len(a.f64))
		for i, v := range a.f64 {
			out.f64[i] = f(v)
		}
	default:
		out.i64 = make([]int64, len(a.i64))
		for i, v := range a.i64 {
			out.i64[i] = int64(f(float64(v)))
		}
	}
	return out
}

// pairwise applies a function to pairs of elements; ofInts says false where it has no result, as of a division by 0.
func (c *call) pairwise(a, b *array, of func(a, b float64) float64, ofInts func(a, b int64) (int64, bool)) *array {
	if a == nil || b == nil {
		return nil
	}
	s, ok := broadcastShape(a.shape, b.shape)
	if !ok {
		c.fail("", "shapes %s and %s don't fit together", format(a.shape), format(b.shape))
		return nil
	}
	if !c.afford(s, 24) {
		return nil
	}
	a, b = broadcast(a, s), broadcast(b, s)
	out := &array{elem: a.elem, shape: s}
	switch {
	case a.i64 != nil && b.i64 != nil:
		out.i64 = make([]int64, len(a.i64))
		for i := range out.i64 {
			if out.i64[i], ok = ofInts(a.i64[i], b.i64[i]); !ok {
				c.fail("", "cannot compute with the integers %d and %d", a.i64[i], b.i64[i])
				return nil
			}
		}
	case a.f64 != nil && b.f64 != nil:
		out.f64 = make([]float64, len(a.f64))
		for i := range out.f64 {
			out.f64[i] = of(a.f64[i], b.f64[i])
		}
	case a.f32 != nil && b.f32 != nil:
		out.f32 = make([]float32, len(a.f32))
		for i := range out.f32 {
			out.f32[i] = float32(of(float64(a.f32[i]), float64(b.f32[i])))
		}
	default:
		c.fail("", "operands are %v and %v; they must be of one type", a.elem, b.elem)
		return nil
	}
	return out
}

// afford takes the memory of n elements out of the budget for constants.
func (c *call) afford(s []int, bytes int) bool {
	if c.err != nil {
		return false
	}
	n := int64(bytes)
	for _, d := range s {
		if d < 0 || d > 0 && n > math.MaxInt64/int64(d) {
			n = math.MaxInt64
			break
		}
		n *= int64(d)
	}
	if *c.budget -= min(n, *c.budget+1); *c.budget < 0 {
		c.fail("set MaxConstants higher if that is meant", "constants of the graph would take more memory than allowed (here: shape %s)", format(s))
		return false
	}
	return true
}

func always(f func(a, b int64) int64) func(a, b int64) (int64, bool) {
	return func(a, b int64) (int64, bool) { return f(a, b), true }
}

// never is for functions that integers don't have.
func never(int64, int64) (int64, bool) { return 0, false }

func divided(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	return a / b, true // toward zero, as in C
}

func remainder(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b // the sign is the divisor's, as in Python
	}
	return r, true
}

// fmod has the sign of the dividend, as in C.
func fmod(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	return a % b, true
}

func power(a, b int64) (int64, bool) {
	if b < 0 {
		return 0, false
	}
	r := int64(1)
	for ; b > 0 && r != 0 && b < 64; b-- {
		r *= a
	}
	return r, b == 0 || r == 0
}

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
