package nn

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Constraint projects a weight onto what is allowed, after each update (Keras: constraints). [MaxNorm], [MinMaxNorm], [NonNeg]
// and [UnitNorm] are Keras's; programs may add their own.
type Constraint interface {
	// Project adds the allowed value for the value w of a weight, of the same shape, to w's graph.
	Project(w *gorgonia.Node) (*gorgonia.Node, error)
	// String describes the constraint, Keras's name first.
	String() string
}

// The axes of norms: a norm is taken along them, for each place on the others. For the weights that a unit of a Dense layer has,
// of a kernel (features, units), that is axis 0, the default; for those of a filter of a Conv2D, axes 0, 1 and 2. Each norm is
// divided by with 1e-7 added, as Keras does, so that weights that are allowed shrink by that, too.

// MaxNorm is Keras's "max_norm": norms of at most MaxValue (Srivastava et al. 2014).
type MaxNorm struct {
	MaxValue float64 // max_value; 0 means 2
	Axis     []int   // axis or axes; nil means 0
}

// MinMaxNorm is Keras's "min_max_norm": norms between MinValue and MaxValue, moved there by a share Rate of the way at a step.
type MinMaxNorm struct {
	MinValue float64 // min_value; 0 by default
	MaxValue float64 // max_value; 0 means 1
	Rate     float64 // rate; 0 means 1, all the way
	Axis     []int   // axis or axes; nil means 0
}

// NonNeg is Keras's "non_neg": negative elements become 0.
type NonNeg struct{}

// UnitNorm is Keras's "unit_norm": norms of 1.
type UnitNorm struct {
	Axis []int // axis or axes; nil means 0
}

// Project implements [Constraint].
func (m MaxNorm) Project(w *gorgonia.Node) (*gorgonia.Node, error) {
	return rescaled(w, m.Axis, func(norm op.Expr) op.Expr { return norm.Minimum(op.Number(cmp.Or(m.MaxValue, 2))) })
}

// Project implements [Constraint].
func (m MinMaxNorm) Project(w *gorgonia.Node) (*gorgonia.Node, error) {
	rate := cmp.Or(m.Rate, 1)
	return rescaled(w, m.Axis, func(norm op.Expr) op.Expr {
		wanted := norm.Clip(m.MinValue, cmp.Or(m.MaxValue, 1))
		if rate == 1 {
			return wanted
		}
		return wanted.Mul(op.Number(rate)).Add(norm.Mul(op.Number(1 - rate)))
	})
}

// Project implements [Constraint].
func (NonNeg) Project(w *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Of(w).Maximum(op.Number(0)).Node()
}

// Project implements [Constraint].
func (u UnitNorm) Project(w *gorgonia.Node) (*gorgonia.Node, error) {
	return rescaled(w, u.Axis, func(op.Expr) op.Expr { return op.Number(1) })
}

// rescaled multiplies w by what its norms along axes shall be, over what they are.
func rescaled(w *gorgonia.Node, axis []int, wanted func(norm op.Expr) op.Expr) (*gorgonia.Node, error) {
	norm := op.Of(w).Square().SumKeep(normAxes(axis)...).Sqrt()
	return op.Of(w).Mul(wanted(norm).Div(norm.Add(op.Number(1e-7)))).Node()
}

func normAxes(axis []int) []int {
	if len(axis) == 0 {
		return []int{0}
	}
	return axis
}

func (m MaxNorm) String() string {
	return fmt.Sprintf("max_norm(max_value=%g, axis=%v)", cmp.Or(m.MaxValue, 2), normAxes(m.Axis))
}

func (m MinMaxNorm) String() string {
	return fmt.Sprintf("min_max_norm(min_value=%g, max_value=%g, rate=%g, axis=%v)", m.MinValue, cmp.Or(m.MaxValue, 1), cmp.Or(m.Rate, 1), normAxes(m.Axis))
}

func (NonNeg) String() string { return "non_neg" }

func (u UnitNorm) String() string { return fmt.Sprintf("unit_norm(axis=%v)", normAxes(u.Axis)) }

func (m MaxNorm) check() error { return checkPositive("MaxNorm.MaxValue", m.MaxValue) }

func (m MinMaxNorm) check() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"MinMaxNorm.MinValue", m.MinValue}, {"MinMaxNorm.MaxValue", m.MaxValue}, {"MinMaxNorm.Rate", m.Rate}} {
		if err := checkPositive(f.name, f.value); err != nil {
			return err
		}
	}
	switch {
	case m.MinValue > cmp.Or(m.MaxValue, 1):
		return badArgument("set MaxValue, too", "MinMaxNorm wants MinValue ≤ MaxValue, got %v and %v", m.MinValue, cmp.Or(m.MaxValue, 1))
	case m.Rate > 1:
		return badArgument("use 0 for the default, 1", "MinMaxNorm.Rate must be at most 1, is %v", m.Rate)
	}
	return nil
}

func (m MaxNorm) fits(s tensor.Shape) error    { return fitAxes("MaxNorm", m.Axis, s) }
func (m MinMaxNorm) fits(s tensor.Shape) error { return fitAxes("MinMaxNorm", m.Axis, s) }
func (u UnitNorm) fits(s tensor.Shape) error   { return fitAxes("UnitNorm", u.Axis, s) }

// fitAxes wants axes that a weight of shape s has, each once.
func fitAxes(name string, axis []int, s tensor.Shape) error {
	seen := map[int]bool{}
	for _, a := range normAxes(axis) {
		at := a
		if at < 0 {
			at += len(s)
		}
		if at < 0 || at >= len(s) || seen[at] {
			return badArgument("list axes of the weight, each once; they count from 0, or from -1 backwards", "%s has Axis %v for a weight of shape %v", name, axis, s)
		}
		seen[at] = true
	}
	return nil
}
