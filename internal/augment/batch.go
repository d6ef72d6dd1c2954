package augment

// Crops as integers, which graphs are fed with.

// Numbers of the integers of a crop: dy, dx, and 1 for flip. A [Kind] may add more.
const Numbers = 3

// Put writes the crop as integers.
func (c Crop) Put(to []int) {
	to[0], to[1], to[2] = c.Dy, c.Dx, 0
	if c.Flip {
		to[2] = 1
	}
}

// FromInts is the crop that Put wrote.
func FromInts(n []int) Crop { return Crop{n[0], n[1], n[2] != 0} }

// Whole is the share of an image that nothing is mixed into: shares are in units of 2⁻²⁴, so that they, and what is left to 1, are
// numbers of float32.
const Whole = 1 << 24

// Kind is what the images of a batch have done to them besides crop and flip.
type Kind struct {
	Boxes  bool // images are made of boxes of pictures, with the integers of a Box in the place of those of a Crop
	Cutout int  // side of the square that becomes 0; 0: none does
	Mixup  bool // another image of the batch is mixed in
}

// First is how many integers the crop, or the box, of an image has.
func (k Kind) First() int {
	if k.Boxes {
		return BoxNumbers
	}
	return Numbers
}

// Numbers of the integers of an image: those of its crop, or its box, then with Cutout row and column of the middle of the square, then
// with Mixup the number in the batch of the image that is mixed in, and the share of the image itself.
func (k Kind) Numbers() int {
	n := k.First()
	if k.Cutout > 0 {
		n += 2
	}
	if k.Mixup {
		n += 2
	}
	return n
}

// Middle is the pixel around which the square lies.
func (k Kind) Middle(draw []int) (row, column int) { return draw[k.First()], draw[k.First()+1] }

// PutMiddle writes what Middle reads.
func (k Kind) PutMiddle(draw []int, row, column int) {
	draw[k.First()], draw[k.First()+1] = row, column
}

// Square is what is cut out of an image whose draw is given: rows [top, bottom) and columns [left, right), within the image.
func (k Kind) Square(draw []int, h, w int) (top, bottom, left, right int) {
	span := func(middle, size int) (int, int) {
		from := middle - k.Cutout/2
		return max(from, 0), min(from+k.Cutout, size)
	}
	row, column := k.Middle(draw)
	top, bottom = span(row, h)
	left, right = span(column, w)
	return top, bottom, left, right
}

// cutOut sets the square of an image to 0.
func cutOut[T float32 | float64](dst []T, k Kind, draw []int, shape [3]int, planar bool) {
	if k.Cutout == 0 {
		return
	}
	h, w, ch := shape[0], shape[1], shape[2]
	top, bottom, left, right := k.Square(draw, h, w)
	for y := top; y < bottom; y++ {
		if !planar {
			clear(dst[(y*w+left)*ch : (y*w+right)*ch])
			continue
		}
		for c := range ch {
			clear(dst[(c*h+y)*w+left : (c*h+y)*w+right])
		}
	}
}

// Mix is what an image is mixed with, as Numbers says.
func (k Kind) Mix(draw []int) (with, share int) {
	n := k.Numbers()
	return draw[n-2], draw[n-1]
}

// PutMix writes what Mix reads.
func (k Kind) PutMix(draw []int, with, share int) {
	n := k.Numbers()
	draw[n-2], draw[n-1] = with, share
}

// mix puts share·dst + (1−share)·other into dst, each product and the sum rounded.
func mix[T float32 | float64](dst, other []T, share int) {
	own, rest := T(share)/Whole, T(Whole-share)/Whole
	for j, x := range dst {
		dst[j] = T(own*x) + T(rest*other[j]) // the conversions keep a compiler from rounding once
	}
}

// Batch is what the images of a batch are made of.
type Batch struct {
	Kind
	Shape  [3]int // height, width, channels
	Images []byte // images one after the other
	Index  []int  // which of them those of the batch are; nil: they are the batch
	Draws  []int  // Numbers for each of the batch
	Planar bool   // the channels come first in what is made
}

// Make writes image i of a batch as numbers. spare has room for one image, and may be nil without Mixup.
//
// Cutout: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017: the square becomes 0 after
// normalisation. Mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018: share·x + (1−share)·other, each product and
// the sum rounded.
func Make[T float32 | float64](dst []T, b *Batch, i int, ts []Table[T], spare []T) {
	place(dst, b, i, ts)
	if !b.Mixup {
		return
	}
	with, share := b.Mix(b.draw(i))
	if share == Whole {
		return
	}
	spare = spare[:len(dst)]
	place(spare, b, with, ts)
	mix(dst, spare, share)
}

func (b *Batch) draw(i int) []int {
	n := b.Numbers()
	return b.Draws[i*n : (i+1)*n]
}

// place writes image i before it is mixed.
func place[T float32 | float64](dst []T, b *Batch, i int, ts []Table[T]) {
	h, w, ch := b.Shape[0], b.Shape[1], b.Shape[2]
	draw, from, size := b.draw(i), i, h*w*ch
	if b.Index != nil {
		from = b.Index[i]
	}
	Place(dst, b.Images[from*size:(from+1)*size], b.Shape, ts, b.Planar, FromInts(draw))
	cutOut(dst, b.Kind, draw, b.Shape, b.Planar)
}
