package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// DepthwiseConv1D is [DepthwiseConv2D] along the steps of a sequence. Input (None, steps, channels), or channels first;
// result likewise with channels·DepthMultiplier channels. Weights: kernel (Kernel, channels, DepthMultiplier) and bias
// (channels·DepthMultiplier,).
type DepthwiseConv1D struct {
	Kernel          int          // kernel_size: steps; required
	Strides         int          // strides; 0 means 1
	Dilations       int          // dilation_rate; 0 means 1
	DepthMultiplier int          // depth_multiplier: filters a channel; 0 means 1
	Padding         Padding      // padding; Valid by default
	NoBias          bool         // use_bias=False
	Activation      Nonlinearity // activation; Linear by default

	DepthwiseInitializer Initializer // depthwise_initializer; nil means GlorotUniform
	BiasInitializer      Initializer // bias_initializer; nil means Zeros
	DepthwiseRegularizer Regularizer // depthwise_regularizer; nil means none
	BiasRegularizer      Regularizer // bias_regularizer; nil means none
	DepthwiseConstraint  Constraint  // depthwise_constraint; nil means none
	BiasConstraint       Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l DepthwiseConv1D) Identity() (class, name string) { return "DepthwiseConv1D", l.Name }

func (l DepthwiseConv1D) depthwise() depthwise {
	return depthwise{kernel: []int{l.Kernel}, strides: []int{l.Strides}, dilations: []int{l.Dilations}, multiplier: l.DepthMultiplier,
		padding: l.Padding, kernelOf: ways{l.DepthwiseInitializer, l.DepthwiseRegularizer, l.DepthwiseConstraint}}
}

// Infer implements [Layer].
func (l DepthwiseConv1D) Infer(s *Spec) (Shape, error) {
	return depthwiseLayer{l.depthwise(), l.NoBias, l.Activation, ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l DepthwiseConv1D) Apply(c *Context) *gorgonia.Node {
	y := l.depthwise().apply(c, c.asImages(c.Inputs[0]), "kernel")
	return c.reshape(c.finish(y, l.NoBias, l.Activation), c.OutputShape)
}

// SeparableConv1D is [SeparableConv2D] along the steps of a sequence. Input (None, steps,
// channels), or channels first; result likewise with Filters channels. Weights: depthwise_kernel (Kernel, channels,
// DepthMultiplier), pointwise_kernel (1, channels·DepthMultiplier, Filters) and bias (Filters,).
type SeparableConv1D struct {
	Filters         int          // filters: number of output channels; required
	Kernel          int          // kernel_size: steps; required
	Strides         int          // strides; 0 means 1
	Dilations       int          // dilation_rate; 0 means 1
	DepthMultiplier int          // depth_multiplier: depthwise filters a channel; 0 means 1
	Padding         Padding      // padding; Valid by default
	NoBias          bool         // use_bias=False
	Activation      Nonlinearity // activation; Linear by default

	DepthwiseInitializer Initializer // depthwise_initializer; nil means GlorotUniform
	PointwiseInitializer Initializer // pointwise_initializer; nil means GlorotUniform
	BiasInitializer      Initializer // bias_initializer; nil means Zeros
	DepthwiseRegularizer Regularizer // depthwise_regularizer; nil means none
	PointwiseRegularizer Regularizer // pointwise_regularizer; nil means none
	BiasRegularizer      Regularizer // bias_regularizer; nil means none
	DepthwiseConstraint  Constraint  // depthwise_constraint; nil means none
	PointwiseConstraint  Constraint  // pointwise_constraint; nil means none
	BiasConstraint       Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l SeparableConv1D) Identity() (class, name string) { return "SeparableConv1D", l.Name }

func (l SeparableConv1D) depthwise() depthwise {
	return depthwise{kernel: []int{l.Kernel}, strides: []int{l.Strides}, dilations: []int{l.Dilations}, multiplier: l.DepthMultiplier,
		padding: l.Padding, kernelOf: ways{l.DepthwiseInitializer, l.DepthwiseRegularizer, l.DepthwiseConstraint}}
}

// Infer implements [Layer].
func (l SeparableConv1D) Infer(s *Spec) (Shape, error) {
	return separable{filters: l.Filters, depthwise: l.depthwise(), noBias: l.NoBias, activation: l.Activation,
		pointwiseOf: ways{l.PointwiseInitializer, l.PointwiseRegularizer, l.PointwiseConstraint},
		biasOf:      ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l SeparableConv1D) Apply(c *Context) *gorgonia.Node {
	y := l.depthwise().apply(c, c.asImages(c.Inputs[0]), "depthwise_kernel")
	w := c.Weight("pointwise_kernel")
	if w == nil {
		return nil
	}
	s := w.Shape()
	y = c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Format: c.Format}}, y, c.view(w, 1, 1, s[1], s[2]))
	return c.reshape(c.finish(y, l.NoBias, l.Activation), c.OutputShape)
}
