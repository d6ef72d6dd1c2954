package nn

import (
	"cmp"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Layers that change images at random in training, each image of a batch by itself, and do nothing in inference. What is drawn is a function
// of the build's seed, the step and the layer's place among the random ones.

// Flips are the values of RandomFlip.Mode.
const (
	FlipBoth       = "horizontal_and_vertical"
	FlipHorizontal = "horizontal"
	FlipVertical   = "vertical"
)

// RandomFlip mirrors one image in two in training, along each axis of its mode by itself, as Keras 2 does; Keras 3 mirrors along both or neither.
// Input and result (None, rows, columns, channels), or channels first.
type RandomFlip struct {
	Mode string // mode: FlipHorizontal (left to right), FlipVertical or, if empty, FlipBoth
	Name string
}

// RandomBrightness adds to the pixels of each image in training a number from Factor[0] to Factor[1], times the length of Range, and clips
// them to Range. Any shape; the shape stays.
type RandomBrightness struct {
	Factor [2]float64 // factor: −1 ≤ Factor[0] ≤ Factor[1] ≤ 1. Keras's −f and f for a single f
	Range  [2]float64 // value_range; {0, 0} means Keras's default, 0 to 255
	Name   string
}

// RandomContrast multiplies in training how far the pixels of each image are from their channel's mean by a number from 1 − Factor[0] to
// 1 + Factor[1], and clips them to Range. Input and result (None, rows, columns, channels), or channels first.
type RandomContrast struct {
	Factor [2]float64 // factor, both 0 or more. Keras 2's f and f for a single f; Keras 3 makes 0 and f of it
	Range  [2]float64 // value_range; {0, 0} means Keras's default, 0 to 255
	Name   string
}

// Augmentation stands for a layer of Keras's that changes images in training, such as RandomRotation, in models that were trained with it. It
// hands its input on, in training too. Any shape; the shape stays.
type Augmentation struct {
	Class string // Keras's, for summaries; required
	Name  string
}

// Identity implements [Layer].
func (l RandomFlip) Identity() (class, name string) { return "RandomFlip", l.Name }

// Identity implements [Layer].
func (l RandomBrightness) Identity() (class, name string) { return "RandomBrightness", l.Name }

// Identity implements [Layer].
func (l RandomContrast) Identity() (class, name string) { return "RandomContrast", l.Name }

// Identity implements [Layer].
func (l Augmentation) Identity() (class, name string) { return cmp.Or(l.Class, "Augmentation"), l.Name }

// Infer implements [Layer].
func (l RandomFlip) Infer(s *Spec) (Shape, error) {
	modes := []string{FlipHorizontal, FlipVertical, FlipBoth}
	switch l.Mode {
	case "", FlipHorizontal, FlipVertical, FlipBoth:
	default:
		return nil, badArgument(`use "horizontal", "vertical" or "horizontal_and_vertical"`, "unknown Mode %q%s", l.Mode, suggest.Phrase(l.Mode, modes))
	}
	_, _, err := s.field(2)
	return s.Inputs[0], err
}

// Infer implements [Layer].
func (l RandomBrightness) Infer(s *Spec) (Shape, error) {
	if f := l.Factor; !(f[0] >= -1 && f[0] <= f[1] && f[1] <= 1) {
		return nil, badArgument("e.g. {-0.2, 0.2}", "Factor must be two ascending numbers from -1 to 1, is %v", f)
	}
	return s.Inputs[0], checkRange(l.Range)
}

// Infer implements [Layer].
func (l RandomContrast) Infer(s *Spec) (Shape, error) {
	if f := l.Factor; !(f[0] >= 0 && f[0] <= 1 && f[1] >= 0 && f[1] < maxReach) {
		return nil, badArgument("e.g. {0.2, 0.2}", "Factor must be two numbers of at least 0, the first at most 1, is %v", f)
	}
	if err := checkRange(l.Range); err != nil {
		return nil, err
	}
	_, _, err := s.field(2)
	return s.Inputs[0], err
}

// Infer implements [Layer].
func (l Augmentation) Infer(s *Spec) (Shape, error) {
	if l.Class == "" {
		return nil, badArgument(`e.g. "RandomRotation"`, "has no Class")
	}
	return s.Inputs[0], nil
}

func checkRange(r [2]float64) error {
	if r != [2]float64{} && !(r[0] < r[1] && r[1]-r[0] < math.MaxFloat32) {
		return badArgument("e.g. {0, 1}", "Range must be two ascending, finite numbers, is %v", r)
	}
	return nil
}

// valueRange is what the zero value means, too.
func valueRange(r [2]float64) (least, most float64) {
	if r == [2]float64{} {
		return 0, 255
	}
	return r[0], r[1]
}

// Apply implements [Layer].
func (l RandomFlip) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	rows, columns, _ := c.Format.Axes()
	if l.Mode != FlipHorizontal {
		x = op.Where(c.ofImage(x, 0, 1).LessEqual(op.Number(0.5)), x.Flip(rows), x)
	}
	if l.Mode != FlipVertical {
		x = op.Where(c.ofImage(x, 0, 1).LessEqual(op.Number(0.5)), x.Flip(columns), x)
	}
	return c.Expr(x)
}

// Apply implements [Layer].
func (l RandomBrightness) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	least, most := valueRange(l.Range)
	return c.Expr(x.Add(c.ofImage(x, l.Factor[0]*(most-least), l.Factor[1]*(most-least))).Clip(least, most))
}

// Apply implements [Layer].
func (l RandomContrast) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	x := op.Try(c.Inputs[0], c.err)
	least, most := valueRange(l.Range)
	rows, columns, _ := c.Format.Axes()
	mean := x.MeanKeep(rows, columns)
	return c.Expr(x.Sub(mean).Mul(c.ofImage(x, 1-l.Factor[0], 1+l.Factor[1])).Add(mean).Clip(least, most))
}

// Apply implements [Layer].
func (l Augmentation) Apply(c *Context) *gorgonia.Node { return c.Inputs[0] }

// ofImage is a number for each image of x, from least to most, that stretches over it.
func (c *Context) ofImage(x op.Expr, least, most float64) op.Expr {
	return c.perImage(x, least, most, len(x.Shape()))
}

// perImage is a number for each image of x, from least to most, with so many axes.
func (c *Context) perImage(x op.Expr, least, most float64, axes int) op.Expr {
	seed, stream, step := c.Random()
	if x.Err() != nil {
		return x
	}
	dims := make([]int, axes)
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = x.Shape()[0]
	return x.Random(op.Uniform, least, most, seed, uint64(stream), op.Try(step, c.err), dims...)
}
