package nn

import (
	"cmp"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// BatchNormalization normalizes each channel to mean 0 and variance 1 over the batch (and the image), then scales it by
// gamma and shifts it by beta (Ioffe and Szegedy 2015). In training, the batch's own mean and biased variance are used
// and the running averages move: moving ← Momentum·moving + (1−Momentum)·batch, as updates of the built net. In
// inference, and in a frozen layer ([Model.SetTrainable]), the running averages are used.
//
// The moving variance takes the unbiased batch variance, with the factor M/(M−1) for M elements a channel, where the
// input is a batch of images, and the biased one elsewhere: that is what tf.keras 2.x does in float32 (its fused kernel
// takes images only). Here float64 does the same, so that checks in float64 mean the same training; Keras's float64
// falls back to the biased form. BiasedMovingVariance gives Keras 3's biased form everywhere.
//
// Input and result have any one shape. Weights, each of shape (channels,): gamma, beta, and the running averages
// moving_mean and moving_variance, which are not trainable.
type BatchNormalization struct {
	Axis     int     // axis of the channels, counted with the batch axis, negative from the end; 0 means the data format's
	Momentum float64 // momentum of the running averages; 0 means 0.99
	Epsilon  float64 // epsilon added to the variance; 0 means 1e-3
	NoCenter bool    // center=False: no beta
	NoScale  bool    // scale=False: no gamma

	GammaInitializer, BetaInitializer Initializer // gamma_initializer, nil means Ones; beta_initializer, nil means Zeros
	GammaRegularizer, BetaRegularizer Regularizer // gamma_regularizer, beta_regularizer; nil means none
	GammaConstraint, BetaConstraint   Constraint  // gamma_constraint, beta_constraint; nil means none

	BiasedMovingVariance bool // see above
	Name                 string
}

// Identity implements [Layer].
func (l BatchNormalization) Identity() (class, name string) { return "BatchNormalization", l.Name }

// axis resolves Axis against a shape without batch; the result counts the batch axis.
func (l BatchNormalization) axis(s Shape, f DataFormat) (int, error) {
	axis := l.Axis
	switch {
	case axis == 0 && len(s) == 3:
		_, _, axis = f.Axes()
	case axis == 0:
		axis = len(s)
	case axis < 0:
		axis += len(s) + 1
	}
	if axis < 1 || axis > len(s) {
		return 0, badArgument("use 0 for the channels of the data format",
			"Axis %d is not one of the axes of %v behind the batch", l.Axis, s)
	}
	return axis, nil
}

// Infer implements [Layer].
func (l BatchNormalization) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	switch {
	case !(l.Momentum >= 0 && l.Momentum <= 1):
		return nil, badArgument("use 0 for the default, 0.99", "Momentum must be between 0 and 1, is %v", l.Momentum)
	case !(l.Epsilon >= 0):
		return nil, badArgument("use 0 for the default, 1e-3", "Epsilon must not be negative, is %v", l.Epsilon)
	}
	axis, err := l.axis(in, s.Format)
	if err != nil {
		return nil, err
	}
	channels := tensor.Shape{in[axis-1]}
	if !l.NoScale {
		s.Weight(Weight{Name: "gamma", Shape: channels, Trainable: true, Initializer: orDefault(l.GammaInitializer, Ones{}),
			Regularizer: l.GammaRegularizer, Constraint: l.GammaConstraint})
	}
	if !l.NoCenter {
		s.Weight(Weight{Name: "beta", Shape: channels, Trainable: true, Initializer: l.BetaInitializer,
			Regularizer: l.BetaRegularizer, Constraint: l.BetaConstraint})
	}
	s.Weight(Weight{Name: "moving_mean", Shape: channels, Initializer: Zeros{}})
	s.Weight(Weight{Name: "moving_variance", Shape: channels, Initializer: Ones{}})
	return in, nil
}

// Apply implements [Layer].
func (l BatchNormalization) Apply(c *Context) *gorgonia.Node {
	x, in := c.Inputs[0], c.InputShapes[0]
	axis, err := l.axis(in, c.Format)
	if err != nil {
		return c.Fail(err)
	}
	channels := in[axis-1]
	gamma, beta := l.constantOr(c, "gamma", !l.NoScale, 1, channels), l.constantOr(c, "beta", !l.NoCenter, 0, channels)
	movingMean, movingVariance := c.Weight("moving_mean"), c.Weight("moving_variance")
	if c.Err() != nil {
		return nil
	}
	epsilon := cmp.Or(l.Epsilon, 1e-3)
	if !c.Training || c.Frozen {
		return c.Op(&op.BatchNormInference{Axis: axis, Epsilon: epsilon}, x, gamma, beta, movingMean, movingVariance)
	}
	y, mean, variance, err := op.BatchNormTraining(x, gamma, beta, axis, epsilon)
	if err != nil {
		return c.Fail(err)
	}
	c.Rename(mean, "batch_mean")
	c.Rename(variance, "batch_variance")
	m := float64(op.Len(x.Shape())) / float64(channels)
	unbias := 1.0
	if len(in) == 3 && !l.BiasedMovingVariance {
		unbias = m / max(m-1, 1) // a single element has no unbiased variance; TensorFlow divides by one there
	}
	momentum := cmp.Or(l.Momentum, 0.99)
	nextMean := c.Op(&op.MovingAverage{Momentum: momentum, Factor: 1}, movingMean, mean)
	nextVariance := c.Op(&op.MovingAverage{Momentum: momentum, Factor: unbias}, movingVariance, variance)
	c.Rename(nextMean, "moving_mean/update")
	c.Rename(nextVariance, "moving_variance/update")
	c.Update(movingMean, nextMean)
	c.Update(movingVariance, nextVariance)
	return y
}

// constantOr is the weight of that name, or where the layer has none a fixed vector.
func (l BatchNormalization) constantOr(c *Context, name string, has bool, value float64, n int) *gorgonia.Node {
	if has {
		return c.Weight(name)
	}
	return c.Constant(fmt.Sprintf("no_%s", name), value, n)
}
