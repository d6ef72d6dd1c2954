package onnx

import (
	"math"
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// isFixed says whether input i is a constant that is no weight: integers, single numbers, short constants of the graph (such as
// scales), and what was folded.
func (c *call) isFixed(i int) bool {
	if !c.has(i) {
		return true
	}
	v := c.in[i]
	return v.node == nil && (v.stored == nil || !v.stored.elem.isFloat() || size(v.shape) <= 1 || v.inNode && size(v.shape) <= 64)
}

// to makes input 0 in another shape of the same size the result.
func (c *call) to(s []int) {
	if c.err != nil {
		return
	}
	if have := c.shape(0); size(have) != size(s) || !c.validShape(s) {
		c.fail("", "cannot give %d elements of shape %s the shape %s", size(have), format(have), format(s))
		return
	}
	if c.isFixed(0) {
		if a := c.constant(0); a != nil {
			b := *a
			b.shape = slices.Clone(s)
			c.fix(&b)
		}
		return
	}
	c.set(c.reshape(c.x(0), s))
}

// reshape is Reshape: 0 keeps an axis, −1 takes what is left.
func reshape(c *call) {
	zeroIsZero := c.attrFlag("allowzero", false)
	if !c.want(2, 2) {
		return
	}
	target, s := c.integers(1), c.shape(0)
	out, open := slices.Clone(target), -1
	for i, d := range out {
		switch {
		case d == 0 && !zeroIsZero:
			if i >= len(s) {
				c.fail("", "shape %v keeps axis %d of an input of shape %s", target, i, format(s))
				return
			}
			out[i] = s[i]
		case d == -1 && open < 0:
			open = i
			out[i] = 1
		case d < 0 || d > maxSize:
			c.fail("", "shape %v has %d on axis %d", target, d, i)
			return
		}
	}
	if c.err != nil || !c.validShape(out) {
		return
	}
	n, ok := product(out)
	switch have := size(s); {
	case !ok:
		c.fail("", "shape %v is too large", target)
		return
	case open >= 0 && n > 0 && have%n == 0:
		out[open] = have / n
	case open < 0 && n != have && len(out) > 1 && len(s) > 0 && out[0] > 0 && n/out[0]*s[0] == have:
		// The file was written for one batch size, which its reshapes repeat; the graph is built for another.
		out[0] = s[0]
	}
	c.to(out)
}

// product is size without overflow.
func product(s []int) (n int, ok bool) {
	long := make([]int64, len(s))
	for i, d := range s {
		long[i] = int64(d)
	}
	return count(long)
}

// flatten is Flatten: a matrix, whose rows are the axes before one.
func flatten(c *call) {
	at := c.attrInt("axis", 1)
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if at < 0 {
		at += len(s)
	}
	if at < 0 || at > len(s) {
		c.fail("", "axis %d is none of %d axes", at, len(s))
		return
	}
	c.to([]int{size(s[:at]), size(s[at:])})
}

func squeeze(c *call) {
	axes, given := c.axesOf(13, "axes", 1)
	if c.err != nil {
		return
	}
	s, out := c.shape(0), []int{}
	axes = c.axes(axes, len(s))
	for i, d := range s {
		switch named := slices.Contains(axes, i); {
		case named && d != 1:
			c.fail("", "axis %d of shape %s has not size 1", i, format(s))
			return
		case !named && (given || d != 1):
			out = append(out, d)
		}
	}
	c.to(out)
}

func unsqueeze(c *call) {
	axes, _ := c.axesOf(13, "axes", 1)
	if c.err != nil {
		return
	}
	s := c.shape(0)
	axes = c.axes(axes, len(s)+len(axes))
	if c.err != nil || len(s)+len(axes) > maxRank {
		c.fail("", "makes more than %d axes", maxRank)
		return
	}
	out, next := make([]int, len(s)+len(axes)), 0
	for i := range out {
		if slices.Contains(axes, i) {
			out[i] = 1
			continue
		}
		out[i] = s[next]
		next++
	}
	c.to(out)
}

// axesOf returns axes that are an attribute before a version and an input from then on, and whether there are any.
func (c *call) axesOf(since int, name string, input int) (axes []int, given bool) {
	if c.version < since {
		list := c.attrInts(name)
		c.want(1, input)
		return list, list != nil
	}
	if !c.want(1, input+1) || !c.has(input) {
		return nil, false
	}
	list := c.integers(input)
	return list, len(list) > 0
}

func transposeNode(c *call) {
	to := c.attrInts("perm")
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if to == nil {
		for i := range s {
			to = append(to, len(s)-1-i)
		}
	}
	to = c.axes(to, len(s))
	if c.err != nil || len(to) != len(s) {
		c.fail("", "perm %v doesn't suit shape %s", to, format(s))
		return
	}
	switch {
	case c.isFixed(0):
		if a := c.constant(0); a != nil && c.afford(s, 8) {
			c.fix(transpose(a, to))
		}
	case len(s) < 2 || slices.IsSorted(to):
		c.set(c.x(0))
	default:
		c.set(c.op(&op.Permute{Axes: to}, c.x(0)))
	}
}

// concat is Concat of what is computed and what is not.
func concat(c *call) {
	at := c.attrInt("axis", 1)
	if !c.want(1, math.MaxInt) {
		return
	}
	at = c.axis(at, len(c.shape(0)))
	parts := make([]op.Expr, len(c.in))
	for i := range c.in {
		parts[i] = op.Try(c.x(i), c.err)
	}
	if c.err == nil {
		c.result(op.Join(at, parts...))
	}
}
