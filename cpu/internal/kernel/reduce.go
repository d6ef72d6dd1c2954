package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// Reduction is the sum of the elements of an array, or of their squares, times a factor; in float64, block by block in
// a fixed order. See [NewSum], [NewMean], [NewL2Penalty].
type Reduction[T Float] struct {
	work    split
	loop    phase
	squares bool
	factor  float64
	partial []float64
	x       []T
}

// NewSum prepares the sum of n elements.
func NewSum[T Float](p *pool.Pool, n int) (*Reduction[T], error) {
	return newReduction[T](p, "Sum", n, 1, false)
}

// NewMean prepares the mean of n elements.
func NewMean[T Float](p *pool.Pool, n int) (*Reduction[T], error) {
	return newReduction[T](p, "Mean", n, 1/float64(max(n, 1)), false)
}

// NewL2Penalty prepares lambda·Σx² over n elements.
func NewL2Penalty[T Float](p *pool.Pool, n int, lambda float64) (*Reduction[T], error) {
	return newReduction[T](p, "L2Penalty", n, lambda, true)
}

func newReduction[T Float](p *pool.Pool, name string, n int, factor float64, squares bool) (*Reduction[T], error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Reduction[T]{work: splitBy(n, 1), factor: factor, squares: squares}
	k.partial = make([]float64, k.work.parts)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run returns the reduction of x.
func (k *Reduction[T]) Run(x []T) T {
	k.x = x[:k.work.n]
	k.loop.run()
	var total float64
	for _, v := range k.partial {
		total += v
	}
	return T(total * k.factor)
}

func (k *Reduction[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	if k.squares {
		k.partial[part] = ops[T]().SumSquares(k.x[lo:hi])
	} else {
		k.partial[part] = sum(k.x[lo:hi])
	}
}
