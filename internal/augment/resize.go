package augment

import "fmt"

// Unit is the side of a pixel in the numbers of a Box.
const Unit = 1 << 16

// BoxNumbers of the integers of a Box.
const BoxNumbers = 7

// MostPixels bounds the sides of pictures and of the images made of them: weights are whole numbers of 64 bits, boxes of 32.
const MostPixels = 1 << 14

// Box is a part of a picture that becomes an image.
type Box struct {
	Rows, Columns            int // of the picture, in pixels
	Top, Left, Height, Width int // of the part, in 1/Unit of a pixel
	Flip                     bool
}

// Put writes the box as integers.
func (b Box) Put(to []int) {
	to[0], to[1], to[2], to[3], to[4], to[5], to[6] = b.Rows, b.Columns, b.Top, b.Left, b.Height, b.Width, 0
	if b.Flip {
		to[6] = 1
	}
}

// BoxFromInts is the box that Put wrote.
func BoxFromInts(n []int) Box { return Box{n[0], n[1], n[2], n[3], n[4], n[5], n[6] != 0} }

// Check refuses a box that does not lie in its picture, and a picture of more pixels than room.
func (b Box) Check(room int) error {
	switch {
	case min(b.Rows, b.Columns) < 1 || max(b.Rows, b.Columns) > MostPixels || b.Rows*b.Columns > room:
		return fmt.Errorf("a picture of %d×%d pixels, want at least 1×1 and at most %d pixels in all", b.Rows, b.Columns, room)
	case min(b.Top, b.Left) < 0 || min(b.Height, b.Width) < 1 || b.Height > b.Rows*Unit || b.Width > b.Columns*Unit ||
		b.Top > b.Rows*Unit-b.Height || b.Left > b.Columns*Unit-b.Width:
		return fmt.Errorf("a box from (%d, %d) of %d×%d, in 1/%d of a pixel, does not lie in the picture of %d×%d pixels",
			b.Top, b.Left, b.Height, b.Width, Unit, b.Rows, b.Columns)
	}
	return nil
}

// Affine makes a number of every channel's weighted mean v of bytes: v·Scale[c] + Shift[c], each rounded.
type Affine[T float32 | float64] struct{ Scale, Shift []T }

// NewAffine is what Tables are, for numbers between bytes.
func NewAffine[T float32 | float64](channels int, n Normalize) Affine[T] {
	a := Affine[T]{make([]T, channels), make([]T, channels)}
	for c := range channels {
		s := of(n.Std, c, 1)
		a.Scale[c], a.Shift[c] = T(1/(255*s)), T(-of(n.Mean, c, 0)/s)
		if n.Raw {
			a.Scale[c], a.Shift[c] = 1, 0
		}
	}
	return a
}

// axis is one direction of a resize. Positions are in 1/(2·out·Unit) of a pixel, in which all centres are whole numbers.
type axis struct {
	in, out       int // pixels of the picture and of the image
	start, length int // of the box, in 1/Unit of a pixel
}

// span is the pixels that take part in number o of the image, [first, last], with the centre and the radius of their weights.
func (a axis) span(o int) (first, last int, centre, radius int64) {
	pixel := 2 * int64(a.out) * Unit
	centre = 2*int64(a.out)*int64(a.start) + (2*int64(o)+1)*int64(a.length)
	radius = max(2*int64(a.length), pixel)
	first = int(max(0, centre-radius) / pixel)
	last = int(min(int64(a.in-1), (centre+radius)/pixel))
	return first, last, centre, radius
}

// taps is the weights of the numbers of an image in one direction.
type taps[T float32 | float64] struct {
	first   []int // pixel of the picture
	at      []int // of its weight; there is one more
	weights []T
}

// set makes the weights: the triangle filter, which is as wide as two pixels of the picture or, if it is reduced, of the image. They
// are ratios of whole numbers, so that any engine rounds them alike.
func (t *taps[T]) set(a axis) {
	t.first, t.at, t.weights = t.first[:0], append(t.at[:0], 0), t.weights[:0]
	for o := range a.out {
		first, last, centre, radius := a.span(o)
		var sum int64
		for i := first; i <= last; i++ {
			sum += a.weight(i, centre, radius)
		}
		for i := first; i <= last; i++ {
			t.weights = append(t.weights, T(a.weight(i, centre, radius))/T(sum))
		}
		t.first, t.at = append(t.first, first), append(t.at, len(t.weights))
	}
}

func (a axis) weight(i int, centre, radius int64) int64 {
	d := (2*int64(i)+1)*int64(a.out)*Unit - centre
	return max(0, radius-max(d, -d))
}

// Resizer has the room that Resize needs. The zero value is ready; it is for one goroutine.
type Resizer[T float32 | float64] struct {
	vertical, horizontal taps[T]
	rows                 []T   // of the picture, resized to the image's width: row r in place r mod most
	held                 []int // which row is in a place
	sum                  []T
}

// Resize writes an image of a shape (height, width, channels) made of the box of a picture, bytes of shape (Rows, Columns, channels):
// bilinear, antialiased where it reduces (the weights of Pillow and of torchvision with antialias=True), each sum in the order of the
// pixels. Pixels around the box take part at its edges. b has passed Check.
func (z *Resizer[T]) Resize(dst []T, src []byte, b Box, shape [3]int, n Affine[T], planar bool) {
	h, w, ch := shape[0], shape[1], shape[2]
	z.vertical.set(axis{b.Rows, h, b.Top, b.Height})
	z.horizontal.set(axis{b.Columns, w, b.Left, b.Width})
	most := 0
	for o := range h {
		most = max(most, z.vertical.at[o+1]-z.vertical.at[o])
	}
	row := w * ch
	z.rows, z.held, z.sum = resized(z.rows, most*row), resized(z.held, most), resized(z.sum, row)
	for i := range z.held {
		z.held[i] = -1
	}
	for o := range h {
		weights := z.vertical.weights[z.vertical.at[o]:z.vertical.at[o+1]]
		for i, weight := range weights {
			r := z.vertical.first[o] + i
			place := r % most
			line := z.rows[place*row : (place+1)*row]
			if z.held[place] != r {
				z.horizontal.apply(line, src[r*b.Columns*ch:(r+1)*b.Columns*ch], ch)
				z.held[place] = r
			}
			if i == 0 {
				for x, v := range line {
					z.sum[x] = weight * v
				}
				continue
			}
			for x, v := range line {
				z.sum[x] += T(weight * v) // the conversion keeps a compiler from rounding once
			}
		}
		put(dst, z.sum, o, shape, n, planar, b.Flip)
	}
}

// put writes row o of an image.
func put[T float32 | float64](dst, sum []T, o int, shape [3]int, n Affine[T], planar, flip bool) {
	h, w, ch := shape[0], shape[1], shape[2]
	for x := range w {
		to := x
		if flip {
			to = w - 1 - x
		}
		for c := range ch {
			at := (o*w+to)*ch + c
			if planar {
				at = (c*h+o)*w + to
			}
			dst[at] = T(sum[x*ch+c]*n.Scale[c]) + n.Shift[c]
		}
	}
}

func (t *taps[T]) apply(dst []T, src []byte, ch int) {
	for o, first := range t.first {
		weights := t.weights[t.at[o]:t.at[o+1]]
		in := src[first*ch : (first+len(weights))*ch]
		if ch == 3 {
			var r, g, b T
			for _, w := range weights {
				p := in[:3]
				r += T(w * T(p[0]))
				g += T(w * T(p[1]))
				b += T(w * T(p[2]))
				in = in[3:]
			}
			out := dst[3*o : 3*o+3]
			out[0], out[1], out[2] = r, g, b
			continue
		}
		for c := range ch {
			var v T
			for i, w := range weights {
				v += T(w * T(in[i*ch+c]))
			}
			dst[o*ch+c] = v
		}
	}
}

func resized[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}
