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
type MomentumUpdate struct {
	work       split
	loop       phase
	momentum   float32
	decay      weightDecay
	nesterov   bool
	lr         float32
	w, v, g    []float32
	newW, newV []float32
}

// NewMomentumUpdate prepares the step for n elements.
func NewMomentumUpdate(p *pool.Pool, n int, momentum, weightDecay float64, nesterov bool) (*MomentumUpdate, error) {
	if err := checkLen("MomentumUpdate", n); err != nil {
		return nil, err
	}
	k := &MomentumUpdate{work: splitBy(n, 1), momentum: float32(momentum),
		decay: newWeightDecay(p, weightDecay), nesterov: nesterov}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the new weights and velocities from the old ones and the gradient g; newW may be the memory of w and
// newV that of v.
func (k *MomentumUpdate) Run(newW, newV, w, v, g []float32, lr float32) {
	n := k.work.n
	k.newW, k.newV, k.w, k.v, k.g, k.lr = newW[:n], newV[:n], w[:n], v[:n], g[:n], lr
	k.loop.run()
}

func (k *MomentumUpdate) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for ; lo < hi; lo += loopBlock {
		end := min(lo+loopBlock, hi)
		w, v := k.newW[lo:end], k.newV[lo:end]
		g := k.decay.apply(worker, k.g[lo:end], k.w[lo:end])
		moveTo(w, k.w[lo:end])
		moveTo(v, k.v[lo:end])
		ops.Momentum(w, v, g, k.lr, k.momentum, k.nesterov)
	}
}

// weightDecay is g + rate·w, computed in blocks into memory of the workers.
type weightDecay struct {
	rate float32
	buf  []float32
}

func newWeightDecay(p *pool.Pool, rate float64) weightDecay {
	d := weightDecay{rate: float32(rate)}
	if rate != 0 {
		d.buf = make([]float32, p.Threads()*loopBlock)
	}
	return d
}

// apply returns the decayed gradient of up to loopBlock elements.
func (d *weightDecay) apply(worker int, g, w []float32) []float32 {
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
type AdamUpdate struct {
	work                  split
	loop                  phase
	beta1, beta2, epsilon float64
	rate                  float64
	decay                 weightDecay
	w, m, v, g            []float32
	newW, newM, newV      []float32
}

// NewAdamUpdate prepares the step for n elements.
func NewAdamUpdate(p *pool.Pool, n int, beta1, beta2, epsilon, weightDecay float64) (*AdamUpdate, error) {
	if err := checkLen("AdamUpdate", n); err != nil {
		return nil, err
	}
	k := &AdamUpdate{work: splitBy(n, 1), beta1: beta1, beta2: beta2, epsilon: epsilon,
		decay: newWeightDecay(p, weightDecay)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes the new weights and moments from the old ones and the gradient g; each result may be the memory of the
// value it replaces. t counts the steps from 1.
func (k *AdamUpdate) Run(newW, newM, newV, w, m, v, g []float32, lr float32, t int) {
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

func (k *AdamUpdate) part(worker, part int) {
	lo, hi := k.work.bounds(part)
	for ; lo < hi; lo += loopBlock {
		end := min(lo+loopBlock, hi)
		w, m, v := k.newW[lo:end], k.newM[lo:end], k.newV[lo:end]
		g := k.decay.apply(worker, k.g[lo:end], k.w[lo:end])
		moveTo(w, k.w[lo:end])
		moveTo(m, k.m[lo:end])
		moveTo(v, k.v[lo:end])
		ops.Adam(w, m, v, g, k.rate, k.beta1, k.beta2, k.epsilon)
	}
}

// AdamStep is the last part of [AdamUpdate] alone: w − rate(t)·m/(√v + ε), for graphs in which it is not fused.
type AdamStep struct {
	work          split
	loop          phase
	beta1, beta2  float64
	epsilon, rate float32
	out, w, m, v  []float32
}

// NewAdamStep prepares the step for n elements.
func NewAdamStep(p *pool.Pool, n int, beta1, beta2, epsilon float64) (*AdamStep, error) {
	if err := checkLen("AdamStep", n); err != nil {
		return nil, err
	}
	k := &AdamStep{work: splitBy(n, 1), beta1: beta1, beta2: beta2, epsilon: float32(epsilon)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes out, which may be the memory of w. t counts the steps from 1.
func (k *AdamStep) Run(out, w, m, v []float32, lr float32, t int) {
	n := k.work.n
	k.out, k.w, k.m, k.v = out[:n], w[:n], m[:n], v[:n]
	k.rate = float32(adamRate(float64(lr), k.beta1, k.beta2, t))
	k.loop.run()
}

func (k *AdamStep) part(_, part int) {
	lo, hi := k.work.bounds(part)
	for i := lo; i < hi; i++ {
		k.out[i] = k.w[i] - k.rate*k.m[i]/(float32(math.Sqrt(float64(k.v[i])))+k.epsilon)
	}
}

// Combine is y = α·a + β·b, and with Square y = α·a + β·b²: running averages and the moments of Adam.
type Combine struct {
	work        split
	loop        phase
	alpha, beta float32
	square      bool
	y, a, b     []float32
}

// NewCombine prepares y = alpha·a + beta·b over n elements: MovingAverage is (momentum, (1−momentum)·factor), AdamMean
// (β, 1−β), WeightDecay (1, rate).
func NewCombine(p *pool.Pool, n int, alpha, beta float64) (*Combine, error) {
	return newCombine(p, n, alpha, beta, false)
}

// NewCombineSquare prepares y = alpha·a + beta·b² over n elements: AdamSquare is (β, 1−β).
func NewCombineSquare(p *pool.Pool, n int, alpha, beta float64) (*Combine, error) {
	return newCombine(p, n, alpha, beta, true)
}

func newCombine(p *pool.Pool, n int, alpha, beta float64, square bool) (*Combine, error) {
	if err := checkLen("Combine", n); err != nil {
		return nil, err
	}
	k := &Combine{work: splitBy(n, 1), alpha: float32(alpha), beta: float32(beta), square: square}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y from a and b; y may be the memory of one of them.
func (k *Combine) Run(y, a, b []float32) {
	k.y, k.a, k.b = y[:k.work.n], a[:k.work.n], b[:k.work.n]
	k.loop.run()
}

func (k *Combine) part(_, part int) {
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
type MomentumStep struct {
	work    split
	loop    phase
	factor  float32
	lr      float32
	y, w, v []float32
	g       []float32
}

// NewMomentumStep prepares y = w + momentum·v − lr·g over n elements; with a nil w, the new velocity
// momentum·v − lr·g.
func NewMomentumStep(p *pool.Pool, n int, momentum float64) (*MomentumStep, error) {
	if err := checkLen("MomentumStep", n); err != nil {
		return nil, err
	}
	k := &MomentumStep{work: splitBy(n, 1), factor: float32(momentum)}
	k.loop = newPhase(p, k.work.parts, k.part)
	return k, nil
}

// Run computes y, which may be the memory of w, v or g.
func (k *MomentumStep) Run(y, w, v, g []float32, lr float32) {
	n := k.work.n
	k.y, k.w, k.v, k.g, k.lr = y[:n], w, v[:n], g[:n], lr
	k.loop.run()
}

func (k *MomentumStep) part(_, part int) {
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
