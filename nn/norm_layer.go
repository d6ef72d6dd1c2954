package nn

import (
	"cmp"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// LayerNormalization normalizes each sample to mean 0 and variance 1 along some axes, then scales it by gamma and shifts it by
// beta (Ba et al. 2016), in training and inference alike. Input and result have any one shape. Weights, each of the shape of
// the axes: gamma, beta.
type LayerNormalization struct {
	Axis     []int   // axis or axes, counted with the batch axis, negative from the end; nil means the last, in either data format
	Epsilon  float64 // epsilon added to the variance; 0 means 1e-3
	NoCenter bool    // center=False: no beta
	NoScale  bool    // scale=False: no gamma

	GammaInitializer, BetaInitializer Initializer // gamma_initializer, nil means Ones; beta_initializer, nil means Zeros
	GammaRegularizer, BetaRegularizer Regularizer // gamma_regularizer, beta_regularizer; nil means none
	GammaConstraint, BetaConstraint   Constraint  // gamma_constraint, beta_constraint; nil means none

	Name string
}

// RMSNormalization divides each sample by its root mean square along some axes and multiplies it by scale (Zhang and Sennrich
// 2019). Input and result have any one shape. Weight, of the shape of the axes: scale.
type RMSNormalization struct {
	Axis    []int   // axis or axes, as in [LayerNormalization]
	Epsilon float64 // epsilon added to the mean square; 0 means 1e-6
	Name    string
}

// UnitNormalization divides each sample by its Euclidean norm along some axes. Input and result have any one shape.
type UnitNormalization struct {
	Axis []int // axis or axes, as in [LayerNormalization]
	Name string
}

// Identity implements [Layer].
func (l LayerNormalization) Identity() (class, name string) { return "LayerNormalization", l.Name }

// Identity implements [Layer].
func (l RMSNormalization) Identity() (class, name string) { return "RMSNormalization", l.Name }

// Identity implements [Layer].
func (l UnitNormalization) Identity() (class, name string) { return "UnitNormalization", l.Name }

// Infer implements [Layer].
func (l LayerNormalization) Infer(s *Spec) (Shape, error) {
	along, err := normalizedShape(l.Axis, l.Epsilon, s)
	if err != nil {
		return nil, err
	}
	s.gammaAndBeta(along, l.NoScale, ways{l.GammaInitializer, l.GammaRegularizer, l.GammaConstraint},
		l.NoCenter, ways{l.BetaInitializer, l.BetaRegularizer, l.BetaConstraint})
	return s.Inputs[0], nil
}

// gammaAndBeta declares the scale and the shift of a normalization.
func (s *Spec) gammaAndBeta(along tensor.Shape, noScale bool, gamma ways, noCenter bool, beta ways) {
	if !noScale {
		s.Weight(Weight{Name: "gamma", Shape: along, Trainable: true, Initializer: orDefault(gamma.initializer, Ones{}),
			Regularizer: gamma.regularizer, Constraint: gamma.constraint})
	}
	if !noCenter {
		s.Weight(Weight{Name: "beta", Shape: along, Trainable: true, Initializer: beta.initializer,
			Regularizer: beta.regularizer, Constraint: beta.constraint})
	}
}

// Infer implements [Layer].
func (l RMSNormalization) Infer(s *Spec) (Shape, error) {
	along, err := normalizedShape(l.Axis, l.Epsilon, s)
	if err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "scale", Shape: along, Trainable: true, Initializer: Ones{}})
	return s.Inputs[0], nil
}

// Infer implements [Layer].
func (l UnitNormalization) Infer(s *Spec) (Shape, error) {
	_, err := normalizedShape(l.Axis, 0, s)
	return s.Inputs[0], err
}

// normalizedShape checks a normalization and returns the sizes of its axes.
func normalizedShape(axis []int, epsilon float64, s *Spec) (tensor.Shape, error) {
	if err := checkPositive("Epsilon", epsilon); err != nil {
		return nil, err
	}
	axes, err := sampleAxes(axis, s.Inputs[0])
	var along tensor.Shape
	for _, a := range axes {
		along = append(along, s.Inputs[0][a-1])
	}
	return along, err
}

// sampleAxes resolves axes as [sampleAxis] does; nil means the last.
func sampleAxes(axis []int, s Shape) ([]int, error) {
	if len(axis) == 0 {
		axis = []int{-1}
	}
	axes := make([]int, len(axis))
	for i, a := range axis {
		at, err := sampleAxis("Axis", a, s)
		if err != nil {
			return nil, err
		}
		if slices.Contains(axes[:i], at) {
			return nil, badArgument("list each axis once", "Axis %v names axis %d twice", axis, at)
		}
		axes[i] = at
	}
	return axes, nil
}

// Apply implements [Layer].
func (l LayerNormalization) Apply(c *Context) *gorgonia.Node {
	axes, err := sampleAxes(l.Axis, c.InputShapes[0])
	if err != nil {
		return c.Fail(err)
	}
	if last := len(c.InputShapes[0]); len(axes) == 1 && axes[0] == last {
		return c.layerNorm(cmp.Or(l.Epsilon, 1e-3), l.NoScale, l.NoCenter)
	}
	y := standardized(op.Try(c.Inputs[0], c.err), cmp.Or(l.Epsilon, 1e-3), axes...)
	return c.Expr(c.scaleAndShift(y, axes, l.NoScale, l.NoCenter))
}

// layerNorm normalizes along the last axis with the weights that the layer has.
func (c *Context) layerNorm(epsilon float64, noScale, noCenter bool) *gorgonia.Node {
	in := []*gorgonia.Node{c.Inputs[0]}
	if !noScale {
		in = append(in, c.Weight("gamma"))
	}
	if !noCenter {
		in = append(in, c.Weight("beta"))
	}
	return c.Op(&op.LayerNorm{Epsilon: epsilon, NoScale: noScale, NoShift: noCenter}, in...)
}

// standardized has mean 0 and variance 1 along axes.
func standardized(x op.Expr, epsilon float64, axes ...int) op.Expr {
	centered := x.Sub(x.MeanKeep(axes...))
	return centered.Mul(centered.Square().MeanKeep(axes...).Add(op.Number(epsilon)).InverseSqrt())
}

// scaleAndShift multiplies by the weight gamma and adds the weight beta, where the layer has them, along axes.
func (c *Context) scaleAndShift(y op.Expr, axes []int, noScale, noCenter bool) op.Expr {
	if !noScale {
		y = y.Mul(c.along("gamma", axes))
	}
	if !noCenter {
		y = y.Add(c.along("beta", axes))
	}
	return y
}

// along is a weight whose axes are those axes of the input, counted with the batch axis, with 1 for the others.
func (c *Context) along(name string, axes []int) op.Expr {
	return op.Try(c.Weight(name), c.err).Reshape(c.stretchable(axes)...)
}

// stretchable is the shape of the input with 1 for all axes but some.
func (c *Context) stretchable(axes []int) []int {
	to := slices.Repeat([]int{1}, len(c.InputShapes[0])+1)
	for _, a := range axes {
		to[a] = c.InputShapes[0][a-1]
	}
	return to
}

// Apply implements [Layer].
func (l RMSNormalization) Apply(c *Context) *gorgonia.Node {
	axes, err := sampleAxes(l.Axis, c.InputShapes[0])
	if err != nil {
		return c.Fail(err)
	}
	x := op.Try(c.Inputs[0], c.err)
	root := x.Square().MeanKeep(axes...).Add(op.Number(cmp.Or(l.Epsilon, 1e-6))).InverseSqrt()
	return c.Expr(x.Mul(root).Mul(c.along("scale", axes)))
}

// Apply implements [Layer].
func (l UnitNormalization) Apply(c *Context) *gorgonia.Node {
	axes, err := sampleAxes(l.Axis, c.InputShapes[0])
	if err != nil {
		return c.Fail(err)
	}
	x := op.Try(c.Inputs[0], c.err)
	return c.Expr(x.Mul(inverseNorm(x, 1e-12, axes...)))
}

// inverseNorm is one over the Euclidean norm along axes, at most 1/epsilon: Keras's ops.normalize multiplies by it. Unlike
// there, its gradient at 0 is no NaN.
func inverseNorm(x op.Expr, epsilon float64, axes ...int) op.Expr {
	return x.Square().SumKeep(axes...).Maximum(op.Number(epsilon * epsilon)).InverseSqrt()
}
