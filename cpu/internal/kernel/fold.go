package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// FoldNorm is [graph.FoldNorm]: weights that do what a batch norm behind them did.
type FoldNorm[T Float] struct {
	c       Channels
	epsilon float64
	scales  []T
	work    split
	loop    phase
	to, w   []T
}

// NewFoldNorm prepares it for weights of which c is the axis of the filters or columns.
func NewFoldNorm[T Float](p *pool.Pool, c Channels, epsilon float64) (*FoldNorm[T], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := &FoldNorm[T]{c: c, epsilon: epsilon, scales: make([]T, c.C), work: splitBy(c.Outer, c.C*c.Inner)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the weights and the bias, both of which must not overlap the others. bias may be nil.
func (k *FoldNorm[T]) Run(weights, shift, w, gamma, beta, mean, variance, bias []T) {
	for i := range k.scales {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+k.epsilon)
		k.scales[i] = T(s)
		from := -float64(mean[i])
		if bias != nil {
			from += float64(bias[i])
		}
		shift[i] = T(from*s + float64(beta[i]))
	}
	k.to, k.w = weights, w
	k.loop.run()
}

func (k *FoldNorm[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for row := lo; row < hi; row++ {
		at := row * k.c.C * k.c.Inner
		if k.c.Inner == 1 {
			mul(k.to[at:at+k.c.C], k.w[at:at+k.c.C], k.scales)
			continue
		}
		for i, s := range k.scales {
			scale(k.to[at+i*k.c.Inner:][:k.c.Inner], k.w[at+i*k.c.Inner:][:k.c.Inner], s)
		}
	}
}
