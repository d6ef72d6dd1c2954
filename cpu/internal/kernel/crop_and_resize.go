package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/internal/augment"
)

// CropAndResize is [op.CropAndResize]: boxes of pictures become images of one size.
type CropAndResize[T Float] struct {
	work     split // images
	pictures augment.Pictures[T]
	resizers []augment.Resizer[T] // by part
	spare    [][]T                // by part, with mixup
	loop     phase
	y        []T
}

// NewCropAndResize prepares n images of a shape (height, width, channels) made of pictures of at most so many pixels;
// cutout and mixup are those of op.CropAndResize.
func NewCropAndResize[T Float](p *pool.Pool, n, pixels int, shape [3]int, cutout int, mixup bool, norm Normalize) (*CropAndResize[T], error) {
	size := shape[0] * shape[1] * shape[2]
	if n < 1 || size < 1 || pixels < 1 {
		return nil, fmt.Errorf("kernel: CropAndResize of %d pictures of %d pixels to %v; want at least one, of at least one pixel", n, pixels, shape)
	}
	if err := norm.Check(shape[2]); err != nil {
		return nil, fmt.Errorf("kernel: CropAndResize: %w", err)
	}
	k := &CropAndResize[T]{work: splitBy(n, size), pictures: augment.Pictures[T]{Kind: augment.Kind{Boxes: true, Cutout: cutout, Mixup: mixup}, Shape: shape,
		Room: pixels * shape[2], Affine: augment.NewAffine[T](shape[2], norm)}}
	k.resizers = make([]augment.Resizer[T], k.work.parts)
	if k.spare = make([][]T, k.work.parts); mixup {
		for i := range k.spare {
			k.spare[i] = make([]T, size)
		}
	}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from the pictures x and the draws, which op.CropAndResize's check has let pass.
func (k *CropAndResize[T]) Run(y []T, x []byte, draws []int) {
	k.y, k.pictures.Bytes, k.pictures.Draws = y, x, draws
	k.loop.run()
}

func (k *CropAndResize[T]) part(_, part int) {
	s := k.pictures.Shape
	size := s[0] * s[1] * s[2]
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		k.pictures.Make(k.y[i*size:(i+1)*size], i, &k.resizers[part], k.spare[part])
	}
}
