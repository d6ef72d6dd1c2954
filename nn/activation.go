package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Nonlinearity names an elementwise function (or softmax) as Keras does. The zero value is Linear.
type Nonlinearity string

const (
	// Linear is the identity.
	Linear Nonlinearity = "linear"
	// ReLU is max(x, 0).
	ReLU Nonlinearity = "relu"
	// Softmax turns the scores of a sample into probabilities that sum to one; it takes vectors only.
	Softmax Nonlinearity = "softmax"
)

// check refuses unknown names and a softmax of anything but vectors.
func (f Nonlinearity) check(s Shape) error {
	switch f {
	case "", Linear, ReLU:
		return nil
	case Softmax:
		if len(s) != 1 {
			return badShape("add a Flatten or a GlobalAveragePooling2D before it",
				"softmax wants a vector of scores (2 axes with the batch), gets %v", s)
		}
		return nil
	}
	return badArgument(`use "relu", "softmax" or "linear"`, "unknown activation %q%s", string(f),
		suggest.Phrase(string(f), []string{string(ReLU), string(Softmax), string(Linear)}))
}

// apply adds the function to the graph; Linear adds nothing.
func (f Nonlinearity) apply(c *Context, x *gorgonia.Node) *gorgonia.Node {
	switch f {
	case ReLU:
		return c.Op(&op.ReLU{}, x)
	case Softmax:
		return c.Op(&op.Softmax{}, x)
	}
	return x
}

// Activation applies a function to its input: Keras's Activation(activation). Any shape; the shape stays.
type Activation struct {
	Func Nonlinearity // activation; Linear by default
	Name string
}

// Identity implements [Layer].
func (l Activation) Identity() (class, name string) { return "Activation", l.Name }

// Infer implements [Layer].
func (l Activation) Infer(s *Spec) (Shape, error) { return s.Inputs[0], l.Func.check(s.Inputs[0]) }

// Apply implements [Layer].
func (l Activation) Apply(c *Context) *gorgonia.Node { return l.Func.apply(c, c.Inputs[0]) }
