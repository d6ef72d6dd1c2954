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
