package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Dense is a fully connected layer: y = x·kernel + bias, followed by the activation. Input (None, features), result
// (None, Units). Of inputs with more axes, such as (None, steps, features), it works along the last one, as Keras does; put a
// Flatten before it to connect all elements of a sample. Weights: kernel (features, Units) and bias (Units,).
type Dense struct {
	Units      int          // units: number of outputs; required
	NoBias     bool         // use_bias=False
	Activation Nonlinearity // activation; Linear by default

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l Dense) Identity() (class, name string) { return "Dense", l.Name }

// Infer implements [Layer].
func (l Dense) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	switch {
	case l.Units < 1:
		return nil, badArgument("set Units to the number of outputs", "Units must be at least 1, is %d", l.Units)
	case len(in) == 0:
		return nil, badShape("give each sample an axis of features, e.g. with a Reshape", "wants vectors (2 axes with the batch), input has 1")
	}
	last := len(in) - 1
	out := append(in[:last].clone(), l.Units)
	if err := l.Activation.check(out); err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "kernel", Shape: tensor.Shape{in[last], l.Units}, Trainable: true,
		Initializer: orDefault(l.KernelInitializer, GlorotUniform{}), Regularizer: l.KernelRegularizer, Constraint: l.KernelConstraint})
	if !l.NoBias {
		s.Weight(Weight{Name: "bias", Shape: tensor.Shape{l.Units}, Trainable: true,
			Initializer: l.BiasInitializer, Regularizer: l.BiasRegularizer, Constraint: l.BiasConstraint})
	}
	return out, nil
}

// Apply implements [Layer].
func (l Dense) Apply(c *Context) *gorgonia.Node {
	x, in := c.Inputs[0], c.InputShapes[0]
	if x == nil {
		return nil
	}
	batch, features := x.Shape()[0], in[len(in)-1]
	y := c.Op(&op.MatMul{}, c.view(x, batch*in.Size()/features, features), c.Weight("kernel"))
	if !l.NoBias {
		y = c.Op(&op.BiasAdd{Axis: -1}, y, c.Weight("bias"))
	}
	return c.view(l.Activation.apply(c, y), append([]int{batch}, c.OutputShape...)...)
}
