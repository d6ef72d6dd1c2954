package onnx

import (
	"math"
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// upsample is Upsample: every place repeated. Its scales are an attribute before version 9.
func upsample(c *call) {
	mode := c.attrString("mode", "nearest")
	var scales []float64
	if c.version < 9 {
		if a := c.attribute("scales", attributeFloats); a != nil {
			for _, f := range a.floats {
				scales = append(scales, float64(f))
			}
		}
		c.want(1, 1)
	} else if c.want(2, 2) {
		scales = c.floats(1)
	}
	c.resizeTo(scales, nil, mode, "asymmetric", "floor")
}

// floats returns the elements of input i, a constant vector.
func (c *call) floats(i int) []float64 {
	a := c.constant(i)
	if a == nil {
		return nil
	}
	if a.len() > maxRank {
		c.fail("", "input %d has %d elements, one an axis was expected", i, a.len())
		return nil
	}
	out := make([]float64, a.len())
	for k := range out {
		out[k] = a.at(k)
	}
	return out
}

// resize is Resize by the nearest place or linearly.
func resize(c *call) {
	mode := c.attrString("mode", "nearest")
	c.ignore("cubic_coeff_a", "extrapolation_value")
	if c.version < 11 {
		if c.want(2, 2) {
			c.resizeTo(c.floats(1), nil, mode, "asymmetric", "floor")
		}
		return
	}
	coordinates := c.attrString("coordinate_transformation_mode", "half_pixel")
	nearest := c.attrString("nearest_mode", "round_prefer_floor")
	policy := c.attrString("keep_aspect_ratio_policy", "stretch")
	axes := c.attrInts("axes")
	if c.attrFlag("antialias", false) || c.attrFlag("exclude_outside", false) && mode == "cubic" || policy != "stretch" {
		c.fail("", "antialias, exclude_outside and keep_aspect_ratio_policy are not supported")
	}
	c.ignore("exclude_outside")
	if !c.want(1, 4) {
		return
	}
	var scales []float64
	var sizes []int
	if c.has(3) && size(c.shape(3)) > 0 {
		sizes = c.integers(3)
	} else if c.has(2) {
		scales = c.floats(2)
	}
	if axes != nil && c.err == nil { // the other axes stay
		s := c.shape(0)
		axes = c.axes(axes, len(s))
		fullScales, fullSizes := slices.Repeat([]float64{1}, len(s)), slices.Clone(s)
		if max(len(scales), len(sizes)) != len(axes) {
			c.fail("", "scales %v and sizes %v don't suit axes %v", scales, sizes, axes)
			return
		}
		for k, axis := range axes {
			if sizes != nil {
				fullSizes[axis] = sizes[k]
			} else {
				fullScales[axis] = scales[k]
			}
		}
		if sizes != nil {
			sizes = fullSizes
		} else {
			scales = fullScales
		}
	}
	c.resizeTo(scales, sizes, mode, coordinates, nearest)
}

// resizeTo resizes each axis by a scale or to a size.
func (c *call) resizeTo(scales []float64, sizes []int, mode, coordinates, nearest string) {
	if c.err != nil {
		return
	}
	s := c.shape(0)
	if len(sizes) != len(s) && (sizes != nil || len(scales) != len(s)) {
		c.fail("", "scales %v and sizes %v don't suit shape %s", scales, sizes, format(s))
		return
	}
	x := op.Try(c.x(0), c.err)
	for axis, n := range s {
		var to int
		scale := 1.0
		if sizes != nil {
			to = sizes[axis]
			scale = float64(to) / float64(n)
		} else {
			scale = scales[axis]
			to = int(min(max(math.Floor(float64(n)*scale), 0), maxSize))
		}
		if to < 1 || to > 1<<24 || !(scale > 0) {
			c.fail("", "makes axis %d, of size %d, one of size %d", axis, n, to)
			return
		}
		if to == n && scale == 1 {
			continue
		}
		if !c.affordWork(to, 48) {
			return
		}
		at, ok := places(n, to, scale, coordinates)
		if !ok {
			c.fail("", "coordinate_transformation_mode %q is not supported", coordinates)
			return
		}
		switch mode {
		case "nearest":
			x = c.nearest(x, axis, at, nearest)
		case "linear", "bilinear":
			x = c.linear(x, axis, at)
		default:
			c.fail("", "mode %q is not supported", mode)
		}
		if c.err != nil {
			return
		}
	}
	c.result(x)
}

// places returns where each of the new places lies among the n old ones. It computes in float32, as the runtimes do: with a scale such as 2.7
// a place falls on an old one or just before it, and floor makes two of that. Conversions keep compilers from fusing steps.
func places(n, to int, scale float64, coordinates string) (at []float64, ok bool) {
	at = make([]float64, to)
	f, old := float32(scale), float32(n)
	whole := float32(old * f)
	halfPixel := func(v float32) float32 { return float32(float32(v+0.5)/f) - 0.5 }
	for i := range at {
		v := float32(i)
		switch coordinates {
		case "half_pixel":
			v = halfPixel(v)
		case "half_pixel_symmetric": // the scale's rounding is shared by both ends
			v = float32(old/2*float32(1-float32(to)/whole)) + halfPixel(v)
		case "pytorch_half_pixel":
			if to > 1 {
				v = halfPixel(v)
			} else {
				v = 0
			}
		case "align_corners":
			if whole > 1 { // not rounded, as ONNX's own cases have it
				v = float32(v*(old-1)) / (whole - 1)
			} else {
				v = 0
			}
		case "asymmetric":
			v /= f
		default:
			return nil, false
		}
		at[i] = float64(v)
	}
	return at, true
}

// nearest takes the nearest of the old places.
func (c *call) nearest(x op.Expr, axis int, at []float64, mode string) op.Expr {
	if x.Err() != nil {
		return x
	}
	s := x.Shape()
	list := make([]int, len(at))
	for i, v := range at {
		switch mode {
		case "round_prefer_floor":
			v = math.Ceil(v - 0.5)
		case "round_prefer_ceil":
			v = math.Floor(v + 0.5)
		case "floor":
			v = math.Floor(v)
		case "ceil":
			v = math.Ceil(v)
		default:
			c.fail("", "nearest_mode %q is unknown", mode)
			return x
		}
		list[i] = int(min(max(v, 0), float64(s[axis]-1)))
	}
	n := s[axis]
	times := len(list) / n
	repeats := times*n == len(list)
	for i, k := range list {
		repeats = repeats && k == i/times
	}
	if !repeats {
		return c.pick(x, axis, list)
	}
	apart := slices.Insert(slices.Clone([]int(s)), axis+1, 1)
	stretched, out := slices.Clone(apart), slices.Clone([]int(s))
	stretched[axis+1], out[axis] = times, n*times
	return x.Reshape(apart...).BroadcastTo(stretched...).Reshape(out...)
}

// linear mixes the two old places on both sides.
func (c *call) linear(x op.Expr, axis int, at []float64) op.Expr {
	if x.Err() != nil {
		return x
	}
	s := x.Shape()
	low, high := make([]int, len(at)), make([]int, len(at))
	weight := make([]float32, len(at))
	for i, v := range at {
		v = min(max(v, 0), float64(s[axis]-1))
		low[i] = int(v)
		high[i] = min(low[i]+1, s[axis]-1)
		weight[i] = float32(v - float64(low[i]))
	}
	shape := slices.Repeat([]int{1}, len(s))
	shape[axis] = len(at)
	c.made++
	w, err := c.leaves.constant(label(c.node)+"/weights", &array{elem: elemFloat, shape: shape, f32: weight})
	c.failed(err)
	a, b := c.pick(x, axis, low), c.pick(x, axis, high)
	return a.Add(b.Sub(a).Mul(op.Try(w, err)))
}
