package augment

// Pictures is what the images of a batch are made of, of pictures of many sizes.
type Pictures[T float32 | float64] struct {
	Kind          // with Boxes
	Shape  [3]int // height, width, channels of an image
	Room   int    // bytes of a picture
	Bytes  []byte // pictures, Room bytes each
	Draws  []int  // Numbers for each
	Affine Affine[T]
	Planar bool // the channels come first in what is made
}

func (p *Pictures[T]) draw(i int) []int {
	n := p.Numbers()
	return p.Draws[i*n : (i+1)*n]
}

// Make writes image i of a batch as numbers. spare has room for one image, and may be nil without Mixup. What is cut out and mixed is as Make says
// of images in memory.
func (p *Pictures[T]) Make(dst []T, i int, z *Resizer[T], spare []T) {
	p.MakeOwn(dst, i, p.Bytes[i*p.Room:(i+1)*p.Room], z)
	if !p.Mixup {
		return
	}
	with, share := p.Mix(p.draw(i))
	if share == Whole {
		return
	}
	spare = spare[:len(dst)]
	p.MakeOwn(spare, with, p.Bytes[with*p.Room:(with+1)*p.Room], z)
	mix(dst, spare, share)
}

// MakeOwn writes image i, of the picture that is given, before it is mixed.
func (p *Pictures[T]) MakeOwn(dst []T, i int, picture []byte, z *Resizer[T]) {
	draw := p.draw(i)
	z.Resize(dst, picture, BoxFromInts(draw), p.Shape, p.Affine, p.Planar)
	cutOut(dst, p.Kind, draw, p.Shape, p.Planar)
}

// MixAll mixes the images of a batch, all of which MakeOwn has written one after the other: each with another one as the draws say, which is a
// permutation. The results are those of Make. spare has room for one image.
func (p *Pictures[T]) MixAll(images []T, spare []T) {
	size := p.Shape[0] * p.Shape[1] * p.Shape[2]
	n := len(images) / size
	image := func(i int) []T { return images[i*size : (i+1)*size] }
	done := make([]bool, n)
	for first := range n {
		// Along a cycle every image is mixed before it is needed no more, but for the first one, which the last needs.
		for i := first; !done[i]; {
			done[i] = true
			with, share := p.Mix(p.draw(i))
			if i == first {
				copy(spare[:size], image(first))
			}
			other := image(with)
			if with == first {
				other = spare[:size]
			}
			if share != Whole {
				mix(image(i), other, share)
			}
			i = with
		}
	}
}
