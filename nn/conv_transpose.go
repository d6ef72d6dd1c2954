package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv2DTranspose is the transposed convolution ("deconvolution"): what the gradient of a Conv2D by its input computes, as
// a layer that enlarges images, with bias and activation behind. Input (None, rows, columns, channels), or channels first; result
// likewise with Filters channels. Weights: kernel (rows, columns, Filters, channels) — the result's channels come
// first, as in Keras — and bias (Filters,).
//
// With n input rows, stride s and a (dilated) kernel that reaches over k, the result has
//
//	Valid   (n−1)·s + k + p rows; without OutputPadding p is what is missing from k to s, if anything
//	Same    n·s rows; with OutputPadding (n−1)·s + p + 1 for an odd k, (n−1)·s + p for an even one
//
// Unlike Keras's, it takes Strides and Dilations above 1 together.
type Conv2DTranspose struct {
	Filters       int          // filters: number of output channels; required
	Kernel        [2]int       // kernel_size: rows, columns; required; see K
	Strides       [2]int       // strides; 0 means 1
	Dilations     [2]int       // dilation_rate; 0 means 1
	OutputPadding []int        // output_padding: rows, columns, each less than its stride; nil means None
	Padding       Padding      // padding; Valid by default
	NoBias        bool         // use_bias=False
	Activation    Nonlinearity // activation; Linear by default

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l Conv2DTranspose) Identity() (class, name string) { return "Conv2DTranspose", l.Name }

// Infer implements [Layer].
func (l Conv2DTranspose) Infer(s *Spec) (Shape, error) {
	return convTranspose{conv{filters: l.Filters, kernel: l.Kernel[:], strides: l.Strides[:], dilations: l.Dilations[:], padding: l.Padding,
		noBias: l.NoBias, activation: l.Activation, kernelOf: ways{l.KernelInitializer, l.KernelRegularizer, l.KernelConstraint},
		biasOf: ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}, l.OutputPadding}.infer(s)
}

// Apply implements [Layer].
func (l Conv2DTranspose) Apply(c *Context) *gorgonia.Node {
	y := c.Op(&op.Conv2DBackwardInput{ConvAttrs: op.ConvAttrs{Strides: l.Strides, Dilations: l.Dilations, Padding: l.Padding.resolved(), Format: c.Format},
		InputShape: append(tensor.Shape{c.build.batch}, c.OutputShape...)}, c.Inputs[0], c.Weight("kernel"))
	return c.finish(y, l.NoBias, l.Activation)
}

// Conv1DTranspose is [Conv2DTranspose] along the steps of a sequence. Input (None, steps, channels), or channels first;
// result likewise with Filters channels. Weights: kernel (Kernel, Filters, channels) and bias (Filters,).
type Conv1DTranspose struct {
	Filters       int          // filters: number of output channels; required
	Kernel        int          // kernel_size: steps; required
	Strides       int          // strides; 0 means 1
	Dilations     int          // dilation_rate; 0 means 1
	OutputPadding []int        // output_padding: one number less than the stride; nil means None
	Padding       Padding      // padding; Valid by default
	NoBias        bool         // use_bias=False
	Activation    Nonlinearity // activation; Linear by default

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l Conv1DTranspose) Identity() (class, name string) { return "Conv1DTranspose", l.Name }

// Infer implements [Layer].
func (l Conv1DTranspose) Infer(s *Spec) (Shape, error) {
	return convTranspose{conv{filters: l.Filters, kernel: []int{l.Kernel}, strides: []int{l.Strides}, dilations: []int{l.Dilations},
		padding: l.Padding, noBias: l.NoBias, activation: l.Activation, kernelOf: ways{l.KernelInitializer, l.KernelRegularizer, l.KernelConstraint},
		biasOf: ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}, l.OutputPadding}.infer(s)
}

// Apply implements [Layer].
func (l Conv1DTranspose) Apply(c *Context) *gorgonia.Node {
	w := c.Weight("kernel")
	if w == nil {
		return nil
	}
	k, out := w.Shape(), c.OutputShape
	full := tensor.Shape{c.build.batch, 1, out[0], out[1]}
	if c.Format == ChannelsFirst {
		full = tensor.Shape{c.build.batch, out[0], 1, out[1]}
	}
	y := c.Op(&op.Conv2DBackwardInput{ConvAttrs: op.ConvAttrs{Strides: alongSteps(l.Strides), Dilations: alongSteps(l.Dilations),
		Padding: l.Padding.resolved(), Format: c.Format}, InputShape: full}, c.asImages(c.Inputs[0]), c.view(w, 1, k[0], k[1], k[2]))
	return c.reshape(c.finish(y, l.NoBias, l.Activation), out)
}

// convTranspose is what transposed convolutions along one and two axes have in common.
type convTranspose struct {
	conv
	outputPadding []int
}

func (l convTranspose) infer(s *Spec) (Shape, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	spatial, channels, err := s.field(len(l.kernel))
	if err != nil {
		return nil, err
	}
	sizes, err := l.sizes(spatial)
	if err != nil {
		return nil, err
	}
	out := s.fieldShape(sizes, l.filters)
	if err := l.activation.check(out); err != nil {
		return nil, err
	}
	s.kernel("kernel", l.kernelOf, l.kernel, l.filters, channels)
	s.bias(l.noBias, l.biasOf, l.filters)
	return out, nil
}

// sizes returns the spatial sizes of the result.
func (l convTranspose) sizes(spatial []int) ([]int, error) {
	mode, err := l.padding.mode()
	if err != nil {
		return nil, err
	}
	if p := l.outputPadding; p != nil && len(p) != len(spatial) {
		return nil, badArgument("give a number for each spatial axis, or none", "OutputPadding wants %d numbers, has %d", len(spatial), len(p))
	}
	out := make([]int, len(spatial))
	for i, n := range spatial {
		if l.strides[i] < 0 || l.dilations[i] < 0 {
			return nil, badArgument("use 0 for the default", "Strides and Dilations must not be negative, are %v and %v",
				show(l.strides), show(l.dilations))
		}
		if max(l.kernel[i], l.strides[i], l.dilations[i]) > maxReach || (l.kernel[i]-1)*max(l.dilations[i], 1) > maxReach {
			return nil, badArgument("correct the one that is too large", "a dilated kernel and Strides must be at most %d, Kernel, Strides and Dilations are %v, %v and %v",
				maxReach, show(l.kernel), show(l.strides), show(l.dilations))
		}
		stride := max(l.strides[i], 1)
		reach := (l.kernel[i]-1)*max(l.dilations[i], 1) + 1
		least := (n - 1) * stride // the result's size without kernel and output padding
		padding := -1
		if l.outputPadding != nil {
			padding = l.outputPadding[i]
			if padding < 0 || padding >= stride {
				return nil, badArgument("use a smaller one, or none", "OutputPadding must be from 0 to the stride − 1, %d along the %s, is %d",
					stride-1, axisName(i, len(spatial)), padding)
			}
		}
		switch {
		case mode == shape.Same && padding < 0:
			out[i] = n * stride
		case mode == shape.Same:
			if out[i] = least + reach%2 + padding; out[i] <= least {
				return nil, badArgument("use an odd kernel, or an OutputPadding of at least 1",
					"padding \"same\" with an even kernel wants an OutputPadding of at least 1 along the %s", axisName(i, len(spatial)))
			}
		case padding < 0:
			out[i] = least + max(reach, stride)
		default:
			out[i] = least + reach + padding
		}
	}
	return out, nil
}
