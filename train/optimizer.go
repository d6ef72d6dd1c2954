package train

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Optimizer turns gradients into updates of parameters.
type Optimizer interface {
	// Name is the name that flags and checkpoints use, e.g. "sgd".
	Name() string
	// Slots names the state that it keeps for every parameter, each of the parameter's shape and starting at zero.
	Slots() []string
	// Updates returns the updates of parameter w and of its slots for gradient g. lr is the learning rate, a float
	// scalar; t is the number of the step, an Int scalar starting at 1.
	Updates(w, g, lr, t *gorgonia.Node, slots []*gorgonia.Node) ([]op.Update, error)
}

// SGD is stochastic gradient descent with optional momentum (Polyak 1964), in Keras's form: v ← m·v − lr·g, w ← w + v,
// or with Nesterov's look-ahead w ← w + m·v − lr·g (Sutskever et al. 2013). Keras: optimizers.SGD.
type SGD struct {
	Momentum    float64 // 0 means plain descent
	Nesterov    bool    // needs Momentum
	WeightDecay float64 // adds WeightDecay·w to the gradient, as PyTorch's weight_decay does
}

// Name is "sgd".
func (o SGD) Name() string { return "sgd" }

// Slots is the velocity, or nothing without momentum.
func (o SGD) Slots() []string {
	if o.Momentum == 0 {
		return nil
	}
	return []string{"momentum"}
}

// Updates implements Optimizer.
func (o SGD) Updates(w, g, lr, _ *gorgonia.Node, slots []*gorgonia.Node) ([]op.Update, error) {
	g, err := decayed(g, w, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	if o.Momentum == 0 {
		n, err := op.Apply(&op.Descend{}, w, g, lr)
		return []op.Update{{Target: w, New: n}}, err
	}
	v, err := op.Apply(&op.Momentum{Momentum: o.Momentum}, slots[0], g, lr)
	if err != nil {
		return nil, err
	}
	var n *gorgonia.Node
	if o.Nesterov {
		n, err = op.Apply(&op.Nesterov{Momentum: o.Momentum}, w, v, g, lr)
	} else {
		n, err = op.Apply(&op.Add{}, w, v)
	}
	return []op.Update{{Target: slots[0], New: v}, {Target: w, New: n}}, err
}

// Adam is adaptive moment estimation (Kingma and Ba 2015). Zero values mean Keras's defaults: 0.9, 0.999, 1e-7.
// Keras: optimizers.Adam.
type Adam struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // adds WeightDecay·w to the gradient
}

// Name is "adam".
func (o Adam) Name() string { return "adam" }

// Slots are the two moments.
func (o Adam) Slots() []string { return []string{"adam_m", "adam_v"} }

// Updates implements Optimizer.
func (o Adam) Updates(w, g, lr, t *gorgonia.Node, slots []*gorgonia.Node) ([]op.Update, error) {
	b1, b2, eps := cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Epsilon, 1e-7)
	g, err := decayed(g, w, o.WeightDecay)
	if err != nil {
		return nil, err
	}
	m, err := op.Apply(&op.AdamMean{Beta: b1}, slots[0], g)
	if err != nil {
		return nil, err
	}
	v, err := op.Apply(&op.AdamSquare{Beta: b2}, slots[1], g)
	if err != nil {
		return nil, err
	}
	n, err := op.Apply(&op.AdamStep{Beta1: b1, Beta2: b2, Epsilon: eps}, w, m, v, lr, t)
	return []op.Update{{Target: slots[0], New: m}, {Target: slots[1], New: v}, {Target: w, New: n}}, err
}

func decayed(g, w *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	if rate == 0 {
		return g, nil
	}
	return op.Apply(&op.WeightDecay{Rate: rate}, g, w)
}

// Optimizers lists the names that NewOptimizer knows.
func Optimizers() []string { return []string{"adam", "sgd"} }

// NewOptimizer makes the optimizer that a configuration names.
func NewOptimizer(c Config) (Optimizer, error) {
	switch c.Optimizer {
	case "sgd":
		if c.Nesterov && c.Momentum == 0 {
			return nil, fmt.Errorf("train: Nesterov's look-ahead needs a momentum; set --momentum, e.g. 0.9")
		}
		return SGD{Momentum: c.Momentum, Nesterov: c.Nesterov, WeightDecay: c.WeightDecay}, nil
	case "adam":
		if c.Nesterov {
			return nil, fmt.Errorf("train: --nesterov goes with --optimizer sgd, not adam")
		}
		return Adam{WeightDecay: c.WeightDecay}, nil
	}
	return nil, unknown("optimizer", c.Optimizer, Optimizers())
}
