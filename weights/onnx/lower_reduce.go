package onnx

import (
	"github.com/stheno-ml/stheno/graph/op"
)

// reduction reads axes and keepdims of a reduction; axes are an input since a version that differs.
func (c *call) reduction() (axes []int, keep bool) {
	keep = c.attrFlag("keepdims", true)
	since := 18
	if c.node.opType == "ReduceSum" {
		since = 13
	}
	none := false
	if c.version >= since {
		none = c.attrFlag("noop_with_empty_axes", false)
	}
	axes, given := c.axesOf(since, "axes", 1)
	if c.err != nil {
		return nil, keep
	}
	rank := len(c.shape(0))
	if !given && !none {
		for i := range rank {
			axes = append(axes, i)
		}
		return axes, keep
	}
	return c.axes(axes, rank), keep
}

// reduce is one of the reductions, with functions before and after it.
func reduce(fn op.ReduceFn, before, after func(op.Expr) op.Expr) func(*call) {
	return func(c *call) {
		axes, keep := c.reduction()
		x := op.Try(c.x(0), c.err)
		if c.err != nil {
			return
		}
		if before != nil {
			x = before(x)
		}
		if len(axes) > 0 {
			x = x.Apply(&op.Reduce{Fn: fn, Axes: axes, KeepDims: keep})
		}
		if after != nil {
			x = after(x)
		}
		c.result(x)
	}
}

// logSumExp takes the maximum off first, so that nothing overflows.
func logSumExp(c *call) {
	axes, keep := c.reduction()
	x := op.Try(c.x(0), c.err)
	if c.err != nil || len(axes) == 0 {
		c.result(x)
		return
	}
	top := x.MaxKeep(axes...).StopGradient()
	y := x.Sub(top).Exp().SumKeep(axes...).Log().Add(top)
	if _, s := reduced(c.shape(0), axes); !keep && y.Err() == nil {
		y = y.Reshape(s...)
	}
	c.result(y)
}
