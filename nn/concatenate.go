package nn

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Concatenate puts its inputs one after the other along an axis: Keras's Concatenate(axis). The sizes of all other axes are
// equal. The result has the sum of the sizes on that axis.
type Concatenate struct {
	// Axis counts with the batch axis, negative from the end; 0 means the channels of images in the builder's data format,
	// and the last axis otherwise. Keras's default is -1, the last axis in either format.
	Axis int
	Name string
}

// Identity implements [Layer].
func (l Concatenate) Identity() (class, name string) { return "Concatenate", l.Name }

// Arity implements [MultiInput]: one or more.
func (l Concatenate) Arity() (least, most int) { return 1, -1 }

// axis resolves Axis against a shape without batch; the result counts the batch axis.
func (l Concatenate) axis(s Shape, f DataFormat) (int, error) {
	if l.Axis == 0 {
		return channelAxis(s, f), nil
	}
	return sampleAxis("Axis", l.Axis, s)
}

// channelAxis is the axis of the channels, counted with the batch axis: that of the data format for images, else the last.
func channelAxis(s Shape, f DataFormat) int {
	if len(s) == 3 {
		_, _, axis := f.Axes()
		return axis
	}
	return len(s)
}

// Infer implements [Layer].
func (l Concatenate) Infer(s *Spec) (Shape, error) {
	axis, err := l.axis(s.Inputs[0], s.Format)
	if err != nil {
		return nil, err
	}
	out := s.Inputs[0].clone()
	for i, in := range s.Inputs[1:] {
		want := s.Inputs[0].clone()
		if len(in) == len(want) {
			want[axis-1] = in[axis-1]
		}
		if !in.equal(want) {
			return nil, badShape("give all branches the same Strides and Padding, or choose another Axis",
				"wants inputs that differ on axis %d alone, input 0 is %v, input %d is %v", axis, s.Inputs[0], i+1, in)
		}
		if out[axis-1] > maxElements-in[axis-1] {
			return nil, badShape("use fewer or smaller inputs", "the sum of the sizes on axis %d is too large", axis)
		}
		out[axis-1] += in[axis-1]
	}
	return out, nil
}

// Apply implements [Layer].
func (l Concatenate) Apply(c *Context) *gorgonia.Node {
	axis, err := l.axis(c.InputShapes[0], c.Format)
	if err != nil {
		return c.Fail(err)
	}
	if len(c.Inputs) == 1 {
		return c.Inputs[0]
	}
	return c.Op(&op.Concat{Axis: axis}, c.Inputs...)
}

// Dot is the scalar product of two inputs along an axis of each: Keras's Dot(axes, normalize). Of inputs (None, …a, n, …b) and
// (None, …c, n, …d) the result is (None, …a, …b, …c, …d), or (None, 1) where nothing is left.
type Dot struct {
	// Axes are the axis of each input, counted with the batch axis, negative from the end; 0 means -1, the last.
	Axes      [2]int
	Normalize bool // normalize: divide by the norms along the axes, so that the result is the cosine of the angle
	Name      string
}

// Identity implements [Layer].
func (l Dot) Identity() (class, name string) { return "Dot", l.Name }

// Arity implements [MultiInput]: two.
func (l Dot) Arity() (least, most int) { return 2, 2 }

// axes resolves Axes against the shapes of the inputs without batch.
func (l Dot) axes(in []Shape) (axes [2]int, err error) {
	for i, a := range l.Axes {
		if a == 0 {
			a = -1
		}
		if axes[i], err = sampleAxis("Axes", a, in[i]); err != nil {
			return axes, err
		}
	}
	return axes, nil
}

// Infer implements [Layer].
func (l Dot) Infer(s *Spec) (Shape, error) {
	axes, err := l.axes(s.Inputs)
	if err != nil {
		return nil, err
	}
	if m, n := s.Inputs[0][axes[0]-1], s.Inputs[1][axes[1]-1]; m != n {
		return nil, badShape("choose Axes of one size", "wants axes of one size, axis %d of input 0 has %d, axis %d of input 1 has %d",
			axes[0], m, axes[1], n)
	}
	out := append(without(s.Inputs[0], axes[0]), without(s.Inputs[1], axes[1])...)
	if len(out) == 0 {
		return Shape{1}, nil
	}
	if !reasonable(append(out.clone(), s.Inputs[0][axes[0]-1])) {
		return nil, badShape("use smaller inputs", "the products of all pairs would be more than 2³⁴ elements")
	}
	return out, nil
}

// without is a shape less one axis, which counts the batch axis.
func without(s Shape, axis int) Shape { return slices.Delete(s.clone(), axis-1, axis) }

// Apply implements [Layer].
func (l Dot) Apply(c *Context) *gorgonia.Node {
	axes, err := l.axes(c.InputShapes)
	if err != nil {
		return c.Fail(err)
	}
	var x [2]op.Expr
	var first [2]bool // the axis of the products is in front of the others, not behind them
	for i, in := range c.Inputs {
		if x[i] = op.Try(in, c.err); x[i].Err() != nil {
			return c.Expr(x[i])
		}
		if l.Normalize {
			x[i] = x[i].Mul(inverseNorm(x[i], 1e-7, axes[i]))
		}
		s := c.InputShapes[i]
		batch, rest, n := in.Shape()[0], without(s, axes[i]).Size(), s[axes[i]-1]
		if first[i] = axes[i] == 1 && len(s) > 1; first[i] {
			x[i] = x[i].Reshape(batch, n, rest)
			continue
		}
		if axes[i] < len(s) {
			order := []int{0} // the axis of the products last
			for a := range s {
				if a+1 != axes[i] {
					order = append(order, a+1)
				}
			}
			x[i] = x[i].Permute(append(order, axes[i])...)
		}
		x[i] = x[i].Reshape(batch, rest, n)
	}
	return c.view(c.Expr(x[0].BatchMatMul(x[1], first[0], !first[1])), append([]int{c.Inputs[0].Shape()[0]}, c.OutputShape...)...)
}
