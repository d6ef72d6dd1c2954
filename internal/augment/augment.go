// Package augment is how the bytes of an image become the numbers that a network is fed: moved, mirrored, normalised. It is the
// one place of that arithmetic, for package data, which does it while it loads, and for op.Augment, which does it in a graph.
package augment

import (
	"errors"
	"fmt"
)

// Crop is how one image is taken: output pixel (y, x) is input pixel (y+Dy, x+Dx), a black one outside, with x counted from the
// right if Flip.
type Crop struct {
	Dy, Dx int
	Flip   bool
}

// Table holds the number of every byte value of one channel.
type Table[T float32 | float64] [256]T

// Normalize says what number a byte v of channel c becomes: (v/255 − Mean[c]) / Std[c], where nil is 0 and 1 for every channel, or v itself.
type Normalize struct {
	Raw       bool // v itself; excludes Mean and Std
	Mean, Std []float32
}

// Check refuses means and standard deviations that do not fit the channels.
func (n Normalize) Check(channels int) error {
	if n.Raw && (n.Mean != nil || n.Std != nil) {
		return errors.New("raw bytes exclude Mean and Std")
	}
	for _, v := range []struct {
		name   string
		values []float32
	}{{"Mean", n.Mean}, {"Std", n.Std}} {
		if v.values != nil && len(v.values) != channels {
			return fmt.Errorf("%s has %d values; the images have %d channels", v.name, len(v.values), channels)
		}
	}
	for c := range channels {
		if m, s := of(n.Mean, c, 0), of(n.Std, c, 1); !(s > 0) || m-m != 0 || s-s != 0 { // also refuses NaN and infinities
			return fmt.Errorf("channel %d has mean %v and standard deviation %v; both must be finite, the latter positive", c, m, s)
		}
	}
	return nil
}

// Tables makes one table per channel, computed in float64. What Check refuses gives nonsense.
func Tables[T float32 | float64](channels int, n Normalize) []Table[T] {
	ts := make([]Table[T], channels)
	for c := range ts {
		for v := range ts[c] {
			if n.Raw {
				ts[c][v] = T(v)
			} else {
				ts[c][v] = T((float64(v)/255 - of(n.Mean, c, 0)) / of(n.Std, c, 1))
			}
		}
	}
	return ts
}

func of(values []float32, c int, without float64) float64 {
	if values == nil {
		return without
	}
	return float64(values[c])
}

// Place writes one image, bytes of shape (height, width, channels), as numbers in that order or, if planar, with the channels
// first.
func Place[T float32 | float64](dst []T, src []byte, shape [3]int, ts []Table[T], planar bool, c Crop) {
	h, w, ch := shape[0], shape[1], shape[2]
	// Columns [lo, hi) of the moved image come from the input; the others are black.
	lo, hi := min(w, max(0, -c.Dx)), max(0, min(w, w-c.Dx))
	hi = max(hi, lo)
	for y := range h {
		sy := y + c.Dy
		inside := sy >= 0 && sy < h && hi > lo
		var row []byte
		if inside {
			row = src[(sy*w+lo+c.Dx)*ch : (sy*w+hi+c.Dx)*ch]
		}
		at, n := lo, len(row)/ch
		if c.Flip {
			at = w - hi
		}
		if planar {
			for k := range ch {
				out := dst[(k*h+y)*w : (k*h+y+1)*w]
				planeRow(out, row, at, n, k, ch, &ts[k], c.Flip)
			}
			continue
		}
		out := dst[y*w*ch : (y+1)*w*ch]
		if n < w {
			black(out[:at*ch], ts)
			black(out[(at+n)*ch:], ts)
		}
		out = out[at*ch : (at+n)*ch]
		switch {
		case ch == 3 && c.Flip:
			flipped3(out, row, ts)
		case ch == 3:
			straight3(out, row, ts)
		default:
			for x := range n {
				from := x
				if c.Flip {
					from = n - 1 - x
				}
				for k := range ch {
					out[x*ch+k] = ts[k][row[from*ch+k]]
				}
			}
		}
	}
}

// planeRow writes channel k of n pixels of row at out[at:], black around them.
func planeRow[T float32 | float64](out []T, row []byte, at, n, k, ch int, t *Table[T], flip bool) {
	for x := range at {
		out[x] = t[0]
	}
	for x := at + n; x < len(out); x++ {
		out[x] = t[0]
	}
	out = out[at : at+n]
	if flip {
		for x := range out {
			out[x] = t[row[(n-1-x)*ch+k]]
		}
		return
	}
	for x := range out {
		out[x] = t[row[x*ch+k]]
	}
}

func black[T float32 | float64](out []T, ts []Table[T]) {
	for i := 0; i < len(out); i += len(ts) {
		for k := range ts {
			out[i+k] = ts[k][0]
		}
	}
}

func straight3[T float32 | float64](out []T, row []byte, ts []Table[T]) {
	r, g, b := &ts[0], &ts[1], &ts[2]
	for len(out) >= 3 && len(row) >= 3 {
		out[0], out[1], out[2] = r[row[0]], g[row[1]], b[row[2]]
		out, row = out[3:], row[3:]
	}
}

func flipped3[T float32 | float64](out []T, row []byte, ts []Table[T]) {
	r, g, b := &ts[0], &ts[1], &ts[2]
	for len(out) >= 3 && len(row) >= 3 {
		p := row[len(row)-3:]
		out[0], out[1], out[2] = r[p[0]], g[p[1]], b[p[2]]
		out, row = out[3:], row[:len(row)-3]
	}
}
