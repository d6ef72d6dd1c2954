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
		if a.len() == 0 {
			c.fail("", "reduces an empty tensor")
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
