package onnx

import (
	"math"
)

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

// nodeBytes is about what one of the many pieces of an operation takes that is made of pieces: a few nodes of the graph.
const nodeBytes = 4 << 10

// affordWork takes n places or pieces, of so many bytes, out of the same budget. A file of a few hundred bytes can ask for millions of
// them: one number is the size of a result, and the next node may throw it away.
func (c *call) affordWork(n, bytes int) bool {
	if c.err != nil {
		return false
	}
	cost := int64(max(n, 0)) * int64(bytes)
	if *c.budget -= min(cost, *c.budget+1); *c.budget < 0 {
		c.fail("set MaxConstants higher if that is meant", "the graph is made of more places and pieces than allowed (here: %d)", n)
		return false
	}
	return true
}

func always(f func(a, b int64) int64) func(a, b int64) (int64, bool) {
	return func(a, b int64) (int64, bool) { return f(a, b), true }
}

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
