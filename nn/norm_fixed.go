package nn

import (
	"cmp"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Normalization subtracts a mean and divides by the root of a variance along the channels: Keras's Normalization(axis, mean,
// variance, invert). Input and result have any one shape. Where mean and variance are given it has no weights; else it has those
// that Keras's adapt sets, which no optimizer changes and which start as the identity: mean (channels,), variance (channels,) and
// count (1,), a scalar in Keras, which nothing reads.
type Normalization struct {
	Mean     []float64 // mean of each channel, or a single one for all; nil means a weight
	Variance []float64 // variance of each channel, or a single one for all; nil means a weight, as Mean must be, too
	// Axis of the channels, counted with the batch axis, negative from the end; 0 means the data format's. Keras's default is
	// -1, the last in either format.
	Axis   int
	Invert bool // invert: multiply and add, from normalized values back
	Name   string
}

// Identity implements [Layer].
func (l Normalization) Identity() (class, name string) { return "Normalization", l.Name }

// adapted says whether mean and variance are weights.
func (l Normalization) adapted() bool { return len(l.Mean)+len(l.Variance) == 0 }

func (l Normalization) axis(s Shape, f DataFormat) (int, error) {
	if l.Axis == 0 {
		return channelAxis(s, f), nil
	}
	return sampleAxis("Axis", l.Axis, s)
}

// Infer implements [Layer].
func (l Normalization) Infer(s *Spec) (Shape, error) {
	axis, err := l.axis(s.Inputs[0], s.Format)
	if err != nil {
		return nil, err
	}
	channels := s.Inputs[0][axis-1]
	if l.adapted() {
		s.Weight(Weight{Name: "mean", Shape: tensor.Shape{channels}})
		s.Weight(Weight{Name: "variance", Shape: tensor.Shape{channels}, Initializer: Ones{}})
		s.Weight(Weight{Name: "count", Shape: tensor.Shape{1}})
		return s.Inputs[0], nil
	}
	if err := checkPerChannel("Mean", l.Mean, channels, true); err != nil {
		return nil, err
	}
	if err := checkPerChannel("Variance", l.Variance, channels, true); err != nil {
		return nil, err
	}
	for _, v := range l.Variance {
		if v < 0 {
			return nil, badArgument("give the squares of the standard deviations", "Variance must not be negative, is %v", l.Variance)
		}
	}
	return s.Inputs[0], nil
}

// checkPerChannel wants one number, or as many as there are channels.
func checkPerChannel(name string, v []float64, channels int, required bool) error {
	switch {
	case len(v) == 0 && !required:
	case len(v) != 1 && len(v) != channels:
		return badShape("give one number a channel, or a single one", "%s wants %d numbers, or one, has %d", name, channels, len(v))
	}
	for _, x := range v {
		if err := checkNumber(name, x, "check the numbers"); err != nil {
			return err
		}
	}
	return nil
}

// perChannel is one number, or a constant of one number for each channel.
func (c *Context) perChannel(name string, v []float64, axis int) op.Expr {
	if len(v) == 1 {
		return op.Number(v[0])
	}
	return op.Try(c.values(name, c.stretchable([]int{axis}), v), c.err)
}

// Apply implements [Layer].
func (l Normalization) Apply(c *Context) *gorgonia.Node {
	axis, err := l.axis(c.InputShapes[0], c.Format)
	if err != nil {
		return c.Fail(err)
	}
	const least = 1e-7 // Keras's backend.epsilon
	x, mean, std := op.Try(c.Inputs[0], c.err), op.Expr{}, op.Expr{}
	if l.adapted() {
		mean, std = c.along("mean", []int{axis}), c.along("variance", []int{axis}).Sqrt().Maximum(op.Number(least))
	} else {
		deviation := make([]float64, len(l.Variance))
		for i, v := range l.Variance {
			deviation[i] = max(math.Sqrt(v), least)
		}
		mean, std = c.perChannel("mean", l.Mean, axis), c.perChannel("deviation", deviation, axis)
	}
	if l.Invert {
		return c.Expr(x.Mul(std).Add(mean))
	}
	return c.Expr(x.Sub(mean).Div(std))
}

// Rescaling is x·Scale + Offset with fixed numbers: Keras's Rescaling(scale, offset). Input and result have any one shape. For
// what older models do in a Lambda layer see [Rescale].
type Rescaling struct {
	Scale  float64 // scale; 0 means 1, which in Keras must be given
	Offset float64 // offset; 0 by default
	// Scales and Offsets are lists, one number for each element of the last axis, in the place of the single ones.
	Scales, Offsets []float64
	Name            string
}

// Identity implements [Layer].
func (l Rescaling) Identity() (class, name string) { return "Rescaling", l.Name }

// Infer implements [Layer].
func (l Rescaling) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	for _, f := range []struct {
		name string
		v    []float64
	}{{"Scale", []float64{l.Scale}}, {"Offset", []float64{l.Offset}}, {"Scales", l.Scales}, {"Offsets", l.Offsets}} {
		if err := checkPerChannel(f.name, f.v, in[len(in)-1], false); err != nil {
			return nil, err
		}
	}
	if l.Scale != 0 && l.Scales != nil || l.Offset != 0 && l.Offsets != nil {
		return nil, badArgument("set one of the two", "has a single number and a list for the same")
	}
	return in, nil
}

// Apply implements [Layer].
func (l Rescaling) Apply(c *Context) *gorgonia.Node {
	scale, offset, last := []float64{cmp.Or(l.Scale, 1)}, []float64{l.Offset}, len(c.InputShapes[0])
	if l.Scales != nil {
		scale = l.Scales
	}
	if l.Offsets != nil {
		offset = l.Offsets
	}
	y := op.Try(c.Inputs[0], c.err)
	if len(scale) > 1 || scale[0] != 1 {
		y = y.Mul(c.perChannel("scale", scale, last))
	}
	if len(offset) > 1 || offset[0] != 0 {
		y = y.Add(c.perChannel("offset", offset, last))
	}
	return c.Expr(y)
}
