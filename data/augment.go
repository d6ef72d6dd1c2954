package data

import "github.com/stheno-ml/stheno/internal/philox"

// Augment is the usual variation of small training images (He et al., "Deep Residual Learning", 2016, section 4.2).
type Augment struct {
	// PadCrop surrounds the image with so many pixels of value 0 (black, before normalization, as torchvision's
	// RandomCrop(32, padding=4) does) and cuts an image of the old size out of that at a random place. 0 is off.
	PadCrop int
	// HorizontalFlip mirrors every second image, by chance, left to right.
	HorizontalFlip bool
}

// crop is how one image is taken: moved by (dy, dx) pixels, then mirrored.
type crop struct {
	dy, dx int
	flip   bool
}

// draw returns the crop of a sample: a function of (seed, epoch, index) only.
func (a Augment) draw(key [2]uint32, epoch, index uint32) crop {
	if a.PadCrop == 0 && !a.HorizontalFlip {
		return crop{}
	}
	w := philox.Block([4]uint32{index, epoch, 0, philox.StreamAugment}, key)
	var c crop
	if n := uint32(2*a.PadCrop + 1); n > 1 {
		c.dy, c.dx = int(philox.Below(w[0], n))-a.PadCrop, int(philox.Below(w[1], n))-a.PadCrop
	}
	c.flip = a.HorizontalFlip && w[2]>>31 == 1
	return c
}

// placeImage writes one image (src: H×W×C bytes) as float32 in H×W×C or, if planar, C×H×W order. Output pixel (y, x) is input
// pixel (y+dy, x+dx), a black one outside, with x counted from the right if flip.
func placeImage(dst []float32, src []byte, shape [3]int, ts []pixelTable, planar bool, c crop) {
	h, w, ch := shape[0], shape[1], shape[2]
	// Columns [lo, hi) of the moved image come from the input; the others are black.
	lo, hi := min(w, max(0, -c.dx)), max(0, min(w, w-c.dx))
	hi = max(hi, lo)
	for y := range h {
		sy := y + c.dy
		inside := sy >= 0 && sy < h && hi > lo
		var row []byte
		if inside {
			row = src[(sy*w+lo+c.dx)*ch : (sy*w+hi+c.dx)*ch]
		}
		at, n := lo, len(row)/ch
		if c.flip {
			at = w - hi
		}
		if planar {
			for k := range ch {
				out := dst[(k*h+y)*w : (k*h+y+1)*w]
				planeRow(out, row, at, n, k, ch, &ts[k], c.flip)
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
		case ch == 3 && c.flip:
			flipped3(out, row, ts)
		case ch == 3:
			straight3(out, row, ts)
		default:
			for x := range n {
				from := x
				if c.flip {
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
func planeRow(out []float32, row []byte, at, n, k, ch int, t *pixelTable, flip bool) {
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

func black(out []float32, ts []pixelTable) {
	for i := 0; i < len(out); i += len(ts) {
		for k := range ts {
			out[i+k] = ts[k][0]
		}
	}
}

func straight3(out []float32, row []byte, ts []pixelTable) {
	r, g, b := &ts[0], &ts[1], &ts[2]
	for len(out) >= 3 && len(row) >= 3 {
		out[0], out[1], out[2] = r[row[0]], g[row[1]], b[row[2]]
		out, row = out[3:], row[3:]
	}
}

func flipped3(out []float32, row []byte, ts []pixelTable) {
	r, g, b := &ts[0], &ts[1], &ts[2]
	for len(out) >= 3 && len(row) >= 3 {
		p := row[len(row)-3:]
		out[0], out[1], out[2] = r[p[0]], g[p[1]], b[p[2]]
		out, row = out[3:], row[:len(row)-3]
	}
}
