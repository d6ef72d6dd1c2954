package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// The parts of an optimizer's step alone, for graphs in which they are not fused.

// AdamStep is the last part of [AdamUpdate] alone: w − rate(t)·m/(√v + ε), for graphs in which it is not fused.
type AdamStep[T Float] struct {
	work          split
	loop          phase
	beta1, beta2  float64
	epsilon, rate T
	out, w, m, v  []T
}

// NewAdamStep prepares the step for n elements.
func NewAdamStep[T Float](p *pool.Pool, n int, beta1, beta2, epsilon float64) (*AdamStep[T], error) {
	if err := checkLen("AdamStep", n); err != nil {
		return nil, err
	}
	k := &AdamStep[T]{work: splitBy(n, 1), beta1: beta1, beta2: beta2, epsilon: T(epsilon)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes out, which may be the memory of w. t counts the steps from 1.
func (k *AdamStep[T]) Run(out, w, m, v []T, lr T, t int) {
	n := k.work.n
	k.out, k.w, k.m, k.v = out[:n], w[:n], m[:n], v[:n]
	k.rate = T(adamRate(float64(lr), k.beta1, k.beta2, t))
	k.loop.run()
}

func (k *AdamStep[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		k.out[i] = k.w[i] - k.rate*k.m[i]/(T(math.Sqrt(float64(k.v[i])))+k.epsilon)
	}
}

// Combine is y = α·a + β·b, and with Square y = α·a + β·b²: running averages and the moments of Adam.
type Combine[T Float] struct {
	work        split
	loop        phase
	alpha, beta T
	square      bool
	y, a, b     []T
}

// NewCombine prepares y = alpha·a + beta·b over n elements: MovingAverage is (momentum, (1−momentum)·factor), AdamMean
// (β, 1−β), WeightDecay (1, rate).
func NewCombine[T Float](p *pool.Pool, n int, alpha, beta float64) (*Combine[T], error) {
	return newCombine[T](p, n, alpha, beta, false)
}

// NewCombineSquare prepares y = alpha·a + beta·b² over n elements: AdamSquare is (β, 1−β).
func NewCombineSquare[T Float](p *pool.Pool, n int, alpha, beta float64) (*Combine[T], error) {
	return newCombine[T](p, n, alpha, beta, true)
}

func newCombine[T Float](p *pool.Pool, n int, alpha, beta float64, square bool) (*Combine[T], error) {
	if err := checkLen("Combine", n); err != nil {
		return nil, err
	}
	k := &Combine[T]{work: splitBy(n, 1), alpha: T(alpha), beta: T(beta), square: square}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b; y may be the memory of one of them.
func (k *Combine[T]) Run(y, a, b []T) {
	k.y, k.a, k.b = y[:k.work.n], a[:k.work.n], b[:k.work.n]
	k.loop.run()
}

func (k *Combine[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	y, a, b := k.y[lo:hi], k.a[lo:hi], k.b[lo:hi]
	if k.square {
		for i := range y {
			y[i] = k.alpha*a[i] + k.beta*(b[i]*b[i])
		}
		return
	}
	axpby(y, a, b, k.alpha, k.beta)
}

// MomentumStep is the velocity and the weight step of [MomentumUpdate] alone, for graphs in which they are not fused:
// y = α·a + factor·b − lr·g.
type MomentumStep[T Float] struct {
	work    split
	loop    phase
	factor  T
	lr      T
	y, w, v []T
	g       []T
}

// NewMomentumStep prepares y = w + momentum·v − lr·g over n elements; with a nil w, the new velocity
// momentum·v − lr·g.
func NewMomentumStep[T Float](p *pool.Pool, n int, momentum float64) (*MomentumStep[T], error) {
	if err := checkLen("MomentumStep", n); err != nil {
		return nil, err
	}
	k := &MomentumStep[T]{work: splitBy(n, 1), factor: T(momentum)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y, which may be the memory of w, v or g.
func (k *MomentumStep[T]) Run(y, w, v, g []T, lr T) {
	n := k.work.n
	k.y, k.w, k.v, k.g, k.lr = y[:n], w, v[:n], g[:n], lr
	k.loop.run()
}

func (k *MomentumStep[T]) part(_, part int) {
	lo, hi := k.work.bounds(part)
	y, v, g := k.y[lo:hi], k.v[lo:hi], k.g[lo:hi]
	if k.w == nil {
		axpby(y, v, g, k.factor, -k.lr)
		return
	}
	w := k.w[lo:hi]
	for i := range y {
		y[i] = w[i] + (k.factor*v[i] - k.lr*g[i])
	}
}
