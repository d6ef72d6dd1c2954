package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/internal/augment"
)

// Augment is [op.Augment]: images of bytes become numbers, each moved and mirrored as its draw says.
type Augment[T Float] struct {
	work   split // images
	shape  [3]int
	tables []augment.Table[T]
	loop   phase
	y      []T
	x      []byte
	draws  []int
}

// NewAugment prepares n images of a shape (height, width, channels).
func NewAugment[T Float](p *pool.Pool, n int, shape [3]int, mean, std []float32) (*Augment[T], error) {
	size := shape[0] * shape[1] * shape[2]
	if n < 1 || size < 1 {
		return nil, fmt.Errorf("kernel: Augment of %d images of %v; want at least one, of at least one pixel", n, shape)
	}
	if err := augment.Check(shape[2], mean, std); err != nil {
		return nil, fmt.Errorf("kernel: Augment: %w", err)
	}
	k := &Augment[T]{work: splitBy(n, size), shape: shape, tables: augment.Tables[T](shape[2], mean, std)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from the images x and the draws, n × 3, which op.Augment.CheckDraws has let pass.
func (k *Augment[T]) Run(y []T, x []byte, draws []int) {
	k.y, k.x, k.draws = y, x, draws
	k.loop.run()
}

func (k *Augment[T]) part(_, part int) {
	size := k.shape[0] * k.shape[1] * k.shape[2]
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		c := augment.FromInts(k.draws[i*augment.Numbers:])
		augment.Place(k.y[i*size:(i+1)*size], k.x[i*size:(i+1)*size], k.shape, k.tables, false, c)
	}
}
