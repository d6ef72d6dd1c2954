package nn

import (
	"cmp"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Input is the model's input: Keras's Input(shape, batch_size, name), class InputLayer.
type Input struct {
	Shape Shape // shape of a sample; required
	// Batch is shown in summaries instead of None and is the default batch size of Build; 0 means none. Unlike Keras,
	// Build may still be asked for another one, so that a last, smaller batch works.
	Batch int
	Name  string
}

// Identity implements [Layer].
func (l Input) Identity() (class, name string) { return "InputLayer", l.Name }

// Arity implements [MultiInput]: no input.
func (l Input) Arity() (least, most int) { return 0, 0 }

// Infer implements [Layer].
func (l Input) Infer(*Spec) (Shape, error) {
	if l.Batch < 0 {
		return nil, badArgument("use 0 for any batch size", "Batch must not be negative, is %d", l.Batch)
	}
	if len(l.Shape) == 0 {
		return nil, badArgument("e.g. nn.Shape{32, 32, 3}", "wants the Shape of a sample, without the batch axis")
	}
	for _, d := range l.Shape {
		if d < 1 {
			return nil, badArgument("leave the batch axis out", "Shape %v must have positive axes", []int(l.Shape))
		}
	}
	return l.Shape, nil
}

// Apply implements [Layer]; Build makes the input node itself.
func (l Input) Apply(*Context) *gorgonia.Node { return nil }

// Dropout sets a share Rate of its input's elements to zero in training and multiplies the rest by 1/(1−Rate)
// (Srivastava et al. 2014); in inference it does nothing. The choice is a function of the build's seed, the step and
// the layer's place among the random ones. Any shape; the shape stays.
type Dropout struct {
	Rate float64 // rate: share of elements dropped, 0 ≤ Rate < 1
	Name string
}

// Identity implements [Layer].
func (l Dropout) Identity() (class, name string) { return "Dropout", l.Name }

// Infer implements [Layer].
func (l Dropout) Infer(s *Spec) (Shape, error) {
	if !(l.Rate >= 0 && l.Rate < 1) {
		return nil, badArgument("e.g. 0.5", "Rate must be at least 0 and less than 1, is %v", l.Rate)
	}
	return s.Inputs[0], nil
}

// Apply implements [Layer].
func (l Dropout) Apply(c *Context) *gorgonia.Node {
	if !c.Training || l.Rate == 0 {
		return c.Inputs[0]
	}
	seed, stream, step := c.Random()
	return c.Op(&op.Dropout{Rate: l.Rate, Seed: seed, Stream: stream}, c.Inputs[0], step)
}

// Rescale is x·Scale + Shift along the last axis, with fixed numbers: what a Lambda layer does to a model's input in
// Keras, hence its class "Lambda" in summaries. Any shape; the shape stays.
type Rescale struct {
	Scale float64   // factor; 0 means 1
	Shift []float64 // one summand for each element of the last axis, or nil for none
	Name  string
}

// Identity implements [Layer].
func (l Rescale) Identity() (class, name string) { return "Lambda", l.Name }

// Infer implements [Layer].
func (l Rescale) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	if n := in[len(in)-1]; len(l.Shift) != 0 && len(l.Shift) != n {
		return nil, badShape("give one number a channel", "Shift wants %d channels on the last axis, input has %d", len(l.Shift), n)
	}
	return in, nil
}

// Apply implements [Layer].
func (l Rescale) Apply(c *Context) *gorgonia.Node {
	o := &op.ChannelAffine{Axis: len(c.InputShapes[0]), Scale: cmp.Or(l.Scale, 1)}
	if len(l.Shift) > 0 {
		o.Shift = append([]float64(nil), l.Shift...)
	}
	return c.Op(o, c.Inputs[0])
}
