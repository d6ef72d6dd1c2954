package nn

import (
	"cmp"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// LossFunc is a Go function as a loss, with weights and reductions as those of Keras have: what a function is that Keras's
// compile(loss=…) is given. For one with arguments, let a method make the LossFunc.
type LossFunc struct {
	// Func returns the losses of samples: predicted's shape without its last axis, or any other that begins with the batch axis. It is
	// differentiated. target has predicted's shape and type, or with Sparse is of class numbers, without predicted's last axis.
	Func      func(predicted, target op.Expr) op.Expr
	Sparse    bool      // targets are class numbers, as of SparseCategoricalCrossentropyLoss
	Name      string    // "loss_func" by default
	Reduction Reduction // sum_over_batch_size by default
}

func (l LossFunc) rule() lossRule {
	r := lossRule{class: "LossFunc", reduction: l.Reduction, sparse: l.Sparse, values: l.Func}
	if l.Func == nil {
		r.arguments = []error{badArgument("give one, such as func(p, t op.Expr) op.Expr { return p.Sub(t).Square().Mean(-1) }", "Func is nil")}
		return r
	}
	r.values = func(p, t op.Expr) op.Expr {
		v := l.Func(p, t)
		if v.Err() != nil {
			return v
		}
		if s, batch := v.Shape(), p.Shape()[0]; len(s) == 0 || s[0] != batch {
			return op.Try(nil, badShape("reduce over all axes but the first, e.g. with Mean(-1); what is left, Reduction reduces",
				"Func returned losses of shape %v, wants one or more for each of %d samples", s, batch))
		}
		return v
	}
	return r
}

// Identity implements [Loss].
func (l LossFunc) Identity() (class, name string) { return "LossFunc", cmp.Or(l.Name, "loss_func") }

// Values implements [Loss].
func (l LossFunc) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l LossFunc) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}
