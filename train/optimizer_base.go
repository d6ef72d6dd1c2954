package train

import (
	"errors"
	"fmt"
	"math"
	"regexp"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// Base is an optimizer with what Keras's base class adds to every one, in its order: gradients are accumulated and clipped, the weight
// decays, the optimizer updates it, and an average of the weight is kept.
type Base struct {
	Optimizer

	// Accumulate adds gradients up over several batches before each update; see NewAccumulateStep. Keras: gradient_accumulation_steps.
	Accumulate bool

	// At most one of these is set. ClipValue brings every element of a gradient between −ClipValue and ClipValue, ClipNorm each weight's
	// gradient to at most this norm, GlobalClipNorm those of all weights taken as one vector. Keras: clipvalue, clipnorm, global_clipnorm.
	ClipValue, ClipNorm, GlobalClipNorm float64

	// WeightDecay is decoupled: w ← w − lr·WeightDecay·w before the optimizer's update. Keras: weight_decay.
	WeightDecay float64
	// NoDecay matches names of weights without it, nor with the optimizer's own; nil for none. Keras: exclude_from_weight_decay.
	NoDecay *regexp.Regexp

	// EMA, if not 0, keeps averages of the trainable weights, average ← EMA·average + (1−EMA)·weight after each update; the first
	// update's is the weight. Keras: use_ema, ema_momentum. With accumulation, Keras averages after every batch.
	EMA float64
	// EMAOverwrite, if not 0, sets the weights to their averages after every so many updates. Keras: ema_overwrite_frequency.
	EMAOverwrite int
}

// Names of the slots that Base adds.
const (
	sumSlot = "gradient_sum"
	emaSlot = "ema"
)

// Check says what cannot be.
func (b Base) Check() error {
	clips := 0
	for _, c := range []struct {
		name  string
		value float64
	}{{"ClipValue", b.ClipValue}, {"ClipNorm", b.ClipNorm}, {"GlobalClipNorm", b.GlobalClipNorm}} {
		if !(c.value >= 0) || math.IsInf(c.value, 0) {
			return fmt.Errorf("train: %s is %v; it must be a number above 0, or 0 for none", c.name, c.value)
		}
		if c.value > 0 {
			clips++
		}
	}
	switch {
	case b.Optimizer == nil:
		return errors.New("train: Base wants an Optimizer")
	case clips > 1:
		return errors.New("train: gradients can be clipped by value, by the norm of each weight's, or by the norm of all, but only in one of these ways")
	case !(b.EMA >= 0 && b.EMA < 1):
		return fmt.Errorf("train: the momentum of averages is %v; it must be from 0, for none, to below 1", b.EMA)
	case b.EMAOverwrite < 0 || b.EMAOverwrite > 0 && b.EMA == 0:
		return fmt.Errorf("train: weights are to be overwritten with averages every %d updates; that needs averages (EMA) and a number of at least 1", b.EMAOverwrite)
	case !(b.WeightDecay >= 0) || math.IsInf(b.WeightDecay, 0):
		return fmt.Errorf("train: the weight decay is %v; it must be a number of at least 0", b.WeightDecay)
	}
	return nil
}

// Slots are the optimizer's, the sum of gradients and the average.
func (b Base) Slots(w *nn.Weight) []Slot {
	slots := b.Optimizer.Slots(w)
	if b.Accumulate {
		slots = append(slots, Slot{Name: sumSlot})
	}
	if b.EMA != 0 {
		slots = append(slots, Slot{Name: emaSlot})
	}
	return slots
}

// prepare accumulates and clips the gradients of all parameters. With hold, the sums are all that is updated.
func (b Base) prepare(ps []*Parameter, hold bool) (held []op.Update, err error) {
	if b.Accumulate {
		for _, p := range ps {
			if held, err = b.accumulate(p, held); err != nil {
				return nil, err
			}
		}
		if hold {
			return held, nil
		}
	}
	return nil, b.clip(ps)
}

// shared are the inputs of a step that accumulates which other steps update: the sums, and where they are held the weights.
func (b Base) shared(ps []*Parameter) (nodes gorgonia.Nodes) {
	if !b.Accumulate {
		return nil
	}
	for _, p := range ps {
		nodes = append(nodes, p.Variable, p.Slots[len(b.Optimizer.Slots(p.Weight))])
	}
	return nodes
}

// accumulate adds the slot's sum to the gradient, each with its factor of this batch. Until Step.Share says otherwise, a batch is an
// update of its own.
func (b Base) accumulate(p *Parameter, held []op.Update) ([]op.Update, error) {
	slot := p.Slots[len(b.Optimizer.Slots(p.Weight))]
	keep, part := p.Scalars.scalar(keepName, nil), p.Scalars.scalar(partName, nil)
	*part.value = 1
	sum, err := op.Of(slot).Mul(op.Of(keep.node)).Add(op.Of(p.Gradient).Mul(op.Of(part.node))).Node()
	p.Gradient = sum
	return append(held, op.Update{Target: slot, New: sum}), err
}

// The factors of the sum so far and of a batch's gradient.
const (
	keepName = "gradient_sum kept"
	partName = "gradient_sum part"
)

func (b Base) clip(ps []*Parameter) error {
	var all op.Expr // Σ of squares over all weights
	for i, p := range ps {
		g := op.Of(p.Gradient)
		switch {
		case b.ClipValue > 0:
			g = g.Clip(-b.ClipValue, b.ClipValue)
		case b.ClipNorm > 0:
			g = g.Mul(within(norm(g), b.ClipNorm))
		case b.GlobalClipNorm > 0:
			if s := squares(g); i == 0 {
				all = s
			} else {
				all = all.Add(s)
			}
		}
		n, err := g.Node()
		if err != nil {
			return err
		}
		p.Gradient = n
	}
	if b.GlobalClipNorm == 0 || len(ps) == 0 {
		return nil
	}
	factor := within(all.Sqrt(), b.GlobalClipNorm)
	for _, p := range ps {
		n, err := op.Of(p.Gradient).Mul(factor).Node()
		if err != nil {
			return err
		}
		p.Gradient = n
	}
	return nil
}

// within is what brings a vector of a norm to at most limit.
func within(norm op.Expr, limit float64) op.Expr {
	return op.Number(limit).Div(norm.Maximum(op.Number(limit)))
}

// Updates implements Optimizer, for gradients that prepare has been given.
func (b Base) Updates(p *Parameter) ([]op.Update, error) {
	own := *p
	own.Slots = p.Slots[:len(b.Optimizer.Slots(p.Weight))]
	q, opt := &own, b.Optimizer
	if b.NoDecay != nil && b.NoDecay.MatchString(p.Weight.Name) {
		if d, ok := opt.(interface{ withoutDecay() Optimizer }); ok {
			opt = d.withoutDecay()
		}
	} else {
		var err error
		if q, err = q.decay(b.WeightDecay); err != nil {
			return nil, err
		}
	}
	updates, err := opt.Updates(q)
	if err != nil || b.EMA == 0 {
		return updates, err
	}
	for i := range updates {
		if updates[i].Target == p.Variable {
			return b.average(p, updates, i)
		}
	}
	return nil, fmt.Errorf("train: optimizer %s does not update %q", b.Name(), p.Weight.Name)
}

// average adds the update of the average of the weight that update i makes.
func (b Base) average(p *Parameter, updates []op.Update, i int) ([]op.Update, error) {
	slot := p.Slots[len(p.Slots)-1]
	keep := func(t int) float64 { // as if there were no average before the first step
		if t <= 1 {
			return 0
		}
		return b.EMA
	}
	w := op.Of(updates[i].New)
	old := op.Of(p.Scalars.Node("ema kept", func(_ float64, t int) float64 { return keep(t) }))
	part := op.Of(p.Scalars.Node("ema part", func(_ float64, t int) float64 { return 1 - keep(t) }))
	mean := op.Of(slot).Mul(old).Add(w.Mul(part))
	n, err := mean.Node()
	if err != nil {
		return nil, err
	}
	updates = append(updates, op.Update{Target: slot, New: n})
	if b.EMAOverwrite > 0 {
		over := func(t int) float64 { return truth(t%b.EMAOverwrite == 0) }
		take := op.Of(p.Scalars.Node("ema taken", func(_ float64, t int) float64 { return over(t) }))
		leave := op.Of(p.Scalars.Node("ema left", func(_ float64, t int) float64 { return 1 - over(t) }))
		updates[i].New, err = mean.Mul(take).Add(w.Mul(leave)).Node()
	}
	return updates, err
}

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// parameters are the trainable weights of a net with their gradients and slots, which have no values where slots is nil.
func parameters(net *nn.Net, grads gorgonia.Nodes, opt Optimizer, slots Slots, scalars *Scalars) []*Parameter {
	var all []*Parameter
	for _, p := range net.Params {
		if !p.Weight.Trainable {
			continue
		}
		own := &Parameter{Weight: p.Weight, Variable: p.Node, Value: p.Node, Gradient: grads[len(all)], Scalars: scalars}
		for _, slot := range opt.Slots(p.Weight) {
			name := slot.Name + "/" + p.Weight.Name
			o := []gorgonia.NodeConsOpt{gorgonia.WithShape(p.Weight.Shape...), gorgonia.WithName(name)}
			if slots != nil {
				o = append(o, gorgonia.WithValue(slots[name]))
			}
			own.Slots = append(own.Slots, gorgonia.NewTensor(net.Graph, gorgonia.Float32, len(p.Weight.Shape), o...))
		}
		all = append(all, own)
	}
	return all
}
