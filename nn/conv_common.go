package nn

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// conv is what the convolutions along one, two and three axes have in common.
type conv struct {
	filters, groups            int
	kernel, strides, dilations []int
	padding                    Padding
	noBias                     bool
	activation                 Nonlinearity
	kernelOf, biasOf           ways
	inChannels                 int
}

// infer checks the layer, declares kernel and bias and returns the shape of the result.
func (l conv) infer(s *Spec) (Shape, error) {
	groups := max(l.groups, 1)
	if err := l.check(); err != nil {
		return nil, err
	}
	spatial, channels, err := s.field(len(l.kernel))
	if err != nil {
		return nil, err
	}
	if l.inChannels != 0 && l.inChannels != channels {
		return nil, badShape(join(", or ", s.wantChannels(l.inChannels), "drop InChannels"),
			"kernel %s wants %d input channels, input has %d", times(l.kernel), l.inChannels, channels)
	}
	if channels%groups != 0 {
		return nil, badShape(join(", or ", s.wantChannels((channels/groups+1)*groups), "choose Groups to divide the channels"),
			"%d groups want a multiple of %d input channels, input has %d", groups, groups, channels)
	}
	positions, err := slide("kernel", spatial, l.kernel, l.strides, l.dilations, l.padding)
	if err != nil {
		return nil, err
	}
	out := s.fieldShape(positions, l.filters)
	if err := l.activation.check(out); err != nil {
		return nil, err
	}
	s.kernel("kernel", l.kernelOf, l.kernel, channels/groups, l.filters)
	s.bias(l.noBias, l.biasOf, l.filters)
	return out, nil
}

// check refuses what no input can make right.
func (l conv) check() error {
	switch {
	case l.filters < 1:
		return badArgument("set Filters to the number of output channels", "Filters must be at least 1, is %d", l.filters)
	case slices.Min(l.kernel) < 1:
		ones := make([]int, len(l.kernel))
		for i := range ones {
			ones[i] = 1
		}
		return badArgument("set Kernel, e.g. to "+[]string{"3", "nn.K(3)", "nn.K3(3)"}[len(ones)-1],
			"Kernel must be at least %s, is %s", times(ones), times(l.kernel))
	case l.groups < 0 || l.inChannels < 0:
		return badArgument("use 0 for the default", "Groups and InChannels must not be negative")
	case l.filters%max(l.groups, 1) != 0:
		return badArgument("choose Filters as a multiple of Groups", "%d Filters do not divide into %d groups", l.filters, l.groups)
	}
	return nil
}

// ways are how a weight starts, what is charged for it and what it is kept within.
type ways struct {
	initializer Initializer
	regularizer Regularizer
	constraint  Constraint
}

// kernel declares a trainable kernel of shape (…spatial, …channels), GlorotUniform by default.
func (s *Spec) kernel(name string, w ways, spatial []int, channels ...int) {
	s.Weight(Weight{Name: name, Shape: append(slices.Clone(spatial), channels...), Trainable: true,
		Initializer: orDefault(w.initializer, GlorotUniform{}), Regularizer: w.regularizer, Constraint: w.constraint})
}

// bias declares a trainable bias unless the layer has none.
func (s *Spec) bias(none bool, w ways, filters int) {
	if !none {
		s.Weight(Weight{Name: "bias", Shape: tensor.Shape{filters}, Trainable: true,
			Initializer: w.initializer, Regularizer: w.regularizer, Constraint: w.constraint})
	}
}

// finish adds the layer's bias to images and applies its activation.
func (c *Context) finish(y *gorgonia.Node, noBias bool, f Nonlinearity) *gorgonia.Node {
	if !noBias {
		_, _, axis := c.Format.Axes()
		y = c.Op(&op.BiasAdd{Axis: axis}, y, c.Weight("bias"))
	}
	return f.apply(c, y)
}

func orDefault(i, otherwise Initializer) Initializer {
	if isNil(i) {
		return otherwise
	}
	return i
}
