package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// The layers that combine two or more inputs element by element stretch them to one shape as Keras does: axes of size 1 take the
// size of the others', and inputs with fewer axes get axes of size 1 behind the batch. The result has the shape they are
// stretched to.

// Add is the sum of its inputs: Keras's Add.
type Add struct{ Name string }

// Subtract is the first of two inputs minus the second: Keras's Subtract.
type Subtract struct{ Name string }

// Multiply is the product of its inputs, element by element: Keras's Multiply.
type Multiply struct{ Name string }

// Average is the mean of its inputs: Keras's Average.
type Average struct{ Name string }

// Maximum is the largest of its inputs, element by element: Keras's Maximum. Of equal ones the earliest gets the gradient.
type Maximum struct{ Name string }

// Minimum is the smallest of its inputs, element by element: Keras's Minimum. Of equal ones the earliest gets the gradient.
type Minimum struct{ Name string }

// Identity implements [Layer].
func (l Add) Identity() (class, name string) { return "Add", l.Name }

// Identity implements [Layer].
func (l Subtract) Identity() (class, name string) { return "Subtract", l.Name }

// Identity implements [Layer].
func (l Multiply) Identity() (class, name string) { return "Multiply", l.Name }

// Identity implements [Layer].
func (l Average) Identity() (class, name string) { return "Average", l.Name }

// Identity implements [Layer].
func (l Maximum) Identity() (class, name string) { return "Maximum", l.Name }

// Identity implements [Layer].
func (l Minimum) Identity() (class, name string) { return "Minimum", l.Name }

// Arity implements [MultiInput]: two or more.
func (l Add) Arity() (least, most int) { return 2, -1 }

// Arity implements [MultiInput]: two.
func (l Subtract) Arity() (least, most int) { return 2, 2 }

// Arity implements [MultiInput]: two or more.
func (l Multiply) Arity() (least, most int) { return 2, -1 }

// Arity implements [MultiInput]: two or more.
func (l Average) Arity() (least, most int) { return 2, -1 }

// Arity implements [MultiInput]: two or more.
func (l Maximum) Arity() (least, most int) { return 2, -1 }

// Arity implements [MultiInput]: two or more.
func (l Minimum) Arity() (least, most int) { return 2, -1 }

// Infer implements [Layer].
func (l Add) Infer(s *Spec) (Shape, error) { return s.stretched() }

// Infer implements [Layer].
func (l Subtract) Infer(s *Spec) (Shape, error) { return s.stretched() }

// Infer implements [Layer].
func (l Multiply) Infer(s *Spec) (Shape, error) { return s.stretched() }

// Infer implements [Layer].
func (l Average) Infer(s *Spec) (Shape, error) { return s.stretched() }

// Infer implements [Layer].
func (l Maximum) Infer(s *Spec) (Shape, error) { return s.stretched() }

// Infer implements [Layer].
func (l Minimum) Infer(s *Spec) (Shape, error) { return s.stretched() }

// stretched is the shape that all inputs are stretched to.
func (s *Spec) stretched() (Shape, error) {
	var out Shape
	for _, in := range s.Inputs {
		for len(out) < len(in) {
			out = append(Shape{1}, out...)
		}
	}
	by := make([]int, len(out)) // the input that an axis has its size from
	for i, in := range s.Inputs {
		ahead := len(out) - len(in)
		for j, n := range in {
			switch at := ahead + j; {
			case out[at] == 1:
				out[at], by[at] = n, i
			case n != 1 && n != out[at]:
				return nil, badShape("give both branches the same Filters and Strides, e.g. with a 1×1 Conv2D on the shortcut; axes of size 1 are stretched",
					"wants inputs of one shape, input %d is %v, input %d is %v", by[at], s.Inputs[by[at]], i, in)
			}
		}
	}
	return out, nil
}

// Apply implements [Layer].
func (l Add) Apply(c *Context) *gorgonia.Node { return c.sum() }

// Apply implements [Layer].
func (l Subtract) Apply(c *Context) *gorgonia.Node { return c.Expr(c.fold(op.Expr.Sub)) }

// Apply implements [Layer].
func (l Multiply) Apply(c *Context) *gorgonia.Node { return c.Expr(c.fold(op.Expr.Mul)) }

// Apply implements [Layer].
func (l Average) Apply(c *Context) *gorgonia.Node {
	return c.Expr(op.Try(c.sum(), c.err).Div(op.Number(float64(len(c.Inputs)))))
}

// Apply implements [Layer].
func (l Maximum) Apply(c *Context) *gorgonia.Node { return c.Expr(c.fold(op.Expr.Maximum)) }

// Apply implements [Layer].
func (l Minimum) Apply(c *Context) *gorgonia.Node { return c.Expr(c.fold(op.Expr.Minimum)) }

// fold combines the first input with the second, that with the third, and so on.
func (c *Context) fold(f func(x, y op.Expr) op.Expr) op.Expr {
	all := c.aligned()
	x := all[0]
	for _, y := range all[1:] {
		x = f(x, y)
	}
	return x
}

// sum adds all inputs; those of one shape by the operation that passes look for.
func (c *Context) sum() *gorgonia.Node {
	var total *gorgonia.Node
	for i, x := range c.aligned() {
		switch n := c.Expr(x); {
		case n == nil:
			return nil
		case i == 0:
			total = n
		case n.Shape().Eq(total.Shape()):
			total = c.Op(&op.Add{}, total, n)
		default:
			total = c.Op(&op.Binary{Fn: op.FnAdd}, total, n)
		}
	}
	return total
}

// aligned are the inputs with as many axes as the result has.
func (c *Context) aligned() []op.Expr {
	all := make([]op.Expr, len(c.Inputs))
	for i, in := range c.Inputs {
		if all[i] = op.Try(in, c.err); all[i].Err() != nil {
			continue
		}
		to := []int{in.Shape()[0]}
		for range len(c.OutputShape) - len(c.InputShapes[i]) {
			to = append(to, 1)
		}
		all[i] = all[i].Reshape(append(to, c.InputShapes[i]...)...)
	}
	return all
}
