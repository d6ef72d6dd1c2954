package kernel

import (
	"math"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// MomentumUpdate is one step of gradient descent with momentum over the n elements of a parameter, in one sweep:
//
//	g' = g + weightDecay·w
//	v  = momentum·v − lr·g'
//	w  = w + v, or w + momentum·v − lr·g' with Nesterov's look-ahead
//
// as Keras's SGD does it. Momentum 0 is plain descent, with v = −lr·g'.
type MomentumUpdate[T Float] struct {
	work       split
	loop       phase
	momentum   T
	decay      weightDecay[T]
	nesterov   bool
	lr         T
	w, v, g    []T
	newW, newV []T
}

// NewMomentumUpdate prepares the step for n elements.
func NewMomentumUpdate[T Float](p *pool.Pool, n int, momentum, weightDecay float64, nesterov bool) (*MomentumUpdate[T], error) {
	if err := checkLen("MomentumUpdate", n); err != nil {
		return nil, err
	}
	k := &MomentumUpdate[T]{work: splitBy(n, 1), momentum: T(momentum),
		decay: newWeightDecay[T](p, weightDecay), nesterov: nesterov}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the new weights and velocities from the old ones and the gradient g; newW may be the memory of w and
// newV that of v.
func (k *MomentumUpdate[T]) Run(newW, newV, w, v, g []T, lr T) {
	n := k.work.n
	k.newW, k.newV, k.w, k.v, k.g, k.lr = newW[:n], newV[:n], w[:n], v[:n], g[:n], lr
	k.loop.run()
}

func (k *MomentumUpdate[T]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for ; lo < hi; lo += loopBlock {
		end := min(lo+loopBlock, hi)
		w, v := k.newW[lo:end], k.newV[lo:end]
		g := k.decay.apply(worker, k.g[lo:end], k.w[lo:end])
		moveTo(w, k.w[lo:end])
		moveTo(v, k.v[lo:end])
		ops[T]().Momentum(w, v, g, k.lr, k.momentum, k.nesterov)
	}
}

// weightDecay is g + rate·w, computed in blocks into memory of the workers.
type weightDecay[T Float] struct {
	rate T
	buf  []T
}

func newWeightDecay[T Float](p *pool.Pool, rate float64) weightDecay[T] {
	d := weightDecay[T]{rate: T(rate)}
	if rate != 0 {
		d.buf = make([]T, p.Threads()*loopBlock)
	}
	return d
}

// apply returns the decayed gradient of up to loopBlock elements.
func (d *weightDecay[T]) apply(worker int, g, w []T) []T {
	if d.rate == 0 {
		return g
	}
	to := d.buf[worker*loopBlock:][:len(g)]
	axpy(to, g, w, d.rate)
	return to
}

// AdamUpdate is one step of Adam (Kingma and Ba, 2015) over the n elements of a parameter, in one sweep, in Keras's
// form:
//
//	g' = g + weightDecay·w
//	m  = β1·m + (1−β1)·g',  v = β2·v + (1−β2)·g'²
//	w  = w − lr·√(1−β2ᵗ)/(1−β1ᵗ)·m/(√v + ε)
type AdamUpdate[T Float] struct {
	work                  split
	loop                  phase
	beta1, beta2, epsilon float64
	rate                  float64
	decay                 weightDecay[T]
	w, m, v, g            []T
	newW, newM, newV      []T
}

// NewAdamUpdate prepares the step for n elements.
func NewAdamUpdate[T Float](p *pool.Pool, n int, beta1, beta2, epsilon, weightDecay float64) (*AdamUpdate[T], error) {
	if err := checkLen("AdamUpdate", n); err != nil {
		return nil, err
	}
	k := &AdamUpdate[T]{work: splitBy(n, 1), beta1: beta1, beta2: beta2, epsilon: epsilon,
		decay: newWeightDecay[T](p, weightDecay)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the new weights and moments from the old ones and the gradient g; each result may be the memory of the
// value it replaces. t counts the steps from 1.
func (k *AdamUpdate[T]) Run(newW, newM, newV, w, m, v, g []T, lr T, t int) {
	n := k.work.n
	k.newW, k.newM, k.newV, k.w, k.m, k.v, k.g = newW[:n], newM[:n], newV[:n], w[:n], m[:n], v[:n], g[:n]
	k.rate = adamRate(float64(lr), k.beta1, k.beta2, t)
	k.loop.run()
}

// adamRate is the learning rate with both bias corrections.
func adamRate(lr, beta1, beta2 float64, t int) float64 {
	o := op.AdamStep{Beta1: beta1, Beta2: beta2}
	return o.Rate(lr, t)
}

func (k *AdamUpdate[T]) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for ; lo < hi; lo += loopBlock {
		end := min(lo+loopBlock, hi)
		w, m, v := k.newW[lo:end], k.newM[lo:end], k.newV[lo:end]
		g := k.decay.apply(worker, k.g[lo:end], k.w[lo:end])
		moveTo(w, k.w[lo:end])
		moveTo(m, k.m[lo:end])
		moveTo(v, k.v[lo:end])
		ops[T]().Adam(w, m, v, g, k.rate, k.beta1, k.beta2, k.epsilon)
	}
}

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
