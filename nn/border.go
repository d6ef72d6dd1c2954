package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// ZeroPadding2D adds a border of zeros to images: Keras's ZeroPadding2D(padding).
type ZeroPadding2D struct {
	// Padding is {{top, bottom}, {left, right}} in elements; all zero means Keras's default, 1 on each side. See Border.
	Padding [2][2]int
	Name    string
}

// Border is the same padding on all four sides.
func Border(n int) [2][2]int { return [2][2]int{{n, n}, {n, n}} }

func (l ZeroPadding2D) widths() [2][2]int {
	if l.Padding == ([2][2]int{}) {
		return Border(1)
	}
	return l.Padding
}

// ZeroPadding1D adds zeros before and after sequences: Keras's ZeroPadding1D(padding). Input and result
// (None, steps, channels), or channels first.
type ZeroPadding1D struct {
	// Padding is {before, after} in steps; all zero means Keras's default, 1 on each side.
	Padding [2]int
	Name    string
}

// Cropping2D cuts a border off images: Keras's Cropping2D(cropping).
type Cropping2D struct {
	// Cropping is {{top, bottom}, {left, right}} in elements; all zero means Keras's default, to leave all as it is. See
	// Border.
	Cropping [2][2]int
	Name     string
}

// Cropping1D cuts steps off both ends of sequences: Keras's Cropping1D(cropping). Input and result (None, steps,
// channels), or channels first, which Keras's does not know.
type Cropping1D struct {
	// Cropping is {before, after} in steps; all zero means Keras's default, 1 on each side.
	Cropping [2]int
	Name     string
}

// steps is the default where both widths are zero, as those of images with one row.
func steps(widths [2]int) [2][2]int {
	if widths == ([2]int{}) {
		widths = [2]int{1, 1}
	}
	return [2][2]int{{}, widths}
}

// Identity implements [Layer].
func (l ZeroPadding2D) Identity() (class, name string) { return "ZeroPadding2D", l.Name }

// Identity implements [Layer].
func (l ZeroPadding1D) Identity() (class, name string) { return "ZeroPadding1D", l.Name }

// Identity implements [Layer].
func (l Cropping2D) Identity() (class, name string) { return "Cropping2D", l.Name }

// Identity implements [Layer].
func (l Cropping1D) Identity() (class, name string) { return "Cropping1D", l.Name }

// Infer implements [Layer].
func (l ZeroPadding2D) Infer(s *Spec) (Shape, error) {
	return s.border("Padding", l.Padding, l.widths(), 2, 1)
}

// Infer implements [Layer].
func (l ZeroPadding1D) Infer(s *Spec) (Shape, error) {
	return s.border("Padding", l.Padding, steps(l.Padding), 1, 1)
}

// Infer implements [Layer].
func (l Cropping2D) Infer(s *Spec) (Shape, error) {
	return s.border("Cropping", l.Cropping, l.Cropping, 2, -1)
}

// Infer implements [Layer].
func (l Cropping1D) Infer(s *Spec) (Shape, error) {
	return s.border("Cropping", l.Cropping, steps(l.Cropping), 1, -1)
}

// Apply implements [Layer].
func (l ZeroPadding2D) Apply(c *Context) *gorgonia.Node { return c.pad(c.Inputs[0], l.widths()) }

// Apply implements [Layer].
func (l ZeroPadding1D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.pad(c.asImages(c.Inputs[0]), steps(l.Padding)), c.OutputShape)
}

// Apply implements [Layer].
func (l Cropping2D) Apply(c *Context) *gorgonia.Node {
	if l.Cropping == ([2][2]int{}) {
		return c.Inputs[0]
	}
	return c.crop(c.Inputs[0], l.Cropping)
}

// Apply implements [Layer].
func (l Cropping1D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.crop(c.asImages(c.Inputs[0]), steps(l.Cropping)), c.OutputShape)
}

// pad adds {top, bottom}, {left, right} zeros to images.
func (c *Context) pad(x *gorgonia.Node, p [2][2]int) *gorgonia.Node {
	return c.Op(&op.ZeroPad2D{Top: p[0][0], Bottom: p[0][1], Left: p[1][0], Right: p[1][1], Format: c.Format}, x)
}

// crop takes as much off them.
func (c *Context) crop(x *gorgonia.Node, p [2][2]int) *gorgonia.Node {
	return c.Op(&op.Crop2D{Top: p[0][0], Bottom: p[0][1], Left: p[1][0], Right: p[1][1], Format: c.Format}, x)
}

// border is the shape of the input with sign times the widths, of which sequences have the second pair only.
func (s *Spec) border(what string, given any, p [2][2]int, rank, sign int) (Shape, error) {
	if min(p[0][0], p[0][1], p[1][0], p[1][1]) < 0 || max(p[0][0], p[0][1], p[1][0], p[1][1]) > maxElements {
		return nil, badArgument("use small widths, 0 or more", "%s must not be negative or huge, is %v", what, given)
	}
	spatial, channels, err := s.field(rank)
	if err != nil {
		return nil, err
	}
	out := make([]int, rank)
	for i, n := range spatial {
		w := p[2-rank+i]
		if out[i] = n + sign*(w[0]+w[1]); out[i] < 1 {
			return nil, badShape("crop less", "cropping %d and %d %s leaves none of %d", w[0], w[1], axisName(i, rank), n)
		}
	}
	return s.fieldShape(out, channels), nil
}
