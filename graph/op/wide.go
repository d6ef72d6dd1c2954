package op

import "github.com/stheno-ml/stheno/internal/shape"

// Reference kernels that sum compute in float64 whatever the element type, so that they can serve as the oracle of
// float32 kernels: a float32 converts to float64 exactly, and the result is rounded once.

// wide returns the elements of a as float64; for a float64 array that is its own memory.
func wide(a Array) []float64 {
	x, ok := a.Data.([]float32)
	if !ok {
		return a.Data.([]float64)
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// store rounds x into out.
func store(out Array, x []float64) {
	y, ok := out.Data.([]float32)
	if !ok {
		copy(out.Data.([]float64), x)
		return
	}
	for i, v := range x {
		y[i] = float32(v)
	}
}

// wideImages is wide for a batch of images, reordered to NHWC.
func wideImages(a Array, f shape.Layout) []float64 {
	x := wide(a)
	if f == shape.NHWC {
		return x
	}
	s := a.Shape
	return swapInner(x, s[0], s[1], s[2]*s[3])
}

// storeImages rounds the NHWC images x into out, whose layout is f.
func storeImages(out Array, f shape.Layout, x []float64) {
	if f == shape.NCHW {
		s := out.Shape
		x = swapInner(x, s[0], s[2]*s[3], s[1])
	}
	store(out, x)
}

// swapInner transposes each of n matrices of the given size.
func swapInner(x []float64, n, rows, columns int) []float64 {
	out := make([]float64, len(x))
	for b := range n {
		in, to := x[b*rows*columns:], out[b*rows*columns:]
		for r := range rows {
			for c := range columns {
				to[c*rows+r] = in[r*columns+c]
			}
		}
	}
	return out
}
