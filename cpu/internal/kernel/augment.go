package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/internal/augment"
)

// Augment is [op.Augment]: images of bytes become numbers, each moved, mirrored and so on as its draw says.
type Augment[T Float] struct {
	work   split // images
	tables []augment.Table[T]
	loop   phase
	y      []T
	batch  augment.Batch
	spare  [][]T // by part, with mixup
}

// Normalize is what becomes of bytes, as op.Augment and op.CropAndResize have it.
type Normalize = augment.Normalize

// NewAugment prepares n images of a shape (height, width, channels); cutout and mixup are those of op.Augment.
func NewAugment[T Float](p *pool.Pool, n int, shape [3]int, cutout int, mixup bool, norm Normalize) (*Augment[T], error) {
	size := shape[0] * shape[1] * shape[2]
	if n < 1 || size < 1 {
		return nil, fmt.Errorf("kernel: Augment of %d images of %v; want at least one, of at least one pixel", n, shape)
	}
	if err := norm.Check(shape[2]); err != nil {
		return nil, fmt.Errorf("kernel: Augment: %w", err)
	}
	k := &Augment[T]{work: splitBy(n, size), batch: augment.Batch{Kind: augment.Kind{Cutout: cutout, Mixup: mixup}, Shape: shape}, tables: augment.Tables[T](shape[2], norm)}
	if k.spare = make([][]T, k.work.parts); mixup {
		for i := range k.spare {
			k.spare[i] = make([]T, size)
		}
	}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from the images x, those that index names or, if it is nil, all, and the draws, which op.Augment's checks have let
// pass.
func (k *Augment[T]) Run(y []T, x []byte, draws, index []int) {
	k.y, k.batch.Images, k.batch.Draws, k.batch.Index = y, x, draws, index
	k.loop.run()
}

func (k *Augment[T]) part(_, part int) {
	s := k.batch.Shape
	size := s[0] * s[1] * s[2]
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		augment.Make(k.y[i*size:(i+1)*size], &k.batch, i, k.tables, k.spare[part])
	}
}
