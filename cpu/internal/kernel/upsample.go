package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// Upsample is [ir.Upsample], or with NewUpsampleGrad its gradient: rows of w pixels, each of which is scale×scale
// pixels of the larger image.
type Upsample[T Float] struct {
	w, scale     int
	work         split // rows of the smaller image
	loop         phase
	large, small []T
}

func newUpsample[T Float](kernel string, rows, w, scale int) (*Upsample[T], error) {
	if rows < 1 || w < 1 || scale < 1 {
		return nil, fmt.Errorf("kernel: %s of %d rows of %d pixels by %d; want at least 1", kernel, rows, w, scale)
	}
	return &Upsample[T]{w: w, scale: scale, work: splitBy(rows, w*scale*scale)}, nil
}

// NewUpsample prepares enlarging rows of w pixels, those of all images and channels.
func NewUpsample[T Float](p *pool.Pool, rows, w, scale int) (*Upsample[T], error) {
	k, err := newUpsample[T]("Upsample", rows, w, scale)
	if err != nil {
		return nil, err
	}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x, which must not overlap.
func (k *Upsample[T]) Run(y, x []T) { k.run(y, x) }

func (k *Upsample[T]) run(large, small []T) {
	n := k.work.n * k.w
	k.large, k.small = large[:n*k.scale*k.scale], small[:n]
	k.loop.run()
}

func (k *Upsample[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	width := k.w * k.scale
	for row := lo; row < hi; row++ {
		x := k.small[row*k.w : (row+1)*k.w]
		y := k.large[row*k.scale*width : (row+1)*k.scale*width]
		if k.scale == 2 {
			first := y[:2*len(x)]
			for i, v := range x {
				first[2*i], first[2*i+1] = v, v
			}
		} else {
			to := y
			for _, v := range x {
				for i := range to[:k.scale] {
					to[i] = v
				}
				to = to[k.scale:]
			}
		}
		for i := 1; i < k.scale; i++ {
			copy(y[i*width:(i+1)*width], y[:width])
		}
	}
}

// UpsampleGrad is [ir.UpsampleGrad].
type UpsampleGrad[T Float] struct{ forward *Upsample[T] }

// NewUpsampleGrad prepares the gradient for rows of w pixels of dx.
func NewUpsampleGrad[T Float](p *pool.Pool, rows, w, scale int) (*UpsampleGrad[T], error) {
	k, err := newUpsample[T]("UpsampleGrad", rows, w, scale)
	if err != nil {
		return nil, err
	}
	k.loop = newPhase(p, k.work.parts, k.gradPart)
	return &UpsampleGrad[T]{k}, nil
}

// Run computes dx from dy, which must not overlap.
func (k *UpsampleGrad[T]) Run(dx, dy []T) { k.forward.run(dy, dx) }

func (k *Upsample[T]) gradPart(_, part int) {
	lo, hi := k.work.bounds(part)
	width := k.w * k.scale
	for row := lo; row < hi; row++ {
		dx := k.small[row*k.w : (row+1)*k.w]
		if k.scale == 2 {
			a := k.large[2*row*width:][:width]
			b := k.large[(2*row+1)*width:][:width]
			for i := range dx {
				dx[i] = (a[2*i] + a[2*i+1]) + (b[2*i] + b[2*i+1])
			}
			continue
		}
		for i := range k.scale {
			dy := k.large[(row*k.scale+i)*width:][:width]
			for j := range dx {
				sum := dy[0]
				for _, v := range dy[1:k.scale] {
					sum += v
				}
				dy = dy[k.scale:]
				if i > 0 {
					sum += dx[j]
				}
				dx[j] = sum
			}
		}
	}
}
