package train

import (
	"cmp"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// AdamW is Adam with decoupled weight decay: w ← w − lr·WeightDecay·w before Adam's update (Loshchilov & Hutter, "Decoupled Weight Decay
// Regularization", 2019). Keras: optimizers.AdamW.
type AdamW struct {
	Beta1, Beta2, Epsilon float64 // as Adam's
	AMSGrad               bool
	WeightDecay           float64 // 0 means Keras's default, 0.004; below 0 means none
}

// Name is "adamw".
func (o AdamW) Name() string { return "adamw" }

func (o AdamW) adam() Adam {
	return Adam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, AMSGrad: o.AMSGrad}
}

// Slots are Adam's.
func (o AdamW) Slots(w *nn.Weight) []Slot { return o.adam().Slots(w) }

func (o AdamW) withoutDecay() Optimizer { return o.adam() }

// Updates implements Optimizer.
func (o AdamW) Updates(p *Parameter) ([]op.Update, error) {
	q, err := p.decay(cmp.Or(o.WeightDecay, adamWDecay))
	if err != nil {
		return nil, err
	}
	return o.adam().Updates(q)
}

// adamWDecay is Keras's default for AdamW and Muon.
const adamWDecay = 0.004

// Adamax is Adam with the largest gradient in place of the second moment (Kingma & Ba 2015, section 7.1). Zero values mean 0.9, 0.999,
// 1e-7. Keras: optimizers.Adamax.
type Adamax struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // added to the gradient
}

// Name is "adamax".
func (o Adamax) Name() string { return "adamax" }

// Slots are the moment and the largest gradient.
func (o Adamax) Slots(*nn.Weight) []Slot { return []Slot{{Name: "adamax_m"}, {Name: "adamax_u"}} }

func (o Adamax) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o Adamax) Updates(p *Parameter) ([]op.Update, error) {
	u, err := begin(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, kerasEpsilon)
	m := u.mean(0, b1)
	largest := u.set(1, u.slot(1).Mul(op.Number(b2)).Maximum(u.gradient().Abs()))
	rate := u.scalar("adamax rate", func(lr float64, t int) float64 { return lr / power(b1, t) })
	return u.finish(u.value().Sub(m.Mul(rate).Div(largest.Add(op.Number(eps)))))
}

// NAdam is Adam with Nesterov's look-ahead, whose momentum grows as 1 − ½·0.96^t (Dozat, "Incorporating Nesterov Momentum into Adam",
// 2016). Zero values mean 0.9, 0.999, 1e-7. Keras: optimizers.Nadam.
type NAdam struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // added to the gradient
}

// Name is "nadam".
func (o NAdam) Name() string { return "nadam" }

// Slots are the two moments.
func (o NAdam) Slots(*nn.Weight) []Slot { return []Slot{{Name: "nadam_m"}, {Name: "nadam_v"}} }

func (o NAdam) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o NAdam) Updates(p *Parameter) ([]op.Update, error) {
	u, err := begin(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, kerasEpsilon)
	warm := warmMomentum{beta: b1}
	ofMean := u.scalar("nadam rate of the mean", func(lr float64, t int) float64 { return lr * warm.at(t+1) / (1 - warm.product(t)*warm.at(t+1)) })
	ofGradient := u.scalar("nadam rate of the gradient", func(lr float64, t int) float64 { return lr * (1 - warm.at(t)) / (1 - warm.product(t)) })
	unbiased := u.scalar("nadam bias", func(_ float64, t int) float64 { return 1 / power(b2, t) })
	m, v := u.mean(0, b1), u.square(1, b2)
	step := m.Mul(ofMean).Add(u.gradient().Mul(ofGradient))
	return u.finish(u.value().Sub(step.Div(v.Mul(unbiased).Sqrt().Add(op.Number(eps)))))
}

// warmMomentum are the momenta of NAdam and their products, of which it remembers the latest: steps mostly follow each other.
type warmMomentum struct {
	beta, latest float64
	t            int
}

func (w *warmMomentum) at(t int) float64 { return w.beta * (1 - 0.5*math.Pow(0.96, float64(t))) }

// product is that of the momenta of steps 1 to t.
func (w *warmMomentum) product(t int) float64 {
	if t < w.t || w.t == 0 {
		w.t, w.latest = 0, 1
	}
	for ; w.t < t; w.t++ {
		if w.latest < 1e-300 { // it has long been nothing beside 1
			w.t = t
			break
		}
		w.latest *= w.at(w.t + 1)
	}
	return w.latest
}
