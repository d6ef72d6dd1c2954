package nn

import (
	"cmp"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// Layers that turn, shift, stretch or shear images in training, each image of a batch by itself. Input and result are (None, rows, columns,
// channels), or channels first.

// FillMode says what is seen beyond an image of pixels a b c d, whose border comes into sight.
type FillMode string

const (
	FillReflect  FillMode = "reflect"  // d c b a | a b c d | d c b a; Keras's default
	FillConstant FillMode = "constant" // k k k k | a b c d | k k k k, where k is the layer's FillValue
	FillWrap     FillMode = "wrap"     // a b c d | a b c d | a b c d; with means of the last pixel and the first, as in Keras but with TensorFlow
	FillNearest  FillMode = "nearest"  // a a a a | a b c d | d d d d
)

var fillBorders = map[FillMode]op.Border{"": op.BorderReflect, FillReflect: op.BorderReflect, FillConstant: op.BorderConstant, FillWrap: op.BorderWrap,
	FillNearest: op.BorderNearest}

// RandomRotation turns each image in training about its middle by a share of a full turn from Factor[0] to Factor[1], counterclockwise if it is positive.
type RandomRotation struct {
	Factor        [2]float64    // factor, ascending: {-0.1, 0.1} is up to 36° either way. Keras's −f and f for a single f
	FillMode      FillMode      // fill_mode; "" means FillReflect
	FillValue     float64       // fill_value, with FillConstant
	Interpolation Interpolation // interpolation; "" means Keras's default here, Bilinear
	Name          string
}

// RandomTranslation shifts each image in training: down by a share of its height from HeightFactor[0] to HeightFactor[1], and to the right by one of its width.
type RandomTranslation struct {
	HeightFactor  [2]float64    // height_factor: −1 ≤ HeightFactor[0] ≤ HeightFactor[1] ≤ 1. Keras's −f and f for a single f
	WidthFactor   [2]float64    // width_factor, likewise
	FillMode      FillMode      // fill_mode; "" means FillReflect
	FillValue     float64       // fill_value, with FillConstant
	Interpolation Interpolation // interpolation; "" means Keras's default here, Bilinear
	Name          string
}

// RandomZoom shows of each image in training 1 plus a number from HeightFactor[0] to HeightFactor[1] times its height, and likewise of its width: what is in
// it gets larger for negative numbers, and smaller for positive ones.
type RandomZoom struct {
	HeightFactor [2]float64 // height_factor: −1 < HeightFactor[0] ≤ HeightFactor[1] ≤ 1. Keras's −f and f for a single f
	// WidthFactor is width_factor, likewise; {0, 0}, Keras's None, takes what the height takes, so that what is in the image keeps its shape.
	WidthFactor   [2]float64
	FixedWidth    bool          // Keras's width_factor of 0: widths stay
	FillMode      FillMode      // fill_mode; "" means FillReflect
	FillValue     float64       // fill_value, with FillConstant
	Interpolation Interpolation // interpolation; "" means Keras's default here, Bilinear
	Name          string
}

// RandomShear shears each image in training: columns are shifted by a number from XFactor[0] to XFactor[1] for each row, and rows by one from YFactor[0] to
// YFactor[1] for each column, both with the opposite sign for one image in two.
type RandomShear struct {
	XFactor       [2]float64    // x_factor: −1 ≤ XFactor[0] ≤ XFactor[1] ≤ 1. Of a single f, Keras makes −f and f
	YFactor       [2]float64    // y_factor, likewise
	FillMode      FillMode      // fill_mode; "" means FillReflect
	FillValue     float64       // fill_value, with FillConstant
	Interpolation Interpolation // interpolation; "" means Keras's default here, Bilinear
	Name          string
}

// Identity implements [Layer].
func (l RandomRotation) Identity() (class, name string) { return "RandomRotation", l.Name }

// Identity implements [Layer].
func (l RandomTranslation) Identity() (class, name string) { return "RandomTranslation", l.Name }

// Identity implements [Layer].
func (l RandomZoom) Identity() (class, name string) { return "RandomZoom", l.Name }

// Identity implements [Layer].
func (l RandomShear) Identity() (class, name string) { return "RandomShear", l.Name }

// Infer implements [Layer].
func (l RandomRotation) Infer(s *Spec) (Shape, error) {
	return s.transformed(l.FillMode, l.FillValue, l.Interpolation, checkAscending("Factor", l.Factor, -maxReach, maxReach))
}

// Infer implements [Layer].
func (l RandomTranslation) Infer(s *Spec) (Shape, error) {
	return s.transformed(l.FillMode, l.FillValue, l.Interpolation,
		checkAscending("HeightFactor", l.HeightFactor, -1, 1), checkAscending("WidthFactor", l.WidthFactor, -1, 1))
}

// Infer implements [Layer].
func (l RandomZoom) Infer(s *Spec) (Shape, error) {
	above := math.Nextafter(-1, 0)
	return s.transformed(l.FillMode, l.FillValue, l.Interpolation,
		checkAscending("HeightFactor", l.HeightFactor, above, 1), checkAscending("WidthFactor", l.WidthFactor, above, 1), l.checkWidth())
}

// Infer implements [Layer].
func (l RandomShear) Infer(s *Spec) (Shape, error) {
	return s.transformed(l.FillMode, l.FillValue, l.Interpolation, checkAscending("XFactor", l.XFactor, -1, 1), checkAscending("YFactor", l.YFactor, -1, 1))
}

func (l RandomZoom) checkWidth() error {
	if l.FixedWidth && l.WidthFactor != [2]float64{} {
		return badArgument("set one of them", "FixedWidth excludes a WidthFactor, which is %v", l.WidthFactor)
	}
	return nil
}

func checkAscending(field string, f [2]float64, least, most float64) error {
	if f[0] >= least && f[0] <= f[1] && f[1] <= most {
		return nil
	}
	return badArgument("e.g. {-0.2, 0.2}", "%s must be two ascending numbers from %.4g to %.4g, is %v", field, least, most, f)
}

// transformed checks what the layers have in common, and returns the first error.
func (s *Spec) transformed(mode FillMode, value float64, i Interpolation, errs ...error) (Shape, error) {
	if _, ok := fillBorders[mode]; !ok {
		names := []string{string(FillReflect), string(FillConstant), string(FillWrap), string(FillNearest)}
		errs = append(errs, badArgument(`use "reflect", "constant", "wrap" or "nearest"`, "unknown FillMode %q%s", string(mode), suggest.Phrase(string(mode), names)))
	}
	if math.IsNaN(value) || math.Abs(value) > math.MaxFloat32 {
		errs = append(errs, badArgument("e.g. 0", "FillValue must be a finite number, is %v", value))
	}
	_, _, err := s.field(2)
	return s.Inputs[0], cmp.Or(append(errs, i.check(), err)...)
}

// Apply implements [Layer].
func (l RandomRotation) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	t := c.transform()
	angle := c.perImage(t.x, 2*math.Pi*l.Factor[0], 2*math.Pi*l.Factor[1], 2)
	cos, sin := angle.Cos(), angle.Sin()
	return t.apply(l.FillMode, l.FillValue, l.Interpolation, cos, sin.Neg(), t.centred(t.middleX, cos, sin.Neg()), sin, cos, t.centred(t.middleY, sin, cos))
}

// Apply implements [Layer].
func (l RandomTranslation) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	t := c.transform()
	height, width := 2*t.middleY+1, 2*t.middleX+1
	down := c.perImage(t.x, l.HeightFactor[0]*height, l.HeightFactor[1]*height, 2)
	right := c.perImage(t.x, l.WidthFactor[0]*width, l.WidthFactor[1]*width, 2)
	return t.apply(l.FillMode, l.FillValue, l.Interpolation, t.one, t.zero, right.Neg(), t.zero, t.one, down.Neg())
}

// Apply implements [Layer].
func (l RandomZoom) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	t := c.transform()
	high := c.perImage(t.x, 1+l.HeightFactor[0], 1+l.HeightFactor[1], 2)
	wide := high
	if w := l.WidthFactor; l.FixedWidth {
		wide = t.one
	} else if w != [2]float64{} {
		wide = c.perImage(t.x, 1+w[0], 1+w[1], 2)
	}
	return t.apply(l.FillMode, l.FillValue, l.Interpolation, wide, t.zero, t.centred(t.middleX, wide, t.zero), t.zero, high, t.centred(t.middleY, t.zero, high))
}

// Apply implements [Layer].
func (l RandomShear) Apply(c *Context) *gorgonia.Node {
	if !c.Training {
		return c.Inputs[0]
	}
	t := c.transform()
	sign := op.Where(c.perImage(t.x, 0, 1, 2).LessEqual(op.Number(0.5)), t.one, t.one.Neg())
	x, y := c.perImage(t.x, l.XFactor[0], l.XFactor[1], 2).Mul(sign), c.perImage(t.x, l.YFactor[0], l.YFactor[1], 2).Mul(sign)
	return t.apply(l.FillMode, l.FillValue, l.Interpolation, t.one, x, t.zero, y, t.one, t.zero)
}

// transformation makes the numbers of op.AffineTransform, columns of one for each image.
type transformation struct {
	c                *Context
	x, zero, one     op.Expr
	middleX, middleY float64 // the images' middle
}

func (c *Context) transform() transformation {
	t := transformation{c: c, x: op.Try(c.Inputs[0], c.err)}
	if t.x.Err() != nil {
		return t
	}
	n := t.x.Shape()[0]
	t.zero, t.one = t.x.Full(0, n, 1), t.x.Full(1, n, 1)
	rows, columns, _ := c.Format.Axes()
	t.middleX, t.middleY = float64(c.InputShapes[0][columns-1]-1)/2, float64(c.InputShapes[0][rows-1]-1)/2
	return t
}

// centred is what is added to a·x + b·y for the image's middle, which has this coordinate, to stay where it is.
func (t *transformation) centred(middle float64, a, b op.Expr) op.Expr {
	return op.Number(middle).Sub(a.Mul(op.Number(t.middleX))).Sub(b.Mul(op.Number(t.middleY)))
}

// apply reads the pixel of row y and column x at column a0·x + a1·y + a2 and row b0·x + b1·y + b2.
func (t *transformation) apply(mode FillMode, value float64, i Interpolation, a0, a1, a2, b0, b1, b2 op.Expr) *gorgonia.Node {
	first := t.c.Format == ChannelsFirst
	x := t.x
	if first {
		x = x.Permute(0, 2, 3, 1)
	}
	x = x.AffineTransform(op.Sampling{Nearest: i == Nearest, Border: fillBorders[mode], Fill: value},
		a0.Apply(&op.Concat{Axis: 1}, a1, a2, b0, b1, b2, t.zero, t.zero))
	if first {
		x = x.Permute(0, 3, 1, 2)
	}
	return t.c.Expr(x)
}
