package onnx

import (
	"math"
	"slices"
)

func foldGather(c *call) *array {
	at := c.attrInt("axis", 0)
	if !c.want(2, 2) {
		return nil
	}
	a, index := c.constant(0), c.constant(1)
	if a == nil || index == nil {
		return nil
	}
	at = c.axis(at, len(a.shape))
	if c.err != nil || len(a.shape) == 0 || index.elem.isFloat() {
		c.fail("", "wants a tensor with axes and integers, has the shape %s", format(a.shape))
		return nil
	}
	s := slices.Concat(a.shape[:at], index.shape, a.shape[at+1:])
	if !c.validShape(s) || !c.afford(s, 8) {
		return nil
	}
	n, run := a.shape[at], size(a.shape[at+1:])
	places := make([]int, 0, size(s))
	for outer := range size(a.shape[:at]) {
		for _, i := range index.i64 {
			if i < 0 {
				i += int64(n)
			}
			if i < 0 || i >= int64(n) {
				c.fail("", "index %d lies outside of axis %d, of size %d", i, at, n)
				return nil
			}
			for k := range run {
				places = append(places, (outer*n+int(i))*run+k)
			}
		}
	}
	return picked(a, s, places)
}

// picked returns the elements at places.
func picked(a *array, s []int, places []int) *array {
	out := &array{elem: a.elem, shape: s}
	switch {
	case a.f32 != nil:
		out.f32 = pick(a.f32, places)
	case a.f64 != nil:
		out.f64 = pick(a.f64, places)
	default:
		out.i64 = pick(a.i64, places)
	}
	return out
}

func pick[T any](from []T, places []int) []T {
	out := make([]T, len(places))
	for i, at := range places {
		out[i] = from[at]
	}
	return out
}

func foldConcat(c *call) *array {
	at := c.attrInt("axis", 1)
	if !c.want(1, math.MaxInt) {
		return nil
	}
	first := c.constant(0)
	if first == nil {
		return nil
	}
	at = c.axis(at, len(first.shape))
	out := &array{elem: first.elem, shape: slices.Clone(first.shape)}
	parts := []*array{first}
	for i := 1; i < len(c.in); i++ {
		a := c.constant(i)
		if c.err != nil {
			return nil
		}
		if len(a.shape) != len(first.shape) || a.elem != first.elem || len(a.shape) == 0 {
			c.fail("", "input %d, %v of shape %s, doesn't fit to %v of %s", i, a.elem, format(a.shape), first.elem, format(first.shape))
			return nil
		}
		for axis, d := range a.shape {
			if axis != at && d != first.shape[axis] {
				c.fail("", "input %d of shape %s doesn't fit to %s", i, format(a.shape), format(first.shape))
				return nil
			}
		}
		out.shape[at] += a.shape[at]
		parts = append(parts, a)
	}
	if c.err != nil || len(first.shape) == 0 || !c.afford(out.shape, 8) {
		return nil
	}
	for outer := range size(out.shape[:at]) {
		for _, a := range parts {
			run := size(a.shape[at:])
			lo, hi := outer*run, (outer+1)*run
			switch {
			case a.f32 != nil:
				out.f32 = append(out.f32, a.f32[lo:hi]...)
			case a.f64 != nil:
				out.f64 = append(out.f64, a.f64[lo:hi]...)
			default:
				out.i64 = append(out.i64, a.i64[lo:hi]...)
			}
		}
	}
	return out
}

func foldWhere(c *call) *array {
	if !c.want(3, 3) {
		return nil
	}
	condition, a, b := c.constant(0), c.constant(1), c.constant(2)
	if c.err != nil {
		return nil
	}
	s, ok := broadcastShape(condition.shape, a.shape, b.shape)
	if !ok || a.elem != b.elem {
		c.fail("", "operands of shapes %s, %s and %s don't fit together", format(condition.shape), format(a.shape), format(b.shape))
		return nil
	}
	if !c.afford(s, 32) {
		return nil
	}
	condition, a, b = broadcast(condition, s), broadcast(a, s), broadcast(b, s)
	out := &array{elem: a.elem, shape: s}
	for i := range size(s) {
		from := b
		if condition.at(i) != 0 {
			from = a
		}
		switch {
		case from.f32 != nil:
			out.f32 = append(out.f32, from.f32[i])
		case from.f64 != nil:
			out.f64 = append(out.f64, from.f64[i])
		default:
			out.i64 = append(out.i64, from.i64[i])
		}
	}
	return out
}
