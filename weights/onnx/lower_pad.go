package onnx

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// pad is Pad; widths and value are inputs since version 11.
func pad(c *call) {
	mode := c.attrString("mode", "constant")
	var widths, axes []int
	fill := 0.0
	if c.version < 11 {
		widths, fill = c.attrInts("pads"), c.attrFloat("value", 0)
		c.want(1, 1)
	} else if c.want(2, 4) {
		widths = c.integers(1)
		if c.has(2) {
			fill = c.number(2)
		}
		if c.has(3) {
			axes = c.integers(3)
		}
	}
	if c.err != nil {
		return
	}
	s := c.shape(0)
	if axes == nil {
		for i := range s {
			axes = append(axes, i)
		}
	}
	axes = c.axes(axes, len(s))
	if len(widths) != 2*len(axes) {
		c.fail("", "pads %v don't suit %d axes", widths, len(axes))
	}
	x := op.Try(c.x(0), c.err)
	if c.err != nil {
		return
	}
	before, after := make([]int, len(s)), make([]int, len(s))
	out := slices.Clone(s)
	for k, axis := range axes {
		before[axis], after[axis] = widths[k], widths[len(axes)+k]
		out[axis] += before[axis] + after[axis]
	}
	if !c.validShape(out) || !full(out) {
		c.fail("", "pads %v make %v of shape %s", widths, out, format(s))
		return
	}
	if mode == "constant" && fill == 0 && len(s) == 4 && before[0]|after[0]|before[1]|after[1] == 0 && min(before[2], after[2], before[3], after[3]) >= 0 {
		c.result(x.Apply(&op.ZeroPad2D{Top: before[2], Bottom: after[2], Left: before[3], Right: after[3], Format: shape.NCHW}))
		return
	}
	for axis := range s {
		if x = c.padAxis(x, axis, before[axis], after[axis], mode, fill); c.err != nil {
			return
		}
	}
	c.result(x)
}

// padAxis pads or, with negative widths, crops one axis.
func (c *call) padAxis(x op.Expr, axis, before, after int, mode string, fill float64) op.Expr {
	if before == 0 && after == 0 || x.Err() != nil {
		return x
	}
	n := x.Shape()[axis]
	if mode == "constant" {
		if crop, cropEnd := max(-before, 0), max(-after, 0); crop+cropEnd > 0 {
			if crop+cropEnd >= n {
				c.fail("", "crops all %d places of axis %d", n, axis)
				return x
			}
			x = x.Slice(axis, crop, n-cropEnd)
		}
		parts := []op.Expr{x}
		border := func(n int) op.Expr {
			s := slices.Clone([]int(x.Shape()))
			s[axis] = n
			return x.Full(fill, s...)
		}
		if x.Err() != nil {
			return x
		}
		if before > 0 {
			parts = append([]op.Expr{border(before)}, parts...)
		}
		if after > 0 {
			parts = append(parts, border(after))
		}
		if len(parts) == 1 {
			return x
		}
		return op.Join(axis, parts...)
	}
	if !c.affordWork(n+before+after, 16) {
		return x
	}
	list := make([]int, 0, n+before+after)
	for i := -before; i < n+after; i++ {
		k := i
		switch mode {
		case "edge":
			k = min(max(i, 0), n-1)
		case "wrap":
			k = ((i % n) + n) % n
		case "reflect":
			if period := 2 * (n - 1); period > 0 {
				k = ((i % period) + period) % period
				k = min(k, period-k)
			} else {
				k = 0
			}
		default:
			c.fail("", "mode %q is unknown", mode)
			return x
		}
		list = append(list, k)
	}
	return c.pick(x, axis, list)
}

// spaceToDepth moves blocks of pixels into channels, depthToSpace back.
func spaceToDepth(c *call) {
	b := c.attrInt("blocksize", 0)
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) != 4 || b < 1 || s[2]%b != 0 || s[3]%b != 0 {
		c.fail("", "blocksize %d doesn't suit %s", b, format(s))
		return
	}
	x := op.Try(c.x(0), c.err)
	c.result(x.Reshape(s[0], s[1], s[2]/b, b, s[3]/b, b).Permute(0, 3, 5, 1, 2, 4).Reshape(s[0], s[1]*b*b, s[2]/b, s[3]/b))
}

func depthToSpace(c *call) {
	b, mode := c.attrInt("blocksize", 0), c.attrString("mode", "DCR")
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if len(s) != 4 || b < 1 || b > 1<<16 || s[1]%(b*b) != 0 {
		c.fail("", "blocksize %d doesn't suit %s", b, format(s))
		return
	}
	x := op.Try(c.x(0), c.err)
	switch n := s[1] / (b * b); mode {
	case "DCR":
		x = x.Reshape(s[0], b, b, n, s[2], s[3]).Permute(0, 3, 4, 1, 5, 2)
	case "CRD":
		x = x.Reshape(s[0], n, b, b, s[2], s[3]).Permute(0, 1, 4, 2, 5, 3)
	default:
		c.fail("", "mode %q is unknown", mode)
		return
	}
	c.result(x.Reshape(s[0], s[1]/(b*b), s[2]*b, s[3]*b))
}
