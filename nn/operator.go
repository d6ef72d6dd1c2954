package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// AddNumber is x + Number, element by element: what Keras's functional API makes of x + 3, which summaries show as a layer of class
// "Add". Any shape; the shape stays.
type AddNumber struct {
	Number float64
	Name   string
}

// MultiplyNumber is x·Number, element by element: what Keras's functional API makes of x * 0.5, which summaries show as a layer of
// class "Multiply". Any shape; the shape stays.
type MultiplyNumber struct {
	Number float64
	Name   string
}

// Identity implements [Layer].
func (l AddNumber) Identity() (class, name string) { return "Add", l.Name }

// Identity implements [Layer].
func (l MultiplyNumber) Identity() (class, name string) { return "Multiply", l.Name }

// Infer implements [Layer].
func (l AddNumber) Infer(s *Spec) (Shape, error) {
	return s.Inputs[0], checkNumber("Number", l.Number, "check the number")
}

// Infer implements [Layer].
func (l MultiplyNumber) Infer(s *Spec) (Shape, error) {
	return s.Inputs[0], checkNumber("Number", l.Number, "check the number")
}

// Apply implements [Layer].
func (l AddNumber) Apply(c *Context) *gorgonia.Node {
	return c.Expr(op.Try(c.Inputs[0], c.err).Add(op.Number(l.Number)))
}

// Apply implements [Layer].
func (l MultiplyNumber) Apply(c *Context) *gorgonia.Node {
	return c.Expr(op.Try(c.Inputs[0], c.err).Mul(op.Number(l.Number)))
}
