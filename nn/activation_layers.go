package nn

import (
	"cmp"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// ReLULayer is Keras's ReLU(max_value, negative_slope, threshold): MaxValue where x ≥ MaxValue, x where x > Threshold, and
// NegativeSlope·(x − Threshold) elsewhere. The zero value is [ReLU]. Any shape; the shape stays.
type ReLULayer struct {
	MaxValue      float64 // max_value; 0 means none (Keras's None)
	NegativeSlope float64 // negative_slope of what is not above the threshold; 0 by default
	Threshold     float64 // threshold; 0 by default
	Name          string
}

// LeakyReLULayer is Keras's LeakyReLU(negative_slope): x where x > 0, else NegativeSlope·x (Maas et al. 2013). Any shape;
// the shape stays. The function [LeakyReLU] has another default, in Keras too.
type LeakyReLULayer struct {
	NegativeSlope float64 // negative_slope; 0 means 0.3
	Name          string
}

// ELULayer is Keras's ELU(alpha): x where x > 0, else Alpha·(exp(x) − 1) (Clevert et al. 2016). Any shape; the shape stays.
type ELULayer struct {
	Alpha float64 // alpha; 0 means 1
	Name  string
}

// PReLU is x where x > 0, else alpha·x with a weight alpha of its own for each element of a sample, or shared by all along
// SharedAxes (He et al. 2015). Any shape; the shape stays. Weight: alpha, of the sample's shape with 1 for shared axes.
// One alpha a channel of images is SharedAxes: []int{1, 2}; that is PyTorch's, which starts at 0.25.
type PReLU struct {
	SharedAxes       []int       // shared_axes, counted with the batch axis, negative from the end; none by default
	AlphaInitializer Initializer // alpha_initializer; nil means Zeros
	AlphaRegularizer Regularizer // alpha_regularizer; nil means none
	AlphaConstraint  Constraint  // alpha_constraint; nil means none
	Name             string
}

// SoftmaxLayer is Keras's Softmax(axis): scores along an axis become probabilities that sum to one. Any shape; the shape
// stays.
type SoftmaxLayer struct {
	Axis int // axis, counted with the batch axis, negative from the end; 0 means -1, the last
	Name string
}

// Identity implements [Layer].
func (l ReLULayer) Identity() (class, name string) { return "ReLU", l.Name }

// Identity implements [Layer].
func (l LeakyReLULayer) Identity() (class, name string) { return "LeakyReLU", l.Name }

// Identity implements [Layer].
func (l ELULayer) Identity() (class, name string) { return "ELU", l.Name }

// Identity implements [Layer].
func (l PReLU) Identity() (class, name string) { return "PReLU", l.Name }

// Identity implements [Layer].
func (l SoftmaxLayer) Identity() (class, name string) { return "Softmax", l.Name }

// Infer implements [Layer].
func (l ReLULayer) Infer(s *Spec) (Shape, error) {
	for _, f := range []struct {
		name  string
		value float64
	}{{"MaxValue", l.MaxValue}, {"NegativeSlope", l.NegativeSlope}, {"Threshold", l.Threshold}} {
		if err := checkPositive(f.name, f.value); err != nil {
			return nil, err
		}
	}
	return s.Inputs[0], nil
}

// Infer implements [Layer].
func (l LeakyReLULayer) Infer(s *Spec) (Shape, error) {
	return s.Inputs[0], checkNumber("NegativeSlope", l.NegativeSlope, "use 0 for the default, 0.3")
}

// Infer implements [Layer].
func (l ELULayer) Infer(s *Spec) (Shape, error) {
	return s.Inputs[0], checkNumber("Alpha", l.Alpha, "use 0 for the default, 1")
}

// checkPositive refuses negative numbers, NaN and infinity.
func checkPositive(name string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 0) {
		return badArgument("use 0 for the default", "%s must not be negative or infinite, is %v", name, v)
	}
	return nil
}

// checkNumber refuses NaN and infinities.
func checkNumber(name string, v float64, remedy string) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return badArgument(remedy, "%s must be a finite number, is %v", name, v)
	}
	return nil
}

// Infer implements [Layer].
func (l PReLU) Infer(s *Spec) (Shape, error) {
	alpha := tensor.Shape(s.Inputs[0].clone())
	for _, a := range l.SharedAxes {
		axis, err := sampleAxis("SharedAxes", a, s.Inputs[0])
		if err != nil {
			return nil, err
		}
		alpha[axis-1] = 1
	}
	s.Weight(Weight{Name: "alpha", Shape: alpha, Trainable: true, Initializer: l.AlphaInitializer,
		Regularizer: l.AlphaRegularizer, Constraint: l.AlphaConstraint})
	return s.Inputs[0], nil
}

// sampleAxis resolves an axis that counts with the batch axis, or from the end, against a shape without batch.
func sampleAxis(field string, axis int, s Shape) (int, error) {
	at := axis
	if at < 0 {
		at += len(s) + 1
	}
	if at < 1 || at > len(s) {
		return 0, badArgument("count axes from 1 behind the batch, or from -1, the last, backwards",
			"%s: %d is not one of the axes of %v behind the batch", field, axis, s)
	}
	return at, nil
}

// Infer implements [Layer].
func (l SoftmaxLayer) Infer(s *Spec) (Shape, error) {
	_, err := sampleAxis("Axis", cmp.Or(l.Axis, -1), s.Inputs[0])
	return s.Inputs[0], err
}

// Apply implements [Layer].
func (l ReLULayer) Apply(c *Context) *gorgonia.Node {
	x := op.Try(c.Inputs[0], c.err)
	above := x
	switch {
	case l == (ReLULayer{Name: l.Name}):
		return ReLU.apply(c, c.Inputs[0])
	case l.NegativeSlope != 0 && l.MaxValue == 0 && l.Threshold == 0:
		return c.Expr(leakyReLU(x, l.NegativeSlope))
	case l.Threshold != 0:
		above = x.Greater(op.Number(l.Threshold)).When(x)
	default:
		above = x.ReLU()
	}
	switch {
	case l.MaxValue == 6 && l.Threshold == 0: // only there the gradient at the bound is 0 in Keras
		above = relu6(x)
	case l.MaxValue != 0:
		above = above.Minimum(op.Number(l.MaxValue))
	}
	if l.NegativeSlope != 0 {
		above = above.Sub(op.Number(l.Threshold).Sub(x).ReLU().Mul(op.Number(l.NegativeSlope)))
	}
	return c.Expr(above)
}

// Apply implements [Layer].
func (l LeakyReLULayer) Apply(c *Context) *gorgonia.Node {
	return c.Expr(leakyReLU(op.Try(c.Inputs[0], c.err), cmp.Or(l.NegativeSlope, 0.3)))
}

// Apply implements [Layer].
func (l ELULayer) Apply(c *Context) *gorgonia.Node {
	return c.Expr(elu(op.Try(c.Inputs[0], c.err), cmp.Or(l.Alpha, 1)))
}

// Apply implements [Layer].
func (l PReLU) Apply(c *Context) *gorgonia.Node {
	x, alpha := op.Try(c.Inputs[0], c.err), op.Try(c.Weight("alpha"), c.err)
	return c.Expr(x.ReLU().Sub(alpha.Mul(x.Neg().ReLU())))
}

// Apply implements [Layer].
func (l SoftmaxLayer) Apply(c *Context) *gorgonia.Node {
	in := c.InputShapes[0]
	axis, err := sampleAxis("Axis", cmp.Or(l.Axis, -1), in)
	if err != nil {
		return c.Fail(err)
	}
	if axis == len(in) {
		return Softmax.apply(c, c.Inputs[0])
	}
	axes := make([]int, len(in)+1)
	for i := range axes {
		axes[i] = i
	}
	axes[axis], axes[len(in)] = len(in), axis // an exchange, which undoes itself
	y := Softmax.apply(c, c.Op(&op.Permute{Axes: axes}, c.Inputs[0]))
	return c.Op(&op.Permute{Axes: slices.Clone(axes)}, y)
}
