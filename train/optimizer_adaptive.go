package train

import (
	"cmp"
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// updating collects the updates of a parameter that are written as expressions.
type updating struct {
	p    *Parameter
	list []op.Update
	err  error
}

// set makes v the new value of a slot, and returns it.
func (u *updating) set(slot int, v op.Expr) op.Expr {
	u.add(op.Update{Target: u.p.Slots[slot]}, v)
	return v
}

// finish makes w the parameter's new value.
func (u *updating) finish(w op.Expr) ([]op.Update, error) {
	u.add(op.Update{Target: u.p.Variable}, w)
	return u.list, u.err
}

func (u *updating) add(update op.Update, v op.Expr) {
	n, err := v.Node()
	if err != nil && u.err == nil {
		u.err = err
	}
	update.New = n
	u.list = append(u.list, update)
}

func (u *updating) slot(i int) op.Expr { return op.Of(u.p.Slots[i]) }
func (u *updating) value() op.Expr     { return op.Of(u.p.Value) }
func (u *updating) gradient() op.Expr  { return op.Of(u.p.Gradient) }
func (u *updating) lr() op.Expr        { return op.Of(u.p.Scalars.LR) }

// scalar is a number that the host computes before every step; its name must tell it from all others of the optimizer.
func (u *updating) scalar(name string, at func(lr float64, t int) float64) op.Expr {
	return op.Of(u.p.Scalars.Node(name, at))
}

// mix is beta·a + (1−beta)·b.
func mix(a, b op.Expr, beta float64) op.Expr {
	return a.Mul(op.Number(beta)).Add(b.Mul(op.Number(1 - beta)))
}

// mean makes beta·m + (1−beta)·g of a slot and the gradient, its new value.
func (u *updating) mean(slot int, beta float64) op.Expr {
	return u.set(slot, mix(u.slot(slot), u.gradient(), beta))
}

// square makes beta·v + (1−beta)·g².
func (u *updating) square(slot int, beta float64) op.Expr {
	return u.set(slot, mix(u.slot(slot), u.gradient().Square(), beta))
}

// begin begins the updates of a parameter whose weight decay is added to its gradient.
func begin(p *Parameter, weightDecay float64) (*updating, error) {
	g, err := decayed(p, weightDecay)
	with := *p
	with.Gradient = g
	return &updating{p: &with}, err
}

// power is 1 − beta^t, the bias of a mean after t steps.
func power(beta float64, t int) float64 { return 1 - math.Pow(beta, float64(t)) }

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

// decay is the parameter after a decoupled weight decay: w − w·lr·rate. A rate below 0 is none, too.
func (p *Parameter) decay(rate float64) (*Parameter, error) {
	q := *p
	if rate <= 0 {
		return &q, nil
	}
	w := op.Of(p.Value)
	by := op.Of(p.Scalars.Node(fmt.Sprintf("weight_decay %v", rate), func(lr float64, _ int) float64 { return lr * rate }))
	var err error
	q.Value, err = w.Sub(w.Mul(by)).Node()
	return &q, err
}

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
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, keras)
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
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, keras)
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

// RMSProp divides gradients by a running root mean square (Tieleman & Hinton, Coursera lecture 6.5, 2012). Zero values mean Rho 0.9 and
// Epsilon 1e-7, which is inside the root. Keras: optimizers.RMSprop.
type RMSProp struct {
	Rho, Epsilon float64
	Momentum     float64 // 0 for none
	Centered     bool    // divide by an estimate of the deviation instead (Graves 2013)
	WeightDecay  float64 // added to the gradient
}

// Name is "rmsprop".
func (o RMSProp) Name() string { return "rmsprop" }

// Slots are the mean square, the momentum and the mean, as far as they are used.
func (o RMSProp) Slots(*nn.Weight) []Slot {
	slots := []Slot{{Name: "rmsprop_square"}}
	if o.Centered {
		slots = append(slots, Slot{Name: "rmsprop_mean"})
	}
	if o.Momentum != 0 {
		slots = append(slots, Slot{Name: "rmsprop_momentum"})
	}
	return slots
}

func (o RMSProp) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o RMSProp) Updates(p *Parameter) ([]op.Update, error) {
	u, err := begin(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	rho, eps := cmp.Or(o.Rho, 0.9), cmp.Or(o.Epsilon, keras)
	square := u.square(0, rho)
	if o.Centered {
		square = square.Sub(u.mean(1, rho).Square())
	}
	step := u.gradient().Mul(u.lr()).Div(square.Add(op.Number(eps)).Sqrt())
	if o.Momentum != 0 {
		last := len(p.Slots) - 1
		step = u.set(last, u.slot(last).Mul(op.Number(o.Momentum)).Add(step))
	}
	return u.finish(u.value().Sub(step))
}

// Adagrad divides gradients by the root of the sum of all their squares (Duchi et al. 2011). Zero values mean Keras's 0.1 at which the
// sum begins, and Epsilon 1e-7, which is inside the root. Keras: optimizers.Adagrad.
type Adagrad struct {
	InitialAccumulator, Epsilon float64
	WeightDecay                 float64 // added to the gradient
}

// Name is "adagrad".
func (o Adagrad) Name() string { return "adagrad" }

// Slots is the sum of squares.
func (o Adagrad) Slots(*nn.Weight) []Slot {
	return []Slot{{Name: "adagrad_accumulator", Initial: cmp.Or(o.InitialAccumulator, 0.1)}}
}

func (o Adagrad) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o Adagrad) Updates(p *Parameter) ([]op.Update, error) {
	u, err := begin(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	sum := u.set(0, u.slot(0).Add(u.gradient().Square()))
	return u.finish(u.value().Sub(u.gradient().Mul(u.lr()).Div(sum.Add(op.Number(cmp.Or(o.Epsilon, keras))).Sqrt())))
}

// Adadelta scales gradients by the ratio of two running root mean squares, of past updates and of gradients (Zeiler 2012). Zero values
// mean Rho 0.95 and Epsilon 1e-7. With Keras's default learning rate of 0.001 it is slow; the paper's is 1. Keras: optimizers.Adadelta.
type Adadelta struct {
	Rho, Epsilon float64
	WeightDecay  float64 // added to the gradient
}

// Name is "adadelta".
func (o Adadelta) Name() string { return "adadelta" }

// Slots are the mean squares of gradients and of updates.
func (o Adadelta) Slots(*nn.Weight) []Slot {
	return []Slot{{Name: "adadelta_gradient"}, {Name: "adadelta_update"}}
}

func (o Adadelta) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o Adadelta) Updates(p *Parameter) ([]op.Update, error) {
	u, err := begin(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	rho, eps := cmp.Or(o.Rho, 0.95), op.Number(cmp.Or(o.Epsilon, keras))
	square := u.square(0, rho)
	step := u.slot(1).Add(eps).Sqrt().Mul(u.gradient()).Div(square.Add(eps).Sqrt())
	u.set(1, mix(u.slot(1), step.Square(), rho))
	return u.finish(u.value().Sub(step.Mul(u.lr())))
}

// Lion takes steps of one size in the direction of the sign of a momentum (Chen et al., "Symbolic Discovery of Optimization Algorithms",
// 2023). Zero values mean 0.9 and 0.99. Its learning rate is a third to a tenth of Adam's. Keras: optimizers.Lion.
type Lion struct {
	Beta1, Beta2 float64
	WeightDecay  float64 // decoupled, as Keras's
}

// Name is "lion".
func (o Lion) Name() string { return "lion" }

// Slots is the momentum.
func (o Lion) Slots(*nn.Weight) []Slot { return []Slot{{Name: "lion_m"}} }

func (o Lion) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o Lion) Updates(p *Parameter) ([]op.Update, error) {
	p, err := p.decay(o.WeightDecay)
	if err != nil {
		return nil, err
	}
	u := &updating{p: p}
	direction := mix(u.slot(0), u.gradient(), cmp.Or(o.Beta1, 0.9)).Sign()
	u.mean(0, cmp.Or(o.Beta2, 0.99))
	return u.finish(u.value().Sub(direction.Mul(u.lr())))
}
