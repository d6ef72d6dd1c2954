package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/philox"
)

// Dropout is [op.Dropout]: it clears elements with probability rate and scales the others by 1/(1−rate). Which ones is
// a function of seed, stream, step and the element's number, so that the backward pass is the same kernel on dy.
type Dropout[T Float] struct {
	work      split // blocks of four elements
	n         int
	threshold uint32
	factor    T
	key       [2]uint32
	stream    uint32
	step      uint32
	loop      phase
	y, x      []T
}

// philoxCost is the price of a block of random words in elements of plain arithmetic.
const philoxCost = 32

// NewDropout prepares dropout over n elements; rate is at least 0 and below 1.
func NewDropout[T Float](p *pool.Pool, n int, rate float64, seed uint64, stream uint32) (*Dropout[T], error) {
	if err := checkLen("Dropout", n); err != nil {
		return nil, err
	}
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("kernel: Dropout with rate %v; want at least 0 and below 1", rate)
	}
	o := op.Dropout{Rate: rate}
	k := &Dropout[T]{work: splitBy((n+3)/4, philoxCost), n: n, threshold: o.Threshold(), factor: T(o.Scale()),
		key: philox.Key(seed), stream: stream}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from x for a step; they may be the same memory.
func (k *Dropout[T]) Run(y, x []T, step int) {
	k.y, k.x, k.step = y[:k.n], x[:k.n], uint32(step)
	k.loop.run()
}

func (k *Dropout[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for b := lo; b < hi; b++ {
		words := philox.Block([4]uint32{uint32(b), uint32(uint64(b) >> 32), k.stream, k.step}, k.key)
		x := k.x[4*b : min(4*b+4, k.n)]
		y := k.y[4*b:][:len(x)]
		for i, v := range x {
			v *= k.factor
			if words[i]>>8 < k.threshold {
				v = 0
			}
			y[i] = v
		}
	}
}
