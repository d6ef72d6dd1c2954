package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Resizing makes images Height rows high and Width columns wide: (None, rows, columns, channels), or channels first, becomes (None, Height,
// Width, channels). Where images get smaller, pixels between those that are taken count for nothing, as in Keras's without antialias. Keras
// also knows bicubic and Lanczos interpolation, and to pad to the shape of the result.
type Resizing struct {
	Height, Width int           // height, width; required
	Interpolation Interpolation // interpolation; "" means Keras's default here, Bilinear
	// CropToAspectRatio, crop_to_aspect_ratio, keeps the shape of what is in the images: only the largest part in the middle that is as high for its
	// width as the result is resized.
	CropToAspectRatio bool
	Name              string
}

// CenterCrop cuts Height rows and Width columns out of the middle of images: (None, rows, columns, channels), or channels first, becomes
// (None, Height, Width, channels). Images that have fewer rows or columns are resized, as [Resizing] with CropToAspectRatio does.
type CenterCrop struct {
	Height, Width int // height, width; required
	Name          string
}

// Identity implements [Layer].
func (l Resizing) Identity() (class, name string) { return "Resizing", l.Name }

// Identity implements [Layer].
func (l CenterCrop) Identity() (class, name string) { return "CenterCrop", l.Name }

// Infer implements [Layer].
func (l Resizing) Infer(s *Spec) (Shape, error) {
	if err := l.Interpolation.check(); err != nil {
		return nil, err
	}
	if err := checkSize(l.Height, l.Width); err != nil {
		return nil, err
	}
	_, channels, err := s.field(2)
	if err != nil {
		return nil, err
	}
	return s.fieldShape([]int{l.Height, l.Width}, channels), nil
}

// Infer implements [Layer].
func (l CenterCrop) Infer(s *Spec) (Shape, error) {
	if err := checkSize(l.Height, l.Width); err != nil {
		return nil, err
	}
	_, channels, err := s.field(2)
	if err != nil {
		return nil, err
	}
	return s.fieldShape([]int{l.Height, l.Width}, channels), nil
}

func checkSize(height, width int) error {
	if min(height, width) < 1 || max(height, width) > maxReach {
		return badArgument("set both, e.g. to 224", "Height and Width must be from 1 to %d, are %d and %d", maxReach, height, width)
	}
	return nil
}

// Apply implements [Layer].
func (l Resizing) Apply(c *Context) *gorgonia.Node {
	in := c.Inputs[0]
	rows, columns, _ := c.Format.Axes()
	if l.CropToAspectRatio {
		h, w := c.InputShapes[0][rows-1], c.InputShapes[0][columns-1]
		in = c.middle(in, max(min(h, w*l.Height/l.Width), 1), max(min(w, h*l.Width/l.Height), 1))
	}
	x := op.Try(in, c.err)
	x = c.resize(x, "columns", columns, l.Width, l.Interpolation)
	return c.Expr(c.resize(x, "rows", rows, l.Height, l.Interpolation))
}

// Apply implements [Layer].
func (l CenterCrop) Apply(c *Context) *gorgonia.Node {
	rows, columns, _ := c.Format.Axes()
	if c.InputShapes[0][rows-1] < l.Height || c.InputShapes[0][columns-1] < l.Width {
		return Resizing{Height: l.Height, Width: l.Width, CropToAspectRatio: true}.Apply(c)
	}
	return c.middle(c.Inputs[0], l.Height, l.Width)
}

// middle cuts so many rows and columns out of the middle of the layer's input.
func (c *Context) middle(x *gorgonia.Node, height, width int) *gorgonia.Node {
	rows, columns, _ := c.Format.Axes()
	top, left := c.InputShapes[0][rows-1]-height, c.InputShapes[0][columns-1]-width
	if top == 0 && left == 0 {
		return x
	}
	return c.crop(x, [2][2]int{{top / 2, top - top/2}, {left / 2, left - left/2}})
}

// resize gives an axis another size. Element i of the new ones is where the middle of its share of the axis lies, in float32 as TensorFlow
// has it.
func (c *Context) resize(x op.Expr, what string, axis, to int, how Interpolation) op.Expr {
	if x.Err() != nil || x.Shape()[axis] == to {
		return x
	}
	n := x.Shape()[axis]
	scale := float32(n) / float32(to)
	low, high, share := make([]int, to), make([]int, to), make([]float64, to)
	for i := range to {
		at := float32(float32(float32(i)+0.5) * scale) // rounded before anything is subtracted
		if how == Nearest {
			low[i] = min(int(at), n-1)
			continue
		}
		middle := min(max(float32(at-0.5), 0), float32(n-1))
		low[i] = int(middle)
		high[i], share[i] = min(low[i]+1, n-1), float64(middle)-float64(low[i])
	}
	before := c.take(x, what+"_low", axis, low)
	if how == Nearest {
		return before
	}
	dims := make(tensor.Shape, len(x.Shape()))
	for i := range dims {
		dims[i] = 1
	}
	dims[axis] = to
	shares := op.Try(c.values(what+"_share", dims, share), c.err)
	return before.Add(c.take(x, what+"_high", axis, high).Sub(before).Mul(shares))
}

// take is the slices of x along an axis at places.
func (c *Context) take(x op.Expr, name string, axis int, places []int) op.Expr {
	if c.err != nil || x.Err() != nil {
		return x
	}
	return x.Gather(axis, op.Try(c.fixed(name, tensor.New(tensor.WithShape(len(places)), tensor.WithBacking(places))), c.err))
}
