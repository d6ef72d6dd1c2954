package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// DepthwiseConv2D convolves each channel by itself, with DepthMultiplier filters of its own:
// y[i,j,c·m+q] = Σ x[i·s+u, j·s+v, c]·kernel[u,v,c,q] + bias[c·m+q], followed by the activation (Howard et al. 2017).
// Input (None, rows, columns, channels), or channels first; result likewise with channels·DepthMultiplier channels. Weights:
// kernel (rows, columns, channels, DepthMultiplier), called depthwise_kernel before Keras 3, and bias
// (channels·DepthMultiplier,). Unlike Keras's, Strides may differ, and both Strides and Dilations may exceed 1.
type DepthwiseConv2D struct {
	Kernel          [2]int       // kernel_size: rows, columns; required; see K
	Strides         [2]int       // strides; 0 means 1
	Dilations       [2]int       // dilation_rate; 0 means 1
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
func (l DepthwiseConv2D) Identity() (class, name string) { return "DepthwiseConv2D", l.Name }

func (l DepthwiseConv2D) depthwise() depthwise {
	return depthwise{kernel: l.Kernel[:], strides: l.Strides[:], dilations: l.Dilations[:], multiplier: l.DepthMultiplier,
		padding: l.Padding, kernelOf: ways{l.DepthwiseInitializer, l.DepthwiseRegularizer, l.DepthwiseConstraint}}
}

// Infer implements [Layer].
func (l DepthwiseConv2D) Infer(s *Spec) (Shape, error) {
	return depthwiseLayer{l.depthwise(), l.NoBias, l.Activation, ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l DepthwiseConv2D) Apply(c *Context) *gorgonia.Node {
	return c.finish(l.depthwise().apply(c, c.Inputs[0], "kernel"), l.NoBias, l.Activation)
}

// SeparableConv2D is a depthwise convolution followed by a pointwise one, which mixes the channels, with one bias and
// activation behind both (Chollet 2017). Input (None, rows, columns, channels), or channels first; result likewise with Filters
// channels. Weights: depthwise_kernel (rows, columns, channels, DepthMultiplier), pointwise_kernel (1, 1,
// channels·DepthMultiplier, Filters) and bias (Filters,).
type SeparableConv2D struct {
	Filters         int          // filters: number of output channels; required
	Kernel          [2]int       // kernel_size: rows, columns; required; see K
	Strides         [2]int       // strides; 0 means 1
	Dilations       [2]int       // dilation_rate; 0 means 1
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
func (l SeparableConv2D) Identity() (class, name string) { return "SeparableConv2D", l.Name }

func (l SeparableConv2D) depthwise() depthwise {
	return depthwise{kernel: l.Kernel[:], strides: l.Strides[:], dilations: l.Dilations[:], multiplier: l.DepthMultiplier,
		padding: l.Padding, kernelOf: ways{l.DepthwiseInitializer, l.DepthwiseRegularizer, l.DepthwiseConstraint}}
}

// Infer implements [Layer].
func (l SeparableConv2D) Infer(s *Spec) (Shape, error) {
	return separable{filters: l.Filters, depthwise: l.depthwise(), noBias: l.NoBias, activation: l.Activation,
		pointwiseOf: ways{l.PointwiseInitializer, l.PointwiseRegularizer, l.PointwiseConstraint},
		biasOf:      ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l SeparableConv2D) Apply(c *Context) *gorgonia.Node {
	y := l.depthwise().apply(c, c.Inputs[0], "depthwise_kernel")
	y = c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Format: c.Format}}, y, c.Weight("pointwise_kernel"))
	return c.finish(y, l.NoBias, l.Activation)
}

// separable is what separable convolutions along one and two axes have in common.
type separable struct {
	filters             int
	depthwise           depthwise
	noBias              bool
	activation          Nonlinearity
	pointwiseOf, biasOf ways
}

func (l separable) infer(s *Spec) (Shape, error) {
	if l.filters < 1 {
		return nil, badArgument("set Filters to the number of output channels", "Filters must be at least 1, is %d", l.filters)
	}
	positions, channels, err := l.depthwise.infer(s, "depthwise_kernel")
	if err != nil {
		return nil, err
	}
	out := s.fieldShape(positions, l.filters)
	if err := l.activation.check(out); err != nil {
		return nil, err
	}
	s.kernel("pointwise_kernel", l.pointwiseOf, []int{1, 1}[:len(positions)], channels, l.filters)
	s.bias(l.noBias, l.biasOf, l.filters)
	return out, nil
}

// depthwiseLayer is what the depthwise layers of one and two axes have in common.
type depthwiseLayer struct {
	depthwise  depthwise
	noBias     bool
	activation Nonlinearity
	biasOf     ways
}

func (l depthwiseLayer) infer(s *Spec) (Shape, error) {
	positions, channels, err := l.depthwise.infer(s, "kernel")
	if err != nil {
		return nil, err
	}
	out := s.fieldShape(positions, channels)
	if err := l.activation.check(out); err != nil {
		return nil, err
	}
	s.bias(l.noBias, l.biasOf, channels)
	return out, nil
}

// depthwise is the depthwise convolution of the layers above, along one axis or two.
type depthwise struct {
	kernel, strides, dilations []int
	multiplier                 int
	padding                    Padding
	kernelOf                   ways
}

// infer checks it, declares its kernel under that name and returns the positions and channels of its result.
func (l depthwise) infer(s *Spec, name string) (positions []int, channels int, err error) {
	switch {
	case l.multiplier < 0:
		return nil, 0, badArgument("use 0 for the default", "DepthMultiplier must not be negative, is %d", l.multiplier)
	case l.multiplier > maxReach:
		return nil, 0, badArgument("use a small one", "DepthMultiplier must be at most %d, is %d", maxReach, l.multiplier)
	}
	if err := (conv{filters: 1, kernel: l.kernel}).check(); err != nil {
		return nil, 0, err
	}
	if _, err := l.padding.mode(); err != nil {
		return nil, 0, err
	}
	spatial, channels, err := s.field(len(l.kernel))
	if err != nil {
		return nil, 0, err
	}
	if positions, err = slide("kernel", spatial, l.kernel, l.strides, l.dilations, l.padding); err != nil {
		return nil, 0, err
	}
	m := max(l.multiplier, 1)
	s.kernel(name, l.kernelOf, l.kernel, channels, m)
	return positions, channels * m, nil
}

// apply convolves images, those of one row where the layer has one axis, in as many groups as there are channels.
// Of the convolution's kernel (rows, columns, 1, channels·m) the weight is another view.
func (l depthwise) apply(c *Context, x *gorgonia.Node, name string) *gorgonia.Node {
	w := c.Weight(name)
	if w == nil {
		return nil
	}
	a := op.ConvAttrs{Padding: l.padding.resolved(), Format: c.Format}
	s, rows := w.Shape(), 1
	if len(l.kernel) == 2 {
		rows = s[0]
		a.Strides, a.Dilations = [2]int(l.strides), [2]int(l.dilations)
	} else {
		a.Strides, a.Dilations = alongSteps(l.strides[0]), alongSteps(l.dilations[0])
	}
	n := len(s)
	a.Groups = s[n-2]
	return c.Op(&op.Conv2D{ConvAttrs: a}, x, c.view(w, rows, s[n-3], 1, s[n-2]*s[n-1]))
}
