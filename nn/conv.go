package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

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
)

func (p Padding) mode() (shape.PadMode, error) {
	switch p {
	case "", Valid:
		return shape.Valid, nil
	case Same:
		return shape.Same, nil
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
	groups := max(l.Groups, 1)
	switch {
	case l.Filters < 1:
		return nil, badArgument("set Filters to the number of output channels", "Filters must be at least 1, is %d", l.Filters)
	case l.Kernel[0] < 1 || l.Kernel[1] < 1:
		return nil, badArgument("set Kernel, e.g. to nn.K(3)", "Kernel must be at least 1×1, is %d×%d", l.Kernel[0], l.Kernel[1])
	case l.Groups < 0 || l.InChannels < 0:
		return nil, badArgument("use 0 for the default", "Groups and InChannels must not be negative")
	case l.Filters%groups != 0:
		return nil, badArgument("choose Filters as a multiple of Groups", "%d Filters do not divide into %d groups", l.Filters, groups)
	}
	_, _, channels, err := s.image()
	if err != nil {
		return nil, err
	}
	if l.InChannels != 0 && l.InChannels != channels {
		return nil, badShape(join(", or ", s.wantChannels(l.InChannels), "drop InChannels"),
			"kernel %d×%d wants %d input channels, input has %d", l.Kernel[0], l.Kernel[1], l.InChannels, channels)
	}
	if channels%groups != 0 {
		return nil, badShape(join(", or ", s.wantChannels((channels/groups+1)*groups), "choose Groups to divide the channels"),
			"%d groups want a multiple of %d input channels, input has %d", groups, groups, channels)
	}
	out, err := s.window("kernel", l.Kernel, l.Strides, l.Dilations, l.Padding, l.Filters)
	if err != nil {
		return nil, err
	}
	if err := l.Activation.check(out); err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "kernel", Shape: tensor.Shape{l.Kernel[0], l.Kernel[1], channels / groups, l.Filters}, Trainable: true,
		Initializer: orDefault(l.KernelInitializer, GlorotUniform{}), Regularizer: l.KernelRegularizer, Constraint: l.KernelConstraint})
	if !l.NoBias {
		s.Weight(Weight{Name: "bias", Shape: tensor.Shape{l.Filters}, Trainable: true,
			Initializer: l.BiasInitializer, Regularizer: l.BiasRegularizer, Constraint: l.BiasConstraint})
	}
	return out, nil
}

// Apply implements [Layer].
func (l Conv2D) Apply(c *Context) *gorgonia.Node {
	y := c.Op(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: l.Strides, Dilations: l.Dilations, Groups: l.Groups,
		Padding: l.Padding.resolved(), Format: c.Format}}, c.Inputs[0], c.Weight("kernel"))
	if !l.NoBias {
		_, _, axis := c.Format.Axes()
		y = c.Op(&op.BiasAdd{Axis: axis}, y, c.Weight("bias"))
	}
	return l.Activation.apply(c, y)
}

// window is the result of a window that slides over the input images.
func (s *Spec) window(what string, size, strides, dilations [2]int, padding Padding, filters int) (Shape, error) {
	rows, cols, _, err := s.image()
	if err != nil {
		return nil, err
	}
	mode, err := padding.mode()
	if err != nil {
		return nil, err
	}
	var spans [2]shape.Span
	for i, n := range [2]int{rows, cols} {
		axis := [2]string{"rows", "columns"}[i]
		if spans[i], err = shape.Along(n, size[i], strides[i], dilations[i], mode, 0, 0); err == nil {
			continue
		}
		if strides[i] < 0 || dilations[i] < 0 {
			return nil, badArgument("use 0 for the default", "Strides and Dilations must not be negative, are %v and %v", strides, dilations)
		}
		reach := shape.Span{Kernel: size[i], Dilation: max(dilations[i], 1)}.Reach()
		return nil, badShape(`use padding "same", a larger input or fewer pooling layers before it`,
			"%s %d×%d wants at least %d %s, input has %d", what, size[0], size[1], reach, axis, n)
	}
	return s.imageShape(spans[0].Out, spans[1].Out, filters), nil
}

func orDefault(i, otherwise Initializer) Initializer {
	if i == nil {
		return otherwise
	}
	return i
}
