package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Conv1D is a convolution along the steps of a sequence: y[i,f] = Σ x[i·s+u, c]·kernel[u,c,f] + bias[f], followed by
// the activation. Input (None, steps, channels), or channels first; result likewise with Filters channels. Weights:
// kernel (Kernel, channels/Groups, Filters) and bias (Filters,). It is a Conv2D of images with one row.
type Conv1D struct {
	Filters    int          // filters: number of output channels; required
	Kernel     int          // kernel_size: steps; required
	Strides    int          // strides; 0 means 1
	Dilations  int          // dilation_rate; 0 means 1
	Groups     int          // groups; 0 means 1
	Padding    Padding      // padding; Valid by default; also Causal
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
func (l Conv1D) Identity() (class, name string) { return "Conv1D", l.Name }

// Infer implements [Layer].
func (l Conv1D) Infer(s *Spec) (Shape, error) {
	return conv{filters: l.Filters, groups: l.Groups, kernel: []int{l.Kernel}, strides: []int{l.Strides}, dilations: []int{l.Dilations},
		padding: l.Padding, noBias: l.NoBias, activation: l.Activation,
		kernelOf: ways{l.KernelInitializer, l.KernelRegularizer, l.KernelConstraint}, biasOf: ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l Conv1D) Apply(c *Context) *gorgonia.Node {
	w := c.Weight("kernel")
	if w == nil {
		return nil
	}
	s := w.Shape()
	y := c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: alongSteps(l.Strides), Dilations: alongSteps(l.Dilations), Groups: l.Groups,
		Padding: l.Padding.ofSteps(l.Kernel, l.Dilations), Format: c.Format}}, c.asImages(c.Inputs[0]), c.view(w, 1, s[0], s[1], s[2]))
	return c.reshape(c.finish(y, l.NoBias, l.Activation), c.OutputShape)
}

// alongSteps is an attribute of images with one row: n along the steps.
func alongSteps(n int) [2]int { return [2]int{1, n} }

// ofSteps is the padding of sequences as images with one row; its name was checked by Infer.
func (p Padding) ofSteps(kernel, dilation int) shape.Padding {
	if p == Causal {
		return shape.Padding{Mode: shape.Explicit, Left: (kernel - 1) * max(dilation, 1)}
	}
	return p.resolved()
}
