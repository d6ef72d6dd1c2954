package train

import (
	"cmp"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// Optimizer turns gradients into updates of parameters. Zero values of the fields of those in this package mean Keras's defaults.
type Optimizer interface {
	// Name is the name that flags and checkpoints use, e.g. "sgd".
	Name() string
	// Slots are the state that it keeps for weight w, each of the weight's shape.
	Slots(w *nn.Weight) []Slot
	// Updates returns the updates of the parameter and of its slots.
	Updates(p *Parameter) ([]op.Update, error)
}

// Slot is a tensor of an optimizer's state.
type Slot struct {
	Name    string
	Initial float64 // what its elements are before the first step
}

// Parameter is a trainable weight in the graph of a step.
type Parameter struct {
	Weight   *nn.Weight     // for its name and shape
	Variable *gorgonia.Node // the weight, target of an update
	Value    *gorgonia.Node // what the update starts from: Variable, or what a decoupled weight decay left of it
	Gradient *gorgonia.Node // of the weight's shape
	Slots    gorgonia.Nodes // in the order of Optimizer.Slots
	Scalars  *Scalars       // of the step
}

// Scalars are the numbers that the updates of a step take from the host, which sets them before every run.
type Scalars struct {
	LR *gorgonia.Node // the learning rate, a float32 scalar
	T  *gorgonia.Node // the number of the step from 1, an Int scalar

	graph *gorgonia.ExprGraph
	lr    *gorgonia.F32
	t     *gorgonia.I
	made  []scalar

	// Scalars whose learning rate is a multiple of others', which set them.
	of     *Scalars
	factor float64
}

type scalar struct {
	name  string
	node  *gorgonia.Node
	value *gorgonia.F32
	at    func(lr float64, t int) float64 // nil for those that are set otherwise
}

// NewScalars makes the scalars of a graph.
func NewScalars(g *gorgonia.ExprGraph) *Scalars {
	s := &Scalars{graph: g, lr: gorgonia.NewF32(0), t: gorgonia.NewI(1)}
	s.LR = gorgonia.NewScalar(g, gorgonia.Float32, gorgonia.WithName("learning_rate"), gorgonia.WithValue(s.lr))
	s.T = gorgonia.NewScalar(g, gorgonia.Int, gorgonia.WithName("iteration"), gorgonia.WithValue(s.t))
	return s
}

// Node is a float32 scalar that is at(lr, t) in a step with learning rate lr and number t from 1, such as a bias correction, computed in
// float64. Scalars of one name are one.
func (s *Scalars) Node(name string, at func(lr float64, t int) float64) *gorgonia.Node {
	return s.scalar(name, at).node
}

func (s *Scalars) scalar(name string, at func(lr float64, t int) float64) scalar {
	if s.of != nil {
		if at == nil { // it does not depend on the rate
			return s.of.scalar(name, nil)
		}
		return s.of.scalar(fmt.Sprintf("%s, rate %g times", name, s.factor), func(lr float64, t int) float64 { return at(lr*s.factor, t) })
	}
	for _, m := range s.made {
		if m.name == name {
			return m
		}
	}
	m := scalar{name: name, value: gorgonia.NewF32(0), at: at}
	m.node = gorgonia.NewScalar(s.graph, gorgonia.Float32, gorgonia.WithName(name), gorgonia.WithValue(m.value))
	s.made = append(s.made, m)
	return m
}

// times are the scalars of weights whose learning rate is a multiple of that of s; Set of s sets them, too.
func (s *Scalars) times(factor float64) *Scalars {
	if factor == 1 {
		return s
	}
	lr := s.Node(fmt.Sprintf("learning_rate, %g times", factor), func(lr float64, _ int) float64 { return lr * factor })
	return &Scalars{LR: lr, T: s.T, graph: s.graph, of: s, factor: factor}
}

func (s *Scalars) has(name string) bool {
	return slices.ContainsFunc(s.made, func(m scalar) bool { return m.name == name })
}

// Set sets all of them for a step; t counts from 1.
func (s *Scalars) Set(lr float64, t int) {
	*s.lr, *s.t = gorgonia.F32(lr), gorgonia.I(t)
	for _, m := range s.made {
		if m.at != nil {
			*m.value = gorgonia.F32(m.at(lr, t))
		}
	}
}

// SGD is stochastic gradient descent with optional momentum (Polyak 1964), in Keras's form: v ← m·v − lr·g, w ← w + v,
// or with Nesterov's look-ahead w ← w + m·v − lr·g (Sutskever et al. 2013). Keras: optimizers.SGD.
type SGD struct {
	Momentum    float64 // 0 means plain descent
	Nesterov    bool    // needs Momentum
	WeightDecay float64 // adds WeightDecay·w to the gradient, as PyTorch's weight_decay does; for Keras's, see Base
}

// Name is "sgd".
func (o SGD) Name() string { return "sgd" }

// Slots is the velocity, or nothing without momentum.
func (o SGD) Slots(*nn.Weight) []Slot {
	if o.Momentum == 0 {
		return nil
	}
	return []Slot{{Name: "momentum"}}
}

func (o SGD) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o SGD) Updates(p *Parameter) ([]op.Update, error) {
	lr := p.Scalars.LR
	g, err := decayed(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	if o.Momentum == 0 {
		n, err := op.Apply(&op.Descend{}, p.Value, g, lr)
		return []op.Update{{Target: p.Variable, New: n}}, err
	}
	v, err := op.Apply(&op.Momentum{Momentum: o.Momentum}, p.Slots[0], g, lr)
	if err != nil {
		return nil, err
	}
	var n *gorgonia.Node
	if o.Nesterov {
		n, err = op.Apply(&op.Nesterov{Momentum: o.Momentum}, p.Value, v, g, lr)
	} else {
		n, err = op.Apply(&op.Add{}, p.Value, v)
	}
	return []op.Update{{Target: p.Slots[0], New: v}, {Target: p.Variable, New: n}}, err
}

// Adam is adaptive moment estimation (Kingma and Ba 2015). Zero values mean Keras's defaults: 0.9, 0.999, 1e-7.
// Keras: optimizers.Adam.
type Adam struct {
	Beta1, Beta2, Epsilon float64
	// AMSGrad divides by the largest second moment so far (Reddi et al., "On the Convergence of Adam and Beyond", 2018).
	AMSGrad     bool
	WeightDecay float64 // adds WeightDecay·w to the gradient, as PyTorch's Adam does; Keras's weight_decay is that of AdamW
}

// Name is "adam".
func (o Adam) Name() string { return "adam" }

// Slots are the two moments, and the largest second one.
func (o Adam) Slots(*nn.Weight) []Slot {
	slots := []Slot{{Name: "adam_m"}, {Name: "adam_v"}}
	if o.AMSGrad {
		slots = append(slots, Slot{Name: "adam_v_max"})
	}
	return slots
}

func (o Adam) withoutDecay() Optimizer { o.WeightDecay = 0; return o }

// Updates implements Optimizer.
func (o Adam) Updates(p *Parameter) ([]op.Update, error) {
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, kerasEpsilon)
	g, err := decayed(p, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	if o.AMSGrad {
		with := *p
		with.Gradient = g
		return o.amsgrad(&updating{p: &with}, b1, b2, eps)
	}
	m, err := op.Apply(&op.AdamMean{Beta: b1}, p.Slots[0], g)
	if err != nil {
		return nil, err
	}
	v, err := op.Apply(&op.AdamSquare{Beta: b2}, p.Slots[1], g)
	if err != nil {
		return nil, err
	}
	n, err := op.Apply(&op.AdamStep{Beta1: b1, Beta2: b2, Epsilon: eps}, p.Value, m, v, p.Scalars.LR, p.Scalars.T)
	return []op.Update{{Target: p.Slots[0], New: m}, {Target: p.Slots[1], New: v}, {Target: p.Variable, New: n}}, err
}

func (o Adam) amsgrad(u *updating, b1, b2, eps float64) ([]op.Update, error) {
	m, v := u.mean(0, b1), u.square(1, b2)
	largest := u.set(2, u.slot(2).Maximum(v))
	step := op.AdamStep{Beta1: b1, Beta2: b2, Epsilon: eps}
	rate := u.scalar("adam rate", step.Rate)
	return u.finish(u.value().Sub(m.Mul(rate).Div(largest.Sqrt().Add(op.Number(eps)))))
}

// kerasEpsilon is the epsilon that Keras adds where it might divide by 0.
const kerasEpsilon = 1e-7

func decayed(p *Parameter, rate float64) (*gorgonia.Node, error) {
	if rate == 0 {
		return p.Gradient, nil
	}
	return op.Apply(&op.WeightDecay{Rate: rate}, p.Gradient, p.Value)
}
