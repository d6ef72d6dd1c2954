package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Dense is a fully connected layer: y = x·kernel + bias, followed by the activation. Input (None, features), result
// (None, Units). Keras also takes more axes; here a Flatten or Reshape goes before. Weights: kernel (features, Units)
// and bias (Units,).
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
	case len(in) != 1:
		return nil, badShape("add a Flatten or a GlobalAveragePooling2D before it",
			"wants vectors (2 axes with the batch), input has %d", len(in)+1)
	}
	if err := l.Activation.check(Shape{l.Units}); err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "kernel", Shape: tensor.Shape{in[0], l.Units}, Trainable: true,
		Initializer: orDefault(l.KernelInitializer, GlorotUniform{}), Regularizer: l.KernelRegularizer, Constraint: l.KernelConstraint})
	if !l.NoBias {
		s.Weight(Weight{Name: "bias", Shape: tensor.Shape{l.Units}, Trainable: true,
			Initializer: l.BiasInitializer, Regularizer: l.BiasRegularizer, Constraint: l.BiasConstraint})
	}
	return Shape{l.Units}, nil
}

// Apply implements [Layer].
func (l Dense) Apply(c *Context) *gorgonia.Node {
	y := c.Op(&op.MatMul{}, c.Inputs[0], c.Weight("kernel"))
	if !l.NoBias {
		y = c.Op(&op.BiasAdd{Axis: -1}, y, c.Weight("bias"))
	}
	return l.Activation.apply(c, y)
}
