package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/internal/augment"
)

// CropAndResize is [op.CropAndResize]: boxes of pictures become images of one size.
type CropAndResize[T Float] struct {
	work     split // images
	shape    [3]int
	room     int // bytes of a picture
	affine   augment.Affine[T]
	resizers []augment.Resizer[T] // by part
	loop     phase
	y        []T
	x        []byte
	draws    []int
}

// NewCropAndResize prepares n images of a shape (height, width, channels) made of pictures of at most so many pixels.
func NewCropAndResize[T Float](p *pool.Pool, n, pixels int, shape [3]int, mean, std []float32) (*CropAndResize[T], error) {
	size := shape[0] * shape[1] * shape[2]
	if n < 1 || size < 1 || pixels < 1 {
		return nil, fmt.Errorf("kernel: CropAndResize of %d pictures of %d pixels to %v; want at least one, of at least one pixel", n, pixels, shape)
	}
	if err := augment.Check(shape[2], mean, std); err != nil {
		return nil, fmt.Errorf("kernel: CropAndResize: %w", err)
	}
	k := &CropAndResize[T]{work: splitBy(n, size), shape: shape, room: pixels * shape[2], affine: augment.NewAffine[T](shape[2], mean, std)}
	k.resizers = make([]augment.Resizer[T], k.work.parts)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from the pictures x and the draws, which op.CropAndResize's check has let pass.
func (k *CropAndResize[T]) Run(y []T, x []byte, draws []int) {
	k.y, k.x, k.draws = y, x, draws
	k.loop.run()
}

func (k *CropAndResize[T]) part(_, part int) {
	size := k.shape[0] * k.shape[1] * k.shape[2]
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		k.resizers[part].Resize(k.y[i*size:(i+1)*size], k.x[i*k.room:(i+1)*k.room], augment.BoxFromInts(k.draws[i*augment.BoxNumbers:]),
			k.shape, k.affine, false)
	}
}
