package kernel

import "github.com/stheno-ml/stheno/cpu/internal/pool"

// Reduction is the sum of the elements of an array, or of their squares, times a factor; in float64, block by block in
// a fixed order. See [NewSum], [NewMean], [NewL2Penalty].
type Reduction struct {
	work    split
	loop    phase
	squares bool
	factor  float64
	partial []float64
	x       []float32
}

// NewSum prepares the sum of n elements.
func NewSum(p *pool.Pool, n int) (*Reduction, error) { return newReduction(p, "Sum", n, 1, false) }

// NewMean prepares the mean of n elements.
func NewMean(p *pool.Pool, n int) (*Reduction, error) {
	return newReduction(p, "Mean", n, 1/float64(max(n, 1)), false)
}

// NewL2Penalty prepares lambda·Σx² over n elements.
func NewL2Penalty(p *pool.Pool, n int, lambda float64) (*Reduction, error) {
	return newReduction(p, "L2Penalty", n, lambda, true)
}

func newReduction(p *pool.Pool, name string, n int, factor float64, squares bool) (*Reduction, error) {
	if err := checkLen(name, n); err != nil {
		return nil, err
	}
	k := &Reduction{work: splitBy(n, 1), factor: factor, squares: squares}
	k.partial = make([]float64, k.work.parts)
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run returns the reduction of x.
func (k *Reduction) Run(x []float32) float32 {
	k.x = x[:k.work.n]
	k.loop.run()
	var total float64
	for _, v := range k.partial {
		total += v
	}
	return float32(total * k.factor)
}

func (k *Reduction) part(_, part int) {
	lo, hi := k.work.bounds(part)
	if k.squares {
		k.partial[part] = ops.SumSquares(k.x[lo:hi])
	} else {
		k.partial[part] = sum(k.x[lo:hi])
	}
}
