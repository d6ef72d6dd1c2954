package nn

import (
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// The layers that draw random numbers do so in training only; in inference they do nothing. What is drawn is a function of the
// build's seed, the step and the layer's place among the random ones, the same on every engine.

// Dropout sets a share Rate of its input's elements to zero in training and multiplies the rest by 1/(1−Rate)
// (Srivastava et al. 2014); in inference it does nothing. The choice is a function of the build's seed, the step and
// the layer's place among the random ones. Any shape; the shape stays.
type Dropout struct {
	Rate float64 // rate: share of elements dropped, 0 ≤ Rate < 1
	// NoiseShape is noise_shape: how many choices there are along each axis, the batch axis first. 0, Keras's None, is one for each
	// element, 1 is one for all of the axis: with {0, 1, 1, 1} whole images are dropped, by which networks leave out the branches of
	// their blocks (Huang et al., "Deep Networks with Stochastic Depth", 2016). nil means all 0.
	NoiseShape []int
	Name       string
}

// SpatialDropout1D is a [Dropout] of whole channels of sequences (Tompson et al. 2015). Input and result (None, steps,
// channels), or channels first, which Keras's does not know.
type SpatialDropout1D struct {
	Rate float64 // rate: share of channels dropped, 0 ≤ Rate < 1
	Name string
}

// SpatialDropout2D is a [Dropout] of whole channels of images (Tompson et al. 2015). Input and result (None, rows, columns,
// channels), or channels first.
type SpatialDropout2D struct {
	Rate float64 // rate: share of channels dropped, 0 ≤ Rate < 1
	Name string
}

// GaussianNoise adds to each element a normal number of mean 0. Any shape; the shape stays.
type GaussianNoise struct {
	Stddev float64 // stddev: its standard deviation, 0 or more
	Name   string
}

// GaussianDropout multiplies each element by a normal number of mean 1 and standard deviation √(Rate/(1−Rate)), that of
// Dropout's factors (Srivastava et al. 2014, section 10). Any shape; the shape stays.
type GaussianDropout struct {
	Rate float64 // rate, 0 ≤ Rate < 1
	Name string
}

// AlphaDropout is a [Dropout] that sets elements to the negative saturation value of [SELU] and keeps mean and variance of what is
// standardized (Klambauer et al. 2017). Any shape; the shape stays.
type AlphaDropout struct {
	Rate float64 // rate: share of elements dropped, 0 ≤ Rate < 1
	Name string
}

// Identity implements [Layer].
func (l Dropout) Identity() (class, name string) { return "Dropout", l.Name }

// Identity implements [Layer].
func (l SpatialDropout1D) Identity() (class, name string) { return "SpatialDropout1D", l.Name }

// Identity implements [Layer].
func (l SpatialDropout2D) Identity() (class, name string) { return "SpatialDropout2D", l.Name }

// Identity implements [Layer].
func (l GaussianNoise) Identity() (class, name string) { return "GaussianNoise", l.Name }

// Identity implements [Layer].
func (l GaussianDropout) Identity() (class, name string) { return "GaussianDropout", l.Name }

// Identity implements [Layer].
func (l AlphaDropout) Identity() (class, name string) { return "AlphaDropout", l.Name }

// Infer implements [Layer].
func (l Dropout) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	if l.NoiseShape != nil {
		if len(l.NoiseShape) != len(in)+1 {
			return nil, badShape("give a number for each axis, that of the batch first, or leave NoiseShape out",
				"NoiseShape %v has %d axes, the input has %d with the batch", l.NoiseShape, len(l.NoiseShape), len(in)+1)
		}
		for i, n := range l.NoiseShape {
			if n != 0 && n != 1 && (i == 0 || n != in[i-1]) {
				return nil, badArgument("use 0 for a choice for each element and 1 for one for all", "NoiseShape %v has %d on axis %d", l.NoiseShape, n, i)
			}
		}
	}
	return in, checkRate(l.Rate)
}

// Infer implements [Layer].
func (l SpatialDropout1D) Infer(s *Spec) (Shape, error) { return s.dropped(l.Rate, 1) }

// Infer implements [Layer].
func (l SpatialDropout2D) Infer(s *Spec) (Shape, error) { return s.dropped(l.Rate, 2) }

// Infer implements [Layer].
func (l GaussianNoise) Infer(s *Spec) (Shape, error) {
	return s.Inputs[0], checkPositive("Stddev", l.Stddev)
}

// Infer implements [Layer].
func (l GaussianDropout) Infer(s *Spec) (Shape, error) { return s.Inputs[0], checkRate(l.Rate) }

// Infer implements [Layer].
func (l AlphaDropout) Infer(s *Spec) (Shape, error) { return s.Inputs[0], checkRate(l.Rate) }

func checkRate(rate float64) error { return checkShare("Rate", rate) }

// checkShare refuses shares of elements to be dropped that leave none.
func checkShare(field string, rate float64) error {
	if !(rate >= 0 && rate < 1) {
		return badArgument("e.g. 0.5", "%s must be at least 0 and less than 1, is %v", field, rate)
	}
	return nil
}

// dropped checks a dropout of the channels of a field of that rank.
func (s *Spec) dropped(rate float64, rank int) (Shape, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	_, _, err := s.field(rank)
	return s.Inputs[0], err
}

// Apply implements [Layer].
func (l Dropout) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.Rate == 0 || !slices.Contains(l.NoiseShape, 1) {
		return c.dropout(c.Inputs[0], l.Rate)
	}
	x := op.Try(c.Inputs[0], c.err)
	if x.Err() != nil {
		return c.Fail(x.Err())
	}
	dims := x.Shape().Clone()
	for i, n := range l.NoiseShape {
		if n == 1 {
			dims[i] = 1
		}
	}
	return c.dropTogether(l.Rate, dims)
}

// dropout is the dropout of x in training, and x in inference.
func (c *Context) dropout(x *gorgonia.Node, rate float64) *gorgonia.Node {
	if !c.Training || rate == 0 {
		return x
	}
	seed, stream, step := c.Random()
	return c.Op(&op.Dropout{Rate: rate, Seed: seed, Stream: stream}, x, step)
}

// Apply implements [Layer].
func (l SpatialDropout1D) Apply(c *Context) *gorgonia.Node { return c.dropChannels(l.Rate) }

// Apply implements [Layer].
func (l SpatialDropout2D) Apply(c *Context) *gorgonia.Node { return c.dropChannels(l.Rate) }

// dropChannels multiplies each sample's channels by factors of 0 and 1/(1−rate).
func (c *Context) dropChannels(rate float64) *gorgonia.Node {
	if !c.Training || rate == 0 {
		return c.Inputs[0]
	}
	axis := len(c.InputShapes[0])
	if c.Format == ChannelsFirst {
		axis = 1
	}
	x, dims := op.Try(c.Inputs[0], c.err), c.stretchable([]int{axis})
	if x.Err() == nil {
		dims[0] = x.Shape()[0]
	}
	return c.dropTogether(rate, dims)
}

// dropTogether multiplies the input by factors of 0 and 1/(1−rate), of which there are dims, stretched along the axes of size 1.
func (c *Context) dropTogether(rate float64, dims []int) *gorgonia.Node {
	x := op.Try(c.Inputs[0], c.err)
	return c.Expr(x.Mul(c.dropoutOf(x.Full(1, dims...), rate)))
}

// dropoutOf is the dropout of x.
func (c *Context) dropoutOf(x op.Expr, rate float64) op.Expr {
	seed, stream, step := c.Random()
	return x.Apply(&op.Dropout{Rate: rate, Seed: seed, Stream: stream}, op.Try(step, c.err))
}

// Apply implements [Layer].
func (l GaussianNoise) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.Stddev == 0 {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	return c.Expr(x.Add(c.normal(x, 0, l.Stddev)))
}

// Apply implements [Layer].
func (l GaussianDropout) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.Rate == 0 {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	return c.Expr(x.Mul(c.normal(x, 1, math.Sqrt(l.Rate/(1-l.Rate)))))
}

// normal is a normal number for each element of x.
func (c *Context) normal(x op.Expr, mean, stddev float64) op.Expr {
	seed, stream, step := c.Random()
	return x.Random(op.Gaussian, mean, stddev, seed, uint64(stream), op.Try(step, c.err), x.Shape()...)
}

// Apply implements [Layer]. Where dropout of ones is not 0, elements are kept.
func (l AlphaDropout) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.Rate == 0 {
		return c.Inputs[0]
	}
	const saturation = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946 // −α·λ of SELU
	scale := 1 / math.Sqrt((1-l.Rate)*(1+l.Rate*saturation*saturation))
	x := op.Try(c.Inputs[0], c.err)
	kept := c.dropoutOf(x.Full(1, x.Shape()...), l.Rate).Greater(op.Number(0))
	y := x.Mul(kept).Add(op.Number(1).Sub(kept).Mul(op.Number(saturation)))
	return c.Expr(y.Mul(op.Number(scale)).Add(op.Number(-scale * saturation * l.Rate)))
}
