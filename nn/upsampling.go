package nn

import (
	"cmp"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Interpolation names how enlarged images are filled, as Keras does. The zero value is Nearest.
type Interpolation string

const (
	// Nearest repeats elements.
	Nearest Interpolation = "nearest"
	// Bilinear weights the four nearest elements by their distance from the new one's centre; at the border, the outermost
	// elements count for what would lie outside.
	Bilinear Interpolation = "bilinear"
)

func (i Interpolation) check() error {
	switch i {
	case "", Nearest, Bilinear:
		return nil
	}
	return badArgument(`use "nearest" or "bilinear"`, "unknown interpolation %q%s", string(i),
		suggest.Phrase(string(i), []string{string(Nearest), string(Bilinear)}))
}

// UpSampling2D enlarges images Size times: (None, rows, columns, channels), or channels first, becomes
// (None, rows·Size[0], columns·Size[1], channels). Keras also knows bicubic and Lanczos interpolation.
type UpSampling2D struct {
	Size          [2]int        // size: factors of rows and columns; 0 means 2
	Interpolation Interpolation // interpolation; Nearest by default
	Name          string
}

// UpSampling1D repeats each step of a sequence Size times: (None, steps, channels), or channels first, which Keras's
// does not know, becomes (None, steps·Size, channels).
type UpSampling1D struct {
	Size int // size: factor of the steps; 0 means 2
	Name string
}

// RepeatVector makes a sequence of Times equal steps from each vector: (None, features) becomes (None, Times, features).
type RepeatVector struct {
	Times int // n: number of steps; required
	Name  string
}

// Identity implements [Layer].
func (l UpSampling2D) Identity() (class, name string) { return "UpSampling2D", l.Name }

// Identity implements [Layer].
func (l UpSampling1D) Identity() (class, name string) { return "UpSampling1D", l.Name }

// Identity implements [Layer].
func (l RepeatVector) Identity() (class, name string) { return "RepeatVector", l.Name }

// Infer implements [Layer].
func (l UpSampling2D) Infer(s *Spec) (Shape, error) {
	if err := l.Interpolation.check(); err != nil {
		return nil, err
	}
	return s.enlarged(l.Size[:])
}

// Infer implements [Layer].
func (l UpSampling1D) Infer(s *Spec) (Shape, error) { return s.enlarged([]int{l.Size}) }

// Infer implements [Layer].
func (l RepeatVector) Infer(s *Spec) (Shape, error) {
	in := s.Inputs[0]
	switch {
	case l.Times < 1:
		return nil, badArgument("set Times to the number of steps", "Times must be at least 1, is %d", l.Times)
	case len(in) != 1:
		return nil, badShape("add a Flatten before it", "wants vectors (2 axes with the batch), input has %d", len(in)+1)
	}
	return Shape{l.Times, in[0]}, nil
}

// enlarged is the shape of the input with each axis of its field so many times as long.
func (s *Spec) enlarged(factors []int) (Shape, error) {
	for _, f := range factors {
		if f < 0 || f > maxReach {
			return nil, badArgument("use 0 for the default, 2", "Size must be from 1 to %d, is %s", maxReach, times(factors))
		}
	}
	spatial, channels, err := s.field(len(factors))
	if err != nil {
		return nil, err
	}
	out := slices.Clone(spatial)
	for i := range out {
		out[i] *= cmp.Or(factors[i], 2)
	}
	return s.fieldShape(out, channels), nil
}

// Apply implements [Layer].
func (l UpSampling2D) Apply(c *Context) *gorgonia.Node {
	x := op.Try(c.Inputs[0], c.err)
	for i, f := range l.Size {
		rows, _, _ := c.Format.Axes() // columns follow
		if f = cmp.Or(f, 2); l.Interpolation == Bilinear {
			x = interpolate(x, rows+i, f)
		} else {
			x = repeat(x, rows+i, f)
		}
	}
	return c.Expr(x)
}

// Apply implements [Layer].
func (l UpSampling1D) Apply(c *Context) *gorgonia.Node {
	return c.Expr(repeat(op.Try(c.Inputs[0], c.err), c.stepsAxis(), cmp.Or(l.Size, 2)))
}

// Apply implements [Layer].
func (l RepeatVector) Apply(c *Context) *gorgonia.Node {
	return c.Expr(repeat(op.Try(c.Inputs[0], c.err).Expand(1), 1, l.Times))
}

// repeat repeats each slice along an axis n times, side by side.
func repeat(x op.Expr, axis, n int) op.Expr {
	s := slices.Clone(x.Shape())
	if x.Err() != nil || n == 1 {
		return x
	}
	wide := slices.Insert(slices.Clone(s), axis+1, n)
	s[axis] *= n
	return x.Expand(axis + 1).BroadcastTo(wide...).Reshape(s...)
}

// interpolate is repeat with linear interpolation. New element r of the n that come from one lies (2r+1−n)/2n elements behind
// the centre of that one: r alone decides which neighbour counts, and how much.
func interpolate(x op.Expr, axis, n int) op.Expr {
	s := slices.Clone(x.Shape())
	if x.Err() != nil || s[axis] == 1 || n == 1 {
		return repeat(x, axis, n)
	}
	last := s[axis] - 1
	before := op.Join(axis, x.Slice(axis, 0, 1), x.Slice(axis, 0, last))
	after := op.Join(axis, x.Slice(axis, 1, last+1), x.Slice(axis, last, last+1))
	toBefore, toAfter := before.Sub(x), after.Sub(x)
	phases := make([]op.Expr, n)
	for r := range phases {
		switch share := float64(2*r+1-n) / float64(2*n); {
		case share < 0:
			phases[r] = x.Add(toBefore.Mul(op.Number(-share)))
		case share > 0:
			phases[r] = x.Add(toAfter.Mul(op.Number(share)))
		default:
			phases[r] = x
		}
	}
	s[axis] *= n
	return op.Stack(axis+1, phases...).Reshape(s...)
}
