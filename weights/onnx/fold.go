package onnx

import (
	"math"
	"slices"
)

// The functions below compute operations of constants: mostly sizes, from which models make the targets of their reshapes.

func foldShape(c *call) *array {
	start, end := c.attrInt("start", 0), c.attrInt("end", math.MaxInt32)
	if !c.want(1, 1) {
		return nil
	}
	s := c.shape(0)
	clampAxis := func(a int) int {
		if a < 0 {
			a += len(s)
		}
		return min(max(a, 0), len(s))
	}
	start, end = clampAxis(start), clampAxis(end)
	return vector(s[start:max(start, end)])
}

// vector is a constant of integers.
func vector(list []int) *array {
	out := &array{elem: elemInt64, shape: []int{len(list)}, i64: make([]int64, len(list))}
	for i, v := range list {
		out.i64[i] = int64(v)
	}
	return out
}

func foldSize(c *call) *array {
	if !c.want(1, 1) {
		return nil
	}
	return &array{elem: elemInt64, shape: []int{}, i64: []int64{int64(size(c.shape(0)))}}
}

// constantNode is Constant: a tensor, or one of the short forms.
func constantNode(c *call) {
	t := c.attribute("value", attributeTensor)
	f, fs := c.attribute("value_float", attributeFloat), c.attribute("value_floats", attributeFloats)
	i, is := c.attribute("value_int", attributeInt), c.attribute("value_ints", attributeInts)
	if !c.want(0, 0) || len(c.out) == 0 {
		return
	}
	switch {
	case t != nil && t.t != nil:
		if err := t.t.check(); err != nil {
			c.failed(err)
			return
		}
		c.out[0] = &value{stored: t.t, name: c.node.outputs[0], inNode: true, shape: ints(t.t.dims)}
	case f != nil:
		c.fix(&array{elem: elemFloat, shape: []int{}, f32: []float32{f.f}})
	case fs != nil:
		c.fix(&array{elem: elemFloat, shape: []int{len(fs.floats)}, f32: fs.floats})
	case i != nil:
		c.fix(&array{elem: elemInt64, shape: []int{}, i64: []int64{i.i}})
	case is != nil:
		c.fix(&array{elem: elemInt64, shape: []int{len(is.ints)}, i64: is.ints})
	default:
		c.fail("", "has no tensor, number or list of numbers")
	}
}

// fix makes a constant the result.
func (c *call) fix(a *array) {
	if c.err == nil && a != nil && len(c.out) > 0 {
		c.out[0] = &value{fixed: a, shape: a.shape}
	}
}

func foldConstantOfShape(c *call) *array {
	t := c.attribute("value", attributeTensor)
	if !c.want(1, 1) {
		return nil
	}
	s := c.integers(0)
	fill := &array{elem: elemFloat, f32: []float32{0}}
	if t != nil && t.t != nil {
		var err error
		if fill, err = t.t.array(c.folder); err != nil {
			c.failed(err)
			return nil
		}
	}
	if c.err != nil || !c.validShape(s) || !c.afford(s, 8) {
		return nil
	}
	if fill.len() != 1 {
		c.fail("", "value must be a single number, has %d", fill.len())
		return nil
	}
	return gather(fill, s, 0, make([]int, len(s)))
}

// validShape refuses negative sizes and too many axes.
func (c *call) validShape(s []int) bool {
	if len(s) > maxRank {
		c.fail("", "makes %d axes, at most %d are supported", len(s), maxRank)
		return false
	}
	for _, d := range s {
		if d < 0 || d > maxSize {
			c.fail("", "makes an axis of size %d (shape %v)", d, s)
			return false
		}
	}
	return true
}

func foldCast(c *call) *array {
	to := elemType(c.attrInt("to", 0))
	c.ignore("saturate", "round_mode")
	if !c.want(1, 1) {
		return nil
	}
	a := c.constant(0)
	if a == nil || !c.afford(a.shape, 8) {
		return nil
	}
	if _, ok := elemTypes[to]; !ok {
		c.fail("", "casts to %v, which is not supported", to)
		return nil
	}
	return converted(a, to)
}

// converted casts elements.
func converted(a *array, to elemType) *array {
	out, n, size := &array{elem: to, shape: a.shape}, a.len(), elemTypes[to].size
	switch {
	case to == elemDouble:
		out.f64 = make([]float64, n)
		for i := range out.f64 {
			out.f64[i] = a.at(i)
		}
	case to.isFloat():
		out.f32 = make([]float32, n)
		for i := range out.f32 {
			out.f32[i] = float32(a.at(i))
		}
	default:
		out.i64 = make([]int64, n)
		for i := range out.i64 {
			switch {
			case to == elemBool:
				if a.at(i) != 0 {
					out.i64[i] = 1
				}
			case a.i64 != nil:
				out.i64[i] = wrap(a.i64[i], to, size)
			default:
				out.i64[i] = wrap(int64(a.at(i)), to, size)
			}
		}
	}
	return out
}

// wrap keeps the low bits of v, as a cast in C does.
func wrap(v int64, to elemType, size int) int64 {
	bits := 64 - 8*size
	if to == elemUint8 || to == elemUint16 || to == elemUint32 {
		return int64(uint64(v) << bits >> bits)
	}
	return v << bits >> bits
}

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

func foldRange(c *call) *array {
	if !c.want(3, 3) {
		return nil
	}
	start, limit, delta := c.number(0), c.number(1), c.number(2)
	n := math.Ceil((limit - start) / delta)
	if c.err != nil || !(math.Abs(n) < 1<<31) {
		c.fail("", "the range from %v to %v in steps of %v is not finite", start, limit, delta)
		return nil
	}
	s := []int{max(int(n), 0)}
	if !c.afford(s, 8) {
		return nil
	}
	first := c.constant(0)
	out := gather(&array{elem: first.elem, f32: first.f32, f64: first.f64, i64: first.i64}, s, 0, []int{0})
	for i := range s[0] {
		switch v := start + float64(i)*delta; {
		case out.f32 != nil:
			out.f32[i] = float32(v)
		case out.f64 != nil:
			out.f64[i] = v
		default:
			out.i64[i] = int64(v)
		}
	}
	return out
}

// foldReduce reduces over axes.
func foldReduce(start float64, step func(sum, v float64) float64, average bool) func(*call) *array {
	return func(c *call) *array {
		axes, keep := c.reduction()
		a := c.constant(0)
		if c.err != nil || !c.afford(a.shape, 16) {
			return nil
		}
		kept, s := reduced(a.shape, axes)
		sums, counts := slices.Repeat([]float64{start}, size(kept)), make([]int, size(kept))
		index, stride := make([]int, len(a.shape)), steps(kept)
		for i := range a.len() {
			at := 0
			for axis, k := range index {
				at += stride[axis] * min(k, kept[axis]-1)
			}
			sums[at] = step(sums[at], a.at(i))
			counts[at]++
			for axis := len(index) - 1; axis >= 0; axis-- {
				if index[axis]++; index[axis] < a.shape[axis] {
					break
				}
				index[axis] = 0
			}
		}
		if keep {
			s = kept
		}
		out := &array{elem: a.elem, shape: s}
		for i, v := range sums {
			if average {
				v /= float64(max(counts[i], 1))
			}
			switch {
			case a.f32 != nil:
				out.f32 = append(out.f32, float32(v))
			case a.f64 != nil:
				out.f64 = append(out.f64, v)
			default:
				out.i64 = append(out.i64, int64(v))
			}
		}
		return out
	}
}

// reduced returns the shape with axes left at size 1, and without them.
func reduced(s, axes []int) (kept, dropped []int) {
	kept, dropped = slices.Clone(s), []int{}
	for i, d := range s {
		if slices.Contains(axes, i) {
			kept[i] = 1
		} else {
			dropped = append(dropped, d)
		}
	}
	return kept, dropped
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
