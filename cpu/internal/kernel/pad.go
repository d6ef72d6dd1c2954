package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Border puts a border of zeros round images, or takes one away: [op.ZeroPad2D] and [op.Crop2D].
type Border[T Float] struct {
	n, h, w, c               int // of the images without the border
	top, bottom, left, right int
	crop                     bool
	work                     split
	loop                     phase
	y, x                     []T
}

// NewZeroPad2D prepares the padding of n images of h×w pixels with c channels.
func NewZeroPad2D[T Float](p *pool.Pool, f shape.Layout, n, h, w, c, top, bottom, left, right int) (*Border[T], error) {
	return newBorder[T](p, f, n, h, w, c, top, bottom, left, right, false)
}

// NewCrop2D prepares the inverse: the n images of the result have h×w pixels, those of the input the border as well.
func NewCrop2D[T Float](p *pool.Pool, f shape.Layout, n, h, w, c, top, bottom, left, right int) (*Border[T], error) {
	return newBorder[T](p, f, n, h, w, c, top, bottom, left, right, true)
}

func newBorder[T Float](p *pool.Pool, f shape.Layout, n, h, w, c, top, bottom, left, right int, crop bool) (*Border[T], error) {
	if n < 1 || h < 1 || w < 1 || c < 1 || top < 0 || bottom < 0 || left < 0 || right < 0 {
		return nil, fmt.Errorf("kernel: a border of %d,%d,%d,%d round %d images %d×%d×%d; sizes must be at least 1, borders at least 0",
			top, bottom, left, right, n, h, w, c)
	}
	if f == shape.NCHW { // each channel is an image
		n, c = n*c, 1
	}
	k := &Border[T]{n: n, h: h, w: w, c: c, top: top, bottom: bottom, left: left, right: right, crop: crop}
	if crop {
		k.work = splitBy(n*h, w*c)
	} else {
		k.work = splitBy(n*(h+top+bottom), (w+left+right)*c)
	}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *Border[T]) Run(y, x []T) {
	k.y, k.x = y, x
	k.loop.run()
}

func (k *Border[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	small, wide, high := k.w*k.c, (k.left+k.w+k.right)*k.c, k.top+k.h+k.bottom
	for row := lo; row < hi; row++ {
		if k.crop {
			n, i := row/k.h, row%k.h
			copy(k.y[row*small:(row+1)*small], k.x[(n*high+k.top+i)*wide+k.left*k.c:])
			continue
		}
		n, i := row/high, row%high-k.top
		y := k.y[row*wide : (row+1)*wide]
		if i < 0 || i >= k.h {
			clear(y)
			continue
		}
		clear(y[:k.left*k.c])
		copy(y[k.left*k.c:], k.x[(n*k.h+i)*small:][:small])
		clear(y[k.left*k.c+small:])
	}
}
