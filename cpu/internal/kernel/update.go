package kernel

import (
	"errors"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

// UpdateOptions are what the step of an optimizer does besides, in the same sweep over the weights.
type UpdateOptions struct {
	L2          float64 // adds 2·L2·s·w to the gradient, where s is a number of the run: that of an L2 penalty
	WeightDecay float64 // then adds WeightDecay·w
	Penalty     float64 // takes Penalty·Σw² of the old weights, as [NewL2Penalty] does; only with L2
}

// update is what the steps of all optimizers have in common: the loop over the elements, and what weights add to gradients.
type update[T Float] struct {
	Scratch[T]
	UpdateOptions
	work    split
	loop    phase
	g       []T // of the run under way
	factor  T   // 2·L2·s
	decay   T
	sums    area[T]   // a block of each worker for gradients with what is added to them, where the loop over the weights does not add it
	block   int       // elements of such a block
	squares []float64 // Σw² of each part
	// apply makes the step of elements from lo on with their gradient g, and returns Σw² of the old ones.
	apply func(worker, lo int, g []T) (squares float64)
}

// updateBlock is the number of elements that an update handles at a time. It is that of [vec.Ops.SumSquares], whose sums it
// repeats.
const updateBlock = 4096

// prepare makes the step ready; with adds, apply wants gradient.
func (u *update[T]) prepare(p *pool.Pool, name string, n int, o UpdateOptions, adds bool, apply func(worker, lo int, g []T) float64) error {
	if err := checkLen(name, n); err != nil {
		return err
	}
	if o.Penalty != 0 && o.L2 == 0 {
		return errors.New("kernel: an update with a penalty and without its gradient")
	}
	u.UpdateOptions, u.apply, u.decay = o, apply, T(o.WeightDecay)
	u.work = splitBy(n, 1)
	u.loop = newPhase(p, u.work.parts, u.part)
	u.squares = make([]float64, u.work.parts)
	if adds {
		const line = 16
		u.block = ceilDiv(min(n, updateBlock), line) * line
		u.sums = u.reserve(p.Threads() * u.block)
	}
	return nil
}

// Apply updates the weights that Begin was told with the gradient g.
func (u *update[T]) Apply(g []T) {
	u.g = g[:u.work.n]
	u.loop.run()
}

func (u *update[T]) part(worker, part int) {
	lo, hi := u.work.bounds(part)
	u.squares[part] = u.apply(worker, lo, u.g[lo:hi])
}

// LastPenalty is that of the weights before the last step.
func (u *update[T]) LastPenalty() T {
	var total float64
	for _, v := range u.squares {
		total += v
	}
	return T(total * u.Penalty)
}

// scaled is the number that the weights of a run are multiplied by for the gradient of the penalty.
func (u *update[T]) scaled(s T) T { return T(2 * u.L2 * float64(s)) }

// gradient returns g with what the weights add to it, for up to updateBlock elements.
func (u *update[T]) gradient(worker int, g, w []T, withDecay bool) []T {
	to := u.sums.of(&u.Scratch)[worker*u.block:][:len(g)]
	if u.L2 != 0 {
		axpy(to, g, w, u.factor)
		g = to
	}
	if withDecay && u.decay != 0 {
		axpy(to, g, w, u.decay)
		g = to
	}
	return g
}

// MomentumUpdate is one step of gradient descent with momentum over the n elements of a parameter, in one sweep:
//
//	g' = g + weightDecay·w
//	v  = momentum·v − lr·g'
//	w  = w + v, or w + momentum·v − lr·g' with Nesterov's look-ahead
//
// as Keras's SGD does it. Momentum 0 is plain descent, with v = −lr·g'.
type MomentumUpdate[T Float] struct {
	update[T]
	momentum   T
	nesterov   bool
	lr         T
	w, v       []T
	newW, newV []T
}

// NewMomentumUpdate prepares the step for n elements.
func NewMomentumUpdate[T Float](p *pool.Pool, n int, momentum float64, nesterov bool, o UpdateOptions) (*MomentumUpdate[T], error) {
	k := &MomentumUpdate[T]{momentum: T(momentum), nesterov: nesterov}
	return k, k.prepare(p, "MomentumUpdate", n, o, o.L2 != 0 && o.WeightDecay != 0, k.piece)
}

// Begin tells what the next Apply computes the new weights and velocities from; newW may be the memory of w and newV that of
// v. s is what L2 wants.
func (k *MomentumUpdate[T]) Begin(newW, newV, w, v []T, lr, s T) {
	n := k.work.n
	k.newW, k.newV, k.w, k.v, k.lr, k.factor = newW[:n], newV[:n], w[:n], v[:n], lr, k.scaled(s)
}

func (k *MomentumUpdate[T]) piece(worker, lo int, g []T) (squares float64) {
	o := ops[T]()
	for len(g) > 0 {
		n := min(len(g), updateBlock)
		w, v, old, grad := k.newW[lo:lo+n], k.newV[lo:lo+n], k.w[lo:lo+n], g[:n]
		rate := k.decay
		switch {
		case k.L2 != 0 && k.decay != 0:
			grad = k.gradient(worker, grad, old, false)
		case k.L2 != 0:
			rate = k.factor
		}
		moveTo(w, old)
		moveTo(v, k.v[lo:lo+n])
		switch {
		case k.Penalty != 0:
			squares += o.MomentumSquares(w, v, grad, k.lr, k.momentum, rate, k.nesterov)
		case k.L2 != 0 || k.decay != 0:
			o.MomentumDecay(w, v, grad, k.lr, k.momentum, rate, k.nesterov)
		default:
			o.Momentum(w, v, grad, k.lr, k.momentum, k.nesterov)
		}
		lo, g = lo+n, g[n:]
	}
	return squares
}

// AdamUpdate is one step of Adam (Kingma and Ba, 2015) over the n elements of a parameter, in one sweep, in Keras's
// form:
//
//	g' = g + weightDecay·w
//	m  = β1·m + (1−β1)·g',  v = β2·v + (1−β2)·g'²
//	w  = w − lr·√(1−β2ᵗ)/(1−β1ᵗ)·m/(√v + ε)
type AdamUpdate[T Float] struct {
	update[T]
	beta1, beta2, epsilon float64
	rate                  float64
	w, m, v               []T
	newW, newM, newV      []T
}

// NewAdamUpdate prepares the step for n elements.
func NewAdamUpdate[T Float](p *pool.Pool, n int, beta1, beta2, epsilon float64, o UpdateOptions) (*AdamUpdate[T], error) {
	k := &AdamUpdate[T]{beta1: beta1, beta2: beta2, epsilon: epsilon}
	return k, k.prepare(p, "AdamUpdate", n, o, o.L2 != 0 || o.WeightDecay != 0, k.piece)
}

// Begin tells what the next Apply computes the new weights and moments from; each result may be the memory of the value it
// replaces. t counts the steps from 1; s is what L2 wants.
func (k *AdamUpdate[T]) Begin(newW, newM, newV, w, m, v []T, lr T, t int, s T) {
	n := k.work.n
	k.newW, k.newM, k.newV, k.w, k.m, k.v = newW[:n], newM[:n], newV[:n], w[:n], m[:n], v[:n]
	k.rate, k.factor = adamRate(float64(lr), k.beta1, k.beta2, t), k.scaled(s)
}

// adamRate is the learning rate with both bias corrections.
func adamRate(lr, beta1, beta2 float64, t int) float64 {
	o := op.AdamStep{Beta1: beta1, Beta2: beta2}
	return o.Rate(lr, t)
}

func (k *AdamUpdate[T]) piece(worker, lo int, g []T) (squares float64) {
	o := ops[T]()
	for len(g) > 0 {
		n := min(len(g), updateBlock)
		w, m, v, old, grad := k.newW[lo:lo+n], k.newM[lo:lo+n], k.newV[lo:lo+n], k.w[lo:lo+n], g[:n]
		if k.L2 != 0 || k.decay != 0 {
			grad = k.gradient(worker, grad, old, true)
		}
		if k.Penalty != 0 {
			squares += o.SumSquares(old)
		}
		moveTo(w, old)
		moveTo(m, k.m[lo:lo+n])
		moveTo(v, k.v[lo:lo+n])
		o.Adam(w, m, v, grad, k.rate, k.beta1, k.beta2, k.epsilon)
		lo, g = lo+n, g[n:]
	}
	return squares
}
