package nn

import (
	"cmp"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Regularizer is a penalty of a weight's size, added to the loss through [Net.Penalty]. [L1], [L2], [L1L2] and
// [OrthogonalRegularizer] are Keras's; programs may add their own.
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

// L1 is Keras's "l1" regularizer: λ·Σ|w|. 0 means none (Keras's default is 0.01).
type L1 float64

// Penalty implements [Regularizer].
func (l L1) Penalty(w *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Of(w).Abs().Sum().Mul(op.Number(float64(l))).Node()
}

func (l L1) String() string { return fmt.Sprintf("l1(%g)", float64(l)) }
func (l L1) check() error   { return checkFactor("L1", float64(l)) }
func (l L1) none() bool     { return l == 0 }

// L1L2 is Keras's "l1_l2" regularizer: L1·Σ|w| + L2·Σw². 0 means none.
type L1L2 struct{ L1, L2 float64 }

// Penalty implements [Regularizer]. The second part is that of [L2], whose gradient updates of weights take up.
func (l L1L2) Penalty(w *gorgonia.Node) (*gorgonia.Node, error) {
	switch {
	case l.L1 == 0:
		return L2(l.L2).Penalty(w)
	case l.L2 == 0:
		return L1(l.L1).Penalty(w)
	}
	return op.Try(L1(l.L1).Penalty(w)).Apply(&op.Add{}, op.Try(L2(l.L2).Penalty(w))).Node()
}

func (l L1L2) String() string { return fmt.Sprintf("l1_l2(l1=%g, l2=%g)", l.L1, l.L2) }
func (l L1L2) none() bool     { return l == L1L2{} }
func (l L1L2) check() error {
	if err := checkFactor("L1L2.L1", l.L1); err != nil {
		return err
	}
	return checkFactor("L1L2.L2", l.L2)
}

// OrthogonalRegularizer is Keras's regularizer of that name for matrices: Factor times the mean of the absolute cosines between
// all pairs of rows, or of columns.
type OrthogonalRegularizer struct {
	Factor  float64 // factor; 0 means 0.01
	Columns bool    // mode="columns"; "rows" by default
}

// Penalty implements [Regularizer].
func (r OrthogonalRegularizer) Penalty(w *gorgonia.Node) (*gorgonia.Node, error) {
	x := op.Of(w)
	if x.Err() == nil && len(x.Shape()) != 2 {
		return nil, r.fits(x.Shape())
	}
	if r.Columns {
		x = x.Permute(1, 0)
	}
	if x.Err() != nil {
		return nil, x.Err()
	}
	rows := float64(x.Shape()[0])
	pairs := max(rows*(rows-1)/2, 1)
	x = x.Mul(inverseNorm(x, 1e-7, 1))
	// The cosines of rows with themselves, which do not count, are the diagonal of the product.
	cosines := x.Apply(&op.MatMul{TransB: true}, x).Abs().Sum().Sub(x.Square().Sum())
	return cosines.Mul(op.Number(0.5 * cmp.Or(r.Factor, 0.01) / pairs)).Node()
}

func (r OrthogonalRegularizer) String() string {
	return fmt.Sprintf("orthogonal_regularizer(factor=%g, mode=%s)", cmp.Or(r.Factor, 0.01), map[bool]string{false: "rows", true: "columns"}[r.Columns])
}

func (r OrthogonalRegularizer) check() error {
	return checkFactor("OrthogonalRegularizer.Factor", r.Factor)
}

func (r OrthogonalRegularizer) fits(s tensor.Shape) error {
	if len(s) != 2 {
		return badArgument("use it for the kernels of Dense layers", "OrthogonalRegularizer wants a weight of 2 axes, it has the shape %v", s)
	}
	return nil
}

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

// fitting is implemented by initializers, regularizers and constraints that are not for weights of every shape.
type fitting interface{ fits(s tensor.Shape) error }

// checkFit returns the first complaint of an initializer, regularizer or constraint about the shape of its weight.
func checkFit(s tensor.Shape, parts ...any) error {
	for _, p := range parts {
		if f, ok := p.(fitting); ok {
			if err := f.fits(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// present is nil for a regularizer that does nothing, so that such a weight counts as not regularized.
func present(r Regularizer) Regularizer {
	if n, ok := r.(interface{ none() bool }); isNil(r) || ok && n.none() {
		return nil
	}
	return r
}
