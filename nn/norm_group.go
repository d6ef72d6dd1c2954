package nn

import (
	"cmp"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// GroupNormalization normalizes the channels of each sample in groups to mean 0 and variance 1, over all positions, then scales
// each channel by gamma and shifts it by beta (Wu and He 2018), in training and inference alike. Input and result have any one
// shape. Weights, each of shape (channels,): gamma, beta.
type GroupNormalization struct {
	Groups   int     // groups; 0 means 32, -1 one for each channel (instance normalization)
	Axis     int     // axis of the channels, counted with the batch axis, negative from the end; 0 means the data format's
	Epsilon  float64 // epsilon added to the variance; 0 means 1e-3
	NoCenter bool    // center=False: no beta
	NoScale  bool    // scale=False: no gamma

	GammaInitializer, BetaInitializer Initializer // gamma_initializer, nil means Ones; beta_initializer, nil means Zeros
	GammaRegularizer, BetaRegularizer Regularizer // gamma_regularizer, beta_regularizer; nil means none
	GammaConstraint, BetaConstraint   Constraint  // gamma_constraint, beta_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l GroupNormalization) Identity() (class, name string) { return "GroupNormalization", l.Name }

// resolve returns the axis of the channels, counted with the batch axis, and the number of groups.
func (l GroupNormalization) resolve(s Shape, f DataFormat) (axis, groups int, err error) {
	if axis = channelAxis(s, f); l.Axis != 0 {
		if axis, err = sampleAxis("Axis", l.Axis, s); err != nil {
			return 0, 0, err
		}
	}
	channels := s[axis-1]
	if groups = cmp.Or(l.Groups, 32); groups == -1 {
		groups = channels
	}
	if groups < 1 {
		return 0, 0, badArgument("use 0 for the default, 32, or -1 for one group a channel", "Groups must not be %d", l.Groups)
	}
	if channels%groups != 0 {
		return 0, 0, badShape("choose Groups to divide the channels", "%d groups want a multiple of %d channels, input has %d", groups, groups, channels)
	}
	return axis, groups, nil
}

// Infer implements [Layer].
func (l GroupNormalization) Infer(s *Spec) (Shape, error) {
	if err := checkPositive("Epsilon", l.Epsilon); err != nil {
		return nil, err
	}
	axis, _, err := l.resolve(s.Inputs[0], s.Format)
	if err != nil {
		return nil, err
	}
	s.gammaAndBeta(tensor.Shape{s.Inputs[0][axis-1]}, l.NoScale, ways{l.GammaInitializer, l.GammaRegularizer, l.GammaConstraint},
		l.NoCenter, ways{l.BetaInitializer, l.BetaRegularizer, l.BetaConstraint})
	return s.Inputs[0], nil
}

// Apply implements [Layer].
func (l GroupNormalization) Apply(c *Context) *gorgonia.Node {
	axis, groups, err := l.resolve(c.InputShapes[0], c.Format)
	if err != nil {
		return c.Fail(err)
	}
	x := op.Try(c.Inputs[0], c.err)
	if x.Err() != nil {
		return c.Expr(x)
	}
	whole := []int(x.Shape().Clone())
	parts := slices.Insert(slices.Clone(whole), axis, groups)
	parts[axis+1] = whole[axis] / groups
	var over []int // all axes but the batch and the groups
	for a := 1; a < len(parts); a++ {
		if a != axis {
			over = append(over, a)
		}
	}
	y := standardized(x.Reshape(parts...), cmp.Or(l.Epsilon, 1e-3), over...).Reshape(whole...)
	return c.Expr(c.scaleAndShift(y, []int{axis}, l.NoScale, l.NoCenter))
}
