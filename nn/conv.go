package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Padding names how windows treat the border, as Keras does. The zero value is Valid.
type Padding string

const (
	// Valid takes whole windows only.
	Valid Padding = "valid"
	// Same gives ceil(n/stride) positions; of an odd padding the smaller half comes first (top, left).
	Same Padding = "same"
	// Causal puts all of the padding before the first step, so that a result depends on no later step: Conv1D only.
	Causal Padding = "causal"
)

func (p Padding) mode() (shape.PadMode, error) {
	switch p {
	case "", Valid:
		return shape.Valid, nil
	case Same:
		return shape.Same, nil
	}
	if p == Causal {
		return 0, badArgument(`use "valid" or "same"`, "padding \"causal\" is for Conv1D only")
	}
	return 0, badArgument(`use "valid" or "same", or a ZeroPadding2D before it`, "unknown padding %q%s", string(p),
		suggest.Phrase(string(p), []string{string(Valid), string(Same)}))
}

// resolved is the padding after its name was checked by Infer.
func (p Padding) resolved() shape.Padding {
	m, _ := p.mode()
	return shape.Padding{Mode: m}
}

// Conv2D is a two-dimensional convolution: y[i,j,f] = Σ x[i·s+u, j·s+v, c]·kernel[u,v,c,f] + bias[f], followed by the
// activation. Input (None, rows, columns, channels), or channels first; result likewise with Filters channels.
// Weights: kernel (rows, columns, channels/Groups, Filters) and bias (Filters,).
type Conv2D struct {
	Filters    int          // filters: number of output channels; required
	Kernel     [2]int       // kernel_size: rows, columns; required; see K
	Strides    [2]int       // strides; 0 means 1
	Dilations  [2]int       // dilation_rate; 0 means 1
	Groups     int          // groups; 0 means 1
	Padding    Padding      // padding; Valid by default
	NoBias     bool         // use_bias=False
	Activation Nonlinearity // activation; Linear by default

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	InChannels int // when not 0, the number of input channels to insist on; Keras has no such argument
	Name       string
}

// Identity implements [Layer].
func (l Conv2D) Identity() (class, name string) { return "Conv2D", l.Name }

// Infer implements [Layer].
func (l Conv2D) Infer(s *Spec) (Shape, error) {
	return conv{filters: l.Filters, groups: l.Groups, kernel: l.Kernel[:], strides: l.Strides[:], dilations: l.Dilations[:],
		padding: l.Padding, noBias: l.NoBias, activation: l.Activation, inChannels: l.InChannels,
		kernelOf: ways{l.KernelInitializer, l.KernelRegularizer, l.KernelConstraint},
		biasOf:   ways{l.BiasInitializer, l.BiasRegularizer, l.BiasConstraint}}.infer(s)
}

// Apply implements [Layer].
func (l Conv2D) Apply(c *Context) *gorgonia.Node {
	y := c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: l.Strides, Dilations: l.Dilations, Groups: l.Groups,
		Padding: l.Padding.resolved(), Format: c.Format}}, c.Inputs[0], c.Weight("kernel"))
	return c.finish(y, l.NoBias, l.Activation)
}
