package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/ir"
)

// Random is [ir.Random], cut into parts: what is drawn is a function of the element's number.
type Random[T Float] struct {
	source *ir.Source
	n      int
	work   split // pairs of elements
	loop   phase
	y      []T
	number int
}

// NewRandom prepares drawing n elements.
func NewRandom[T Float](p *pool.Pool, n int, source *ir.Source) (*Random[T], error) {
	if err := checkLen("Random", n); err != nil {
		return nil, err
	}
	k := &Random[T]{source: source, n: n, work: splitBy((n+1)/2, 2*philoxCost)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run draws the elements of a run.
func (k *Random[T]) Run(y []T, run int) {
	k.y, k.number = y[:k.n], run
	k.loop.run()
}

func (k *Random[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	ir.Draw(k.source, k.y[2*lo:min(2*hi, k.n)], 2*lo, k.number)
}
