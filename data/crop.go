package data

import (
	"math"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
)

// window is a part of a picture, in 1/augment.Unit of a pixel.
type window struct{ top, left, height, width int64 }

// The random part of a picture (Szegedy et al., "Going Deeper with Convolutions", 2014, section 6, as torchvision's RandomResizedCrop).
const (
	leastArea = 0.08
	tries     = 10
)

var mostAspect = 4.0 / 3 // width over height; the least is its inverse

// randomWindow is the part of a picture of h×w pixels that training has of a sample: a function of (seed, epoch, index) and h and w
// only. Whole pixels of an area of 8 to 100 % and an aspect of 3/4 to 4/3; where ten draws do not fit into the picture, the largest part
// in its middle of such an aspect.
func randomWindow(key [2]uint32, epoch, index uint32, h, w int) window {
	uniform := func(word uint32) float64 { return float64(word) / (1 << 32) }
	area, aspect := float64(h)*float64(w), math.Log(mostAspect)
	for try := range uint32(tries) {
		r := philox.Block([4]uint32{index, epoch, firstCrop + try, philox.StreamAugment}, key)
		part, ratio := area*(leastArea+(1-leastArea)*uniform(r[0])), math.Exp(aspect*(2*uniform(r[1])-1))
		cw, ch := int(math.RoundToEven(math.Sqrt(part*ratio))), int(math.RoundToEven(math.Sqrt(part/ratio)))
		if cw >= 1 && cw <= w && ch >= 1 && ch <= h {
			return pixelWindow(int(philox.Below(r[2], uint32(h-ch+1))), int(philox.Below(r[3], uint32(w-cw+1))), ch, cw)
		}
	}
	ch, cw := h, w
	switch ratio := float64(w) / float64(h); {
	case ratio < 1/mostAspect:
		ch = min(h, max(1, int(math.RoundToEven(float64(w)*mostAspect))))
	case ratio > mostAspect:
		cw = min(w, max(1, int(math.RoundToEven(float64(h)*mostAspect))))
	}
	return pixelWindow((h-ch)/2, (w-cw)/2, ch, cw)
}

// firstCrop is the counter of the first draw; those before are other augmentations'.
const firstCrop = 2

func pixelWindow(top, left, height, width int) window {
	return window{int64(top) * augment.Unit, int64(left) * augment.Unit, int64(height) * augment.Unit, int64(width) * augment.Unit}
}

// Networks are tested on the middle of pictures whose shorter side is resized to 256 for images of 224, and in this proportion for others.
const testResize, testSize = 256, 224

// middleWindow is the part of a picture of h×w pixels that tests have for images of a side of size.
func middleWindow(h, w, size int) window {
	short := max(size, int(math.Round(float64(size)*testResize/testSize)))
	rh, rw := short, short // of the resized picture, which is not made
	if h < w {
		rw = int(int64(short) * int64(w) / int64(h))
	} else {
		rh = int(int64(short) * int64(h) / int64(w))
	}
	part := func(in, resized int) (start, length int64) {
		scale := float64(in) / float64(resized) * augment.Unit
		length = max(1, int64(math.Round(float64(size)*scale)))
		start = int64(math.Round(math.RoundToEven(float64(resized-size)/2) * scale))
		all := int64(in) * augment.Unit
		length = min(length, all)
		return max(0, min(start, all-length)), length
	}
	var p window
	p.top, p.height = part(h, rh)
	p.left, p.width = part(w, rw)
	return p
}

// cut is the pixels that are kept of a picture for a window: rows and columns of it, in squares of factor × factor pixels, each of which
// becomes their mean. box is the window in what is kept.
type cut struct {
	top, bottom, left, right int
	factor                   int
	box                      augment.Box
}

// keptPixels is the most that is kept of a picture for images of a shape: four for one.
func keptPixels(shape [3]int) int { return 4 * shape[0] * shape[1] }

// cutFor decides what is kept of a picture of h×w pixels: with around also the pixels beside the window that take part in its edges. The
// factor is the smallest with which no more than keptPixels are left, so that a picture is never reduced below the image's size.
func cutFor(p window, h, w int, shape [3]int, around, flip bool) cut {
	span := func(start, length int64, in, out int) (from, to int) {
		margin := int64(0)
		if around {
			margin = max(augment.Unit, (length-1)/int64(out)+1)
		}
		return int(max(0, start-margin) / augment.Unit), int(min(int64(in), (start+length+margin-1)/augment.Unit+1))
	}
	var c cut
	c.top, c.bottom = span(p.top, p.height, h, shape[0])
	c.left, c.right = span(p.left, p.width, w, shape[1])
	kept := func() (rows, columns int) {
		return (c.bottom-c.top-1)/c.factor + 1, (c.right-c.left-1)/c.factor + 1
	}
	rows, columns := 0, 0
	for {
		c.factor++
		if rows, columns = kept(); rows*columns <= keptPixels(shape) && max(rows, columns) <= augment.MostPixels {
			break
		}
	}
	f := int64(c.factor)
	c.box = augment.Box{Rows: rows, Columns: columns, Flip: flip,
		Top: int((p.top - int64(c.top)*augment.Unit) / f), Left: int((p.left - int64(c.left)*augment.Unit) / f),
		Height: int(max(1, p.height/f)), Width: int(max(1, p.width/f))}
	return c
}
