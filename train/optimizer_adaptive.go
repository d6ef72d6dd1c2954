package train

import (
	"cmp"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

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
	rho, eps := cmp.Or(o.Rho, 0.9), cmp.Or(o.Epsilon, kerasEpsilon)
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
	return u.finish(u.value().Sub(u.gradient().Mul(u.lr()).Div(sum.Add(op.Number(cmp.Or(o.Epsilon, kerasEpsilon))).Sqrt())))
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
	rho, eps := cmp.Or(o.Rho, 0.95), op.Number(cmp.Or(o.Epsilon, kerasEpsilon))
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
