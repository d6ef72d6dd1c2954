package train

import (
	"cmp"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// norm is √Σx², a scalar.
func norm(x op.Expr) op.Expr { return squares(x).Sqrt() }

// squares is Σx², a scalar.
func squares(x op.Expr) op.Expr { return x.Apply(&op.L2Penalty{Lambda: 1}) }

// trust is a/b of two norms, and 1 where one of them is 0.
func trust(a, b op.Expr) op.Expr {
	one, zero := op.Number(1), op.Number(0)
	both := a.Greater(zero).Mul(b.Greater(zero))
	return both.When(a.Div(b)).Add(one.Sub(both))
}

// LAMB scales Adam's step of every weight by the ratio of the norms of the weight and of the step (You et al., "Large Batch
// Optimization for Deep Learning", 2020). Zero values mean 0.9, 0.999, 1e-7. Keras: optimizers.Lamb, whose weight decay is decoupled, before
// the ratio, and not part of the step as in the paper.
type LAMB struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
}

// Name is "lamb".
func (o LAMB) Name() string { return "lamb" }

// Slots are the two moments.
func (o LAMB) Slots(*nn.Weight) []Slot { return []Slot{{Name: "lamb_m"}, {Name: "lamb_v"}} }

func (o LAMB) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o LAMB) Updates(p *Parameter) ([]op.Update, error) {
	p, err := p.decay(o.WeightDecay)
	if err != nil {
		return nil, err
	}
	u := &updating{p: p}
	b1, b2 := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999)
	m, v := u.mean(0, b1), u.square(1, b2)
	first := u.scalar("lamb bias of the mean", func(_ float64, t int) float64 { return 1 / power(b1, t) })
	second := u.scalar("lamb bias of the square", func(_ float64, t int) float64 { return 1 / power(b2, t) })
	step := m.Mul(first).Div(v.Mul(second).Sqrt().Add(op.Number(cmp.Or(o.Epsilon, kerasEpsilon))))
	rate := trust(norm(u.value()), norm(step)).Mul(u.lr())
	return u.finish(u.value().Sub(step.Mul(rate)))
}

// LARS is descent with momentum whose rate for every weight is in proportion to the ratio of the norms of the weight and of its
// gradient (You et al., "Large Batch Training of Convolutional Networks", 2017): with d = WeightDecay,
//
//	r = Trust·‖w‖/(‖g‖ + d·‖w‖ + Epsilon)    v ← Momentum·v + lr·r·(g + d·w)    w ← w − v
//
// Biases and the scales and shifts of normalizations, all that has one axis, are trained by plain momentum without decay, as is usual,
// unless AdaptAll. Neither Keras nor PyTorch has it. Zero values mean a Trust of 0.001, and 0 for the others.
type LARS struct {
	Momentum    float64
	Trust       float64 // the paper's η
	WeightDecay float64
	Epsilon     float64
	Nesterov    bool
	AdaptAll    bool
}

// Name is "lars".
func (o LARS) Name() string { return "lars" }

// Slots is the velocity, or nothing without momentum.
func (o LARS) Slots(*nn.Weight) []Slot {
	if o.Momentum == 0 {
		return nil
	}
	return []Slot{{Name: "lars_momentum"}}
}

func (o LARS) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o LARS) Updates(p *Parameter) ([]op.Update, error) {
	u := &updating{p: p}
	step := u.gradient().Mul(u.lr())
	if o.AdaptAll || len(p.Weight.Shape) > 1 {
		wNorm, gNorm := norm(u.value()), norm(u.gradient())
		all := gNorm.Add(op.Number(o.Epsilon))
		if o.WeightDecay != 0 {
			all = all.Add(wNorm.Mul(op.Number(o.WeightDecay)))
		}
		g, err := decayed(p, o.WeightDecay)
		if err != nil {
			return nil, err
		}
		// A weight or a gradient of zeros is moved at the plain rate, as if the ratio were 1.
		moves := wNorm.Greater(op.Number(0)).Mul(gNorm.Greater(op.Number(0)))
		ratio := moves.When(wNorm.Mul(op.Number(cmp.Or(o.Trust, 0.001))).Div(all)).Add(op.Number(1).Sub(moves))
		step = op.Of(g).Mul(ratio.Mul(u.lr()))
	}
	if o.Momentum == 0 {
		return u.finish(u.value().Sub(step))
	}
	momentum := op.Number(o.Momentum)
	v := u.set(0, u.slot(0).Mul(momentum).Add(step))
	if o.Nesterov {
		v = v.Mul(momentum).Add(step)
	}
	return u.finish(u.value().Sub(v))
}
