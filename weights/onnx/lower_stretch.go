package onnx

import (
	"github.com/stheno-ml/stheno/graph/op"
)

// expand is Expand: stretching both ways.
func expand(c *call) {
	if !c.want(2, 2) {
		return
	}
	target := c.integers(1)
	if c.err != nil || !c.validShape(target) {
		return
	}
	s, ok := broadcastShape(c.shape(0), target)
	if !ok {
		c.fail("", "cannot stretch %s to %v", format(c.shape(0)), target)
		return
	}
	if c.isFixed(0) {
		if a := c.constant(0); a != nil && c.afford(s, 8) {
			c.fix(broadcast(a, s))
		}
		return
	}
	c.result(op.Try(c.x(0), c.err).BroadcastTo(s...))
}

// tile is Tile: each axis repeated.
func tile(c *call) {
	if !c.want(2, 2) {
		return
	}
	times, s := c.integers(1), c.shape(0)
	if c.err != nil {
		return
	}
	if len(times) != len(s) {
		c.fail("", "repeats %v don't suit shape %s", times, format(s))
		return
	}
	// (a, b) becomes (1, a, 1, b), then (r, a, q, b), then (r·a, q·b).
	var apart, stretched, out []int
	for i, d := range s {
		if times[i] < 0 || times[i] > maxSize {
			c.fail("", "repeats %v must be 0 or more, and not huge", times)
			return
		}
		apart, stretched, out = append(apart, 1, d), append(stretched, times[i], d), append(out, times[i]*d)
	}
	if !c.validShape(out) {
		return
	}
	if _, ok := product(out); !ok {
		c.fail("", "its result %v would be too large", out)
		return
	}
	if c.isFixed(0) {
		a := c.constant(0)
		if a == nil || !c.afford(out, 8) {
			return
		}
		b := *a
		b.shape = apart
		y := broadcast(&b, stretched)
		y.shape = out
		c.fix(y)
		return
	}
	x := op.Try(c.x(0), c.err)
	if c.err == nil && len(s) > 0 {
		x = x.Reshape(apart...).BroadcastTo(stretched...).Reshape(out...)
	}
	c.result(x)
}
