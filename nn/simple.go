package nn

import (
	"cmp"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Input is the model's input: Keras's Input(shape, batch_size, name), class InputLayer.
type Input struct {
	Shape Shape // shape of a sample; required
	// Batch is shown in summaries instead of None and is the default batch size of Build; 0 means none. Unlike Keras,
	// Build may still be asked for another one, so that a last, smaller batch works.
	Batch int
	// Dtype is tensor.Int for indices, which [Embedding] takes; the zero value means the element type of the model's weights.
	Dtype tensor.Dtype
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
	if l.Dtype != (tensor.Dtype{}) && l.Dtype != tensor.Int {
		return nil, badArgument("use tensor.Int, or leave it out", "Dtype %v is not supported", l.Dtype)
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

// IdentityLayer hands its input on: Keras's Identity, whose name the initializer [Identity] has here. Any shape; the shape stays.
type IdentityLayer struct{ Name string }

// Identity implements [Layer].
func (l IdentityLayer) Identity() (class, name string) { return "Identity", l.Name }

// Infer implements [Layer].
func (l IdentityLayer) Infer(s *Spec) (Shape, error) { return s.Inputs[0], nil }

// Apply implements [Layer].
func (l IdentityLayer) Apply(c *Context) *gorgonia.Node { return c.Inputs[0] }

// Lambda is a Go function as a layer: Keras's Lambda(function, output_shape). It may have any number of inputs. For a layer with
// weights, implement [Layer].
type Lambda struct {
	// Func adds nodes to the graph of the inputs x, which have the batch axis in front, and returns the result's. Operations go
	// through c.Op or c.Expr, which keep mistakes; others are given to c.Fail.
	Func func(c *Context, x []*gorgonia.Node) *gorgonia.Node
	// OutputShape is the shape of a sample of the result; nil means the first input's. Build checks it.
	OutputShape Shape
	Name        string
}

// Identity implements [Layer].
func (l Lambda) Identity() (class, name string) { return "Lambda", l.Name }

// Arity implements [MultiInput]: one or more.
func (l Lambda) Arity() (least, most int) { return 1, -1 }

// Infer implements [Layer].
func (l Lambda) Infer(s *Spec) (Shape, error) {
	switch {
	case l.Func == nil:
		return nil, badArgument("set Func to what the layer computes", "has no Func")
	case l.OutputShape == nil:
		return s.Inputs[0], nil
	}
	return l.OutputShape, nil
}

// Apply implements [Layer].
func (l Lambda) Apply(c *Context) *gorgonia.Node { return l.Func(c, c.Inputs) }
