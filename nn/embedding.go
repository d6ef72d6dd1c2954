package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Embedding turns each index into a vector that is looked up in a table: Keras's Embedding(input_dim, output_dim). Input
// (None, …), indices from 0 to InputDim − 1: integers, of an [Input] with the Dtype tensor.Int, or floats, which are rounded
// towards 0 as TensorFlow casts them. Others are an error when it runs. Result (None, …, OutputDim). Weight: embeddings
// (InputDim, OutputDim). There is no mask_zero.
type Embedding struct {
	InputDim  int // input_dim: number of different indices; required
	OutputDim int // output_dim: length of the vectors; required

	EmbeddingsInitializer Initializer // embeddings_initializer; nil means RandomUniform, Keras's "uniform"
	EmbeddingsRegularizer Regularizer // embeddings_regularizer; nil means none
	EmbeddingsConstraint  Constraint  // embeddings_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l Embedding) Identity() (class, name string) { return "Embedding", l.Name }

func (l Embedding) channelField() string { return "OutputDim" }

// Infer implements [Layer].
func (l Embedding) Infer(s *Spec) (Shape, error) {
	switch {
	case l.InputDim < 1:
		return nil, badArgument("set InputDim to the number of different indices", "InputDim must be at least 1, is %d", l.InputDim)
	case l.OutputDim < 1:
		return nil, badArgument("set OutputDim to the length of the vectors", "OutputDim must be at least 1, is %d", l.OutputDim)
	}
	s.Weight(Weight{Name: "embeddings", Shape: tensor.Shape{l.InputDim, l.OutputDim}, Trainable: true,
		Initializer: orDefault(l.EmbeddingsInitializer, RandomUniform{}), Regularizer: l.EmbeddingsRegularizer, Constraint: l.EmbeddingsConstraint})
	return append(s.Inputs[0].clone(), l.OutputDim), nil
}

// Apply implements [Layer].
func (l Embedding) Apply(c *Context) *gorgonia.Node {
	indices := c.Inputs[0]
	if indices != nil && dtypeOf(indices) != tensor.Int {
		indices = c.Op(&op.Truncate{}, indices)
	}
	return c.Op(&op.Gather{Axis: 0}, c.Weight("embeddings"), indices)
}
