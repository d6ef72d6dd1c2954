package nn

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Regularizer is a penalty of a weight's size, added to the loss through [Net.Penalty]. [L1], [L2] and [L1L2] are
// Keras's; programs may add their own.
type Regularizer interface {
	// Penalty adds the penalty of weight w to its graph: a scalar.
	Penalty(w *gorgonia.Node) (*gorgonia.Node, error)
	// String describes the regularizer, Keras's name first.
	String() string
}

// L2 is Keras's "l2" regularizer: λ·Σw², without a factor ½. 0 means none.
type L2 float64

// Penalty implements [Regularizer].
func (l L2) Penalty(w *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(&op.L2Penalty{Lambda: float64(l)}, w)
}

func (l L2) String() string { return fmt.Sprintf("l2(%g)", float64(l)) }
func (l L2) check() error   { return checkFactor("L2", float64(l)) }
func (l L2) none() bool     { return l == 0 }

// checkFactor refuses penalties that would reward large weights.
func checkFactor(name string, lambda float64) error {
	if !(lambda >= 0) || math.IsInf(lambda, 0) {
		return badArgument("use 0 for none", "regularizers must not be negative, %s is %v", name, lambda)
	}
	return nil
}

// checked is implemented by initializers, regularizers and constraints that can be wrong.
type checked interface{ check() error }

// checkAll returns the first complaint of parts of a layer's configuration; those without one, and nil, are fine.
func checkAll(parts ...any) error {
	for _, p := range parts {
		if c, ok := p.(checked); ok {
			if err := c.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// present is nil for a regularizer that does nothing, so that such a weight counts as not regularized.
func present(r Regularizer) Regularizer {
	if n, ok := r.(interface{ none() bool }); ok && n.none() {
		return nil
	}
	return r
}
