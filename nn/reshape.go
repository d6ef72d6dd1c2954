package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Flatten makes a vector of each sample: (None, 6, 6, 32) becomes (None, 1152). With ChannelsFirst the channels are
// moved to the end before, as Keras does, so that a Dense layer behind has the same weights in both data formats.
type Flatten struct{ Name string }

// Identity implements [Layer].
func (l Flatten) Identity() (class, name string) { return "Flatten", l.Name }

// Infer implements [Layer].
func (l Flatten) Infer(s *Spec) (Shape, error) { return Shape{s.Inputs[0].Size()}, nil }

// Apply implements [Layer].
func (l Flatten) Apply(c *Context) *gorgonia.Node {
	x, in := c.Inputs[0], c.InputShapes[0]
	if c.Format == ChannelsFirst && len(in) > 1 {
		axes := []int{0}
		for i := 2; i <= len(in); i++ {
			axes = append(axes, i)
		}
		x = c.Op(&op.Permute{Axes: append(axes, 1)}, x)
	}
	if len(in) == 1 {
		return x
	}
	return c.reshape(x, Shape{in.Size()})
}

// Reshape gives each sample another shape of the same size, row-major: Keras's Reshape(target_shape).
type Reshape struct {
	Target Shape // target_shape, without the batch axis; one axis may be -1: what is left
	Name   string
}

// Identity implements [Layer].
func (l Reshape) Identity() (class, name string) { return "Reshape", l.Name }

// Infer implements [Layer].
func (l Reshape) Infer(s *Spec) (Shape, error) {
	out, size, free, have := l.Target.clone(), 1, -1, s.Inputs[0].Size()
	for i, d := range out {
		switch {
		case d == -1 && free < 0:
			free = i
		case d < 1:
			return nil, badArgument("use positive sizes, and -1 at most once", "Target %v has %d on axis %d", l.Target, d, i+1)
		case d > maxElements/size: // keeps the product from overflowing
			return nil, badShape("choose a Target of that size", "Target %v is too large, input has %d elements a sample", []int(l.Target), have)
		default:
			size *= d
		}
	}
	if free >= 0 && have%size == 0 {
		out[free] = have / size
		size = have
	}
	if size != have {
		return nil, badShape("choose a Target of that size", "wants %d elements a sample for Target %v, input has %d", size, []int(l.Target), have)
	}
	return out, nil
}

// Apply implements [Layer].
func (l Reshape) Apply(c *Context) *gorgonia.Node { return c.reshape(c.Inputs[0], c.OutputShape) }

// reshape gives x, a batch, samples of shape s.
func (c *Context) reshape(x *gorgonia.Node, s Shape) *gorgonia.Node {
	if x == nil {
		return nil
	}
	from := x.Shape().Clone()
	if Shape(from[1:]).equal(s) {
		return x
	}
	return c.Op(&op.Reshape{From: from, To: append(tensor.Shape{from[0]}, s...)}, x)
}

// Permute reorders the axes of each sample: Keras's Permute(dims). Dims counts from 1 without the batch axis:
// Permute{Dims: []int{3, 1, 2}} turns rows, columns, channels into channels, rows, columns.
type Permute struct {
	Dims []int // dims; required
	Name string
}

// Identity implements [Layer].
func (l Permute) Identity() (class, name string) { return "Permute", l.Name }

// Infer implements [Layer].
func (l Permute) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	if len(l.Dims) != len(in) {
		return nil, badShape("list each axis once", "Dims %v wants %d axes behind the batch, input has %d", l.Dims, len(l.Dims), len(in))
	}
	out, seen := make(Shape, len(in)), make([]bool, len(in))
	for i, d := range l.Dims {
		if d < 1 || d > len(in) || seen[d-1] {
			return nil, badArgument("list each axis once, counted from 1 without the batch",
				"Dims %v is no order of the axes 1 to %d", l.Dims, len(in))
		}
		seen[d-1] = true
		out[i] = in[d-1]
	}
	return out, nil
}

// Apply implements [Layer].
func (l Permute) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.Permute{Axes: append([]int{0}, l.Dims...)}, c.Inputs[0])
}
