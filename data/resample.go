package data

import "math"

// filter holds, for every output position, the inputs it is made of. It is the triangle (bilinear) filter with
// support widened when shrinking, so that every input counts: what Pillow's and PyTorch's antialiased bilinear
// resize do.
type filter []tap

// tap is a run of inputs from start on and their weights, which add up to 1.
type tap struct {
	start   int
	weights []float32
}

// newFilter maps n inputs onto m outputs; both must be positive.
func newFilter(n, m int) filter {
	scale := float64(n) / float64(m)
	width := max(scale, 1) // half the support of the triangle, in inputs
	f := make(filter, m)
	for o := range f {
		center := (float64(o) + 0.5) * scale // in inputs, pixel i covering i … i+1
		lo := max(0, int(math.Floor(center-width)))
		hi := min(n, int(math.Ceil(center+width)))
		var sum float64
		raw := make([]float64, 0, hi-lo)
		for i := lo; i < hi; i++ {
			w := max(0, 1-math.Abs(float64(i)+0.5-center)/width)
			raw = append(raw, w)
			sum += w
		}
		// No weight at the ends: a shorter run.
		for len(raw) > 1 && raw[0] == 0 {
			raw, lo = raw[1:], lo+1
		}
		for len(raw) > 1 && raw[len(raw)-1] == 0 {
			raw = raw[:len(raw)-1]
		}
		f[o] = tap{lo, make([]float32, len(raw))}
		for i, w := range raw {
			f[o].weights[i] = float32(w / sum)
		}
	}
	return f
}

// apply resizes one row of three-channel pixels; dst holds len(f) of them.
func (f filter) apply(dst, src []float32) {
	for o, t := range f {
		var r, g, b float32
		in := src[3*t.start:]
		for i, w := range t.weights {
			r += w * in[3*i]
			g += w * in[3*i+1]
			b += w * in[3*i+2]
		}
		dst[3*o], dst[3*o+1], dst[3*o+2] = r, g, b
	}
}
