package train

import (
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/graph/op"
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
