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
	s, index := c.shape(0), c.constant(1)
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
	if c.err != nil {
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

// identity hands its input on.
func identity(c *call) {
	if !c.want(1, 1) || len(c.out) == 0 {
		return
	}
	v := *c.in[0]
	if v.stored != nil {
		v.inNode = true // it has another name now: only operations that name their parameters train it
	}
	c.out[0] = &v
}

// condition is If, of a condition that is known when the graph is built: PyTorch writes it where the size of an axis decides.
func condition(c *call) {
	yes, no := c.attribute("then_branch", attributeGraph), c.attribute("else_branch", attributeGraph)
	if !c.want(1, 1) {
		return
	}
	branch := no
	if c.number(0) != 0 {
		branch = yes
	}
	if c.err != nil || branch == nil || branch.g == nil || c.scope == nil {
		c.fail("", "has no branch")
		return
	}
	out, err := c.scope.branch(branch.g)
	c.failed(err)
	if c.err == nil && len(out) != len(c.out) {
		c.fail("", "has %d results, its branch %d", len(c.out), len(out))
	}
	if c.err == nil {
		copy(c.out, out)
	}
}

// dropout is the identity, except in training.
func dropout(c *call) {
	rate := c.attrFloat("ratio", 0.5)
	c.ignore("seed", "is_test")
	if !c.want(1, 3) {
		return
	}
	if c.has(1) {
		rate = c.number(1)
	}
	if c.has(2) {
		c.number(2) // training_mode: here the build decides
	}
	if c.train == nil || c.err != nil || !(rate > 0 && rate < 1) {
		identity(&call{node: c.node, in: c.in[:1], out: c.out, read: c.read})
		return
	}
	seed, stream, step := c.train.random()
	c.set(c.op(&op.Dropout{Rate: rate, Seed: seed, Stream: stream}, c.x(0), step))
}

// cast is Cast of what is computed: all floats are of one type here.
func cast(c *call) {
	to := elemType(c.attrInt("to", 0))
	c.ignore("saturate", "round_mode")
	if !to.isFloat() {
		c.fail("", "casts computed values to %v; only floats are computed", to)
	}
	identity(c)
}

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
