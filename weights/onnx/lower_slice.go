package onnx

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// part sets result k to a range of input 0 along each axis: count places from start on, step apart.
func (c *call) part(k int, start, step, count []int) {
	if c.err != nil || k >= len(c.out) {
		return
	}
	s := c.shape(0)
	if c.isFixed(0) {
		a := c.constant(0)
		if a == nil || !c.afford(count, 8) {
			return
		}
		first, far := 0, steps(s)
		for i := range s {
			first += far[i] * start[i]
			far[i] *= step[i]
		}
		if size(count) == 0 {
			first = 0
		}
		out := gather(a, count, first, far)
		c.out[k] = &value{fixed: out, shape: out.shape}
		return
	}
	o := &op.Slice{}
	whole := true
	for i := range s {
		stop := start[i] + (count[i]-1)*step[i] + sign(step[i])
		if stop < 0 {
			stop = op.ToStart
		}
		o.Starts, o.Stops, o.Steps = append(o.Starts, start[i]), append(o.Stops, stop), append(o.Steps, step[i])
		whole = whole && count[i] == s[i] && step[i] > 0
	}
	if whole {
		c.setAt(k, c.x(0))
		return
	}
	if !full(count) {
		c.fail("", "its result %s would be empty", format(count))
		return
	}
	c.setAt(k, c.op(o, c.x(0)))
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// slice is Slice, whose ranges are inputs since version 10.
func slice(c *call) {
	var starts, ends, axes, by []int
	if c.version < 10 {
		starts, ends, axes = c.attrInts("starts"), c.attrInts("ends"), c.attrInts("axes")
		c.want(1, 1)
	} else if c.want(3, 5) {
		starts, ends = c.integers(1), c.integers(2)
		if c.has(3) {
			axes = c.integers(3)
		}
		if c.has(4) {
			by = c.integers(4)
		}
	}
	if c.err != nil {
		return
	}
	s := c.shape(0)
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	axes = c.axes(axes, len(s))
	if len(ends) != len(starts) || len(axes) != len(starts) || by != nil && len(by) != len(starts) {
		c.fail("", "starts, ends, axes and steps must be of one length, are of %d, %d, %d and %d", len(starts), len(ends), len(axes), len(by))
		return
	}
	start, step, count := make([]int, len(s)), slices.Repeat([]int{1}, len(s)), slices.Clone(s)
	if c.err != nil {
		return
	}
	for k, axis := range axes {
		d := 1
		if by != nil {
			d = by[k]
		}
		if d == 0 {
			c.fail("", "a step is 0")
			return
		}
		step[axis] = d
		start[axis], count[axis] = rangeOf(starts[k], ends[k], d, s[axis])
	}
	c.part(0, start, step, count)
}

// rangeOf resolves a range of n places as Python does.
func rangeOf(start, end, step, n int) (first, count int) {
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		return start, max((end-start+step-1)/step, 0)
	}
	start, end = min(max(start, -1), n-1), min(max(end, -1), n-1)
	return max(start, 0), max((start-end-step-1)/-step, 0)
}

// splitNode is Split into equal parts, or parts of given sizes.
func splitNode(c *call) {
	at := c.attrInt("axis", 0)
	var sizes []int
	parts := len(c.out)
	if c.version < 13 {
		sizes = c.attrInts("split")
		if c.version < 2 || !c.want(1, 1) {
			return
		}
	} else {
		parts = c.attrInt("num_outputs", parts)
		if !c.want(1, 2) {
			return
		}
		if c.has(1) {
			sizes = c.integers(1)
		}
	}
	s := c.shape(0)
	at = c.axis(at, len(s))
	if c.err != nil || len(s) == 0 || parts != len(c.out) || parts < 1 {
		c.fail("", "has %d results for %d parts of shape %s", len(c.out), parts, format(s))
		return
	}
	if sizes == nil {
		each := (s[at] + parts - 1) / parts
		for i := range parts {
			sizes = append(sizes, min(each, max(s[at]-i*each, 0)))
		}
	}
	total := 0
	for _, n := range sizes {
		if total += n; n < 0 {
			total = -1
			break
		}
	}
	if len(sizes) != parts || total != s[at] {
		c.fail("", "parts of %v don't make axis %d of %s, or are not %d", sizes, at, format(s), parts)
		return
	}
	start, step, count := make([]int, len(s)), slices.Repeat([]int{1}, len(s)), slices.Clone(s)
	for k, n := range sizes {
		count[at] = n
		c.part(k, start, step, count)
		start = slices.Clone(start)
		start[at] += n
		count = slices.Clone(count)
	}
}

// gatherNode is Gather of a computed tensor by constant indices.
func gatherNode(c *call) {
	at := c.attrInt("axis", 0)
	if !c.want(2, 2) {
		return
	}
	s := c.shape(0)
	if v := c.in[1]; v.node != nil && isIndices(v.node) { // an input; negative ones, which count from the end here, are an error when it runs
		if at = c.axis(at, len(s)); c.err == nil {
			c.set(c.op(&op.Gather{Axis: at}, c.x(0), v.node))
		}
		return
	}
	index := c.constant(1)
	if c.err != nil {
		return
	}
	at = c.axis(at, len(s))
	if c.err != nil || len(s) == 0 || index.elem.isFloat() || index.len() == 0 || index.len() > 1<<24 {
		c.fail("", "wants a tensor with axes and integers, has the shape %s", format(s))
		return
	}
	list := make([]int, index.len())
	for i := range list {
		k := clampInt(index.i64[i])
		if k < 0 {
			k += s[at]
		}
		if k < 0 || k >= s[at] {
			c.fail("", "index %d lies outside of axis %d, of size %d", index.i64[i], at, s[at])
			return
		}
		list[i] = k
	}
	y := c.pick(op.Try(c.x(0), c.err), at, list)
	if y.Err() == nil {
		y = y.Reshape(slices.Concat(s[:at], index.shape, s[at+1:])...)
	}
	c.result(y)
}

// pick takes places along an axis, in that order.
func (c *call) pick(x op.Expr, axis int, list []int) op.Expr {
	if c.err != nil || !c.affordWork(len(list), 16) {
		return x
	}
	step := 1
	if len(list) > 1 {
		step = list[1] - list[0]
	}
	even := step != 0
	for i := 2; i < len(list); i++ {
		even = even && list[i]-list[i-1] == step
	}
	if even { // a slice, of which there are faster kernels
		stop := list[len(list)-1] + sign(step)
		if stop < 0 {
			stop = op.ToStart
		}
		return x.Stride(axis, list[0], stop, step)
	}
	a := vector(list)
	c.made++
	n, err := c.leaves.constant(label(c.node)+"/indices", a)
	return x.Gather(axis, op.Try(n, err))
}
