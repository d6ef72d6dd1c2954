package nn

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// GlobalAveragePooling2D is the mean over all rows and columns of each channel: (None, rows, columns, channels), or
// channels first, becomes (None, channels).
type GlobalAveragePooling2D struct {
	KeepDims bool // keepdims: whether rows and columns stay, as axes of size 1
	Name     string
}

// GlobalAveragePooling1D is the mean over all steps of each channel: (None, steps, channels), or channels first, becomes
// (None, channels).
type GlobalAveragePooling1D struct {
	KeepDims bool // keepdims: whether steps stay, as an axis of size 1
	Name     string
}

// GlobalMaxPooling2D is the maximum over all rows and columns of each channel: (None, rows, columns, channels), or channels
// first, becomes (None, channels). Where several elements are the maximum, each gets an equal part of the gradient, as in
// Keras with TensorFlow (its MaxPooling2D, and ours, gives all to the first).
type GlobalMaxPooling2D struct {
	KeepDims bool // keepdims: whether rows and columns stay, as axes of size 1
	Name     string
}

// GlobalMaxPooling1D is the maximum over all steps of each channel: (None, steps, channels), or channels first, becomes
// (None, channels). Equal maxima share the gradient, as in [GlobalMaxPooling2D].
type GlobalMaxPooling1D struct {
	KeepDims bool // keepdims: whether steps stay, as an axis of size 1
	Name     string
}

// Identity implements [Layer].
func (l GlobalMaxPooling2D) Identity() (class, name string) { return "GlobalMaxPooling2D", l.Name }

// Identity implements [Layer].
func (l GlobalMaxPooling1D) Identity() (class, name string) { return "GlobalMaxPooling1D", l.Name }

// Identity implements [Layer].
func (l GlobalAveragePooling2D) Identity() (class, name string) {
	return "GlobalAveragePooling2D", l.Name
}

// Identity implements [Layer].
func (l GlobalAveragePooling1D) Identity() (class, name string) {
	return "GlobalAveragePooling1D", l.Name
}

// Infer implements [Layer].
func (l GlobalMaxPooling2D) Infer(s *Spec) (Shape, error) { return s.global(2, l.KeepDims) }

// Infer implements [Layer].
func (l GlobalMaxPooling1D) Infer(s *Spec) (Shape, error) { return s.global(1, l.KeepDims) }

// Infer implements [Layer].
func (l GlobalAveragePooling2D) Infer(s *Spec) (Shape, error) { return s.global(2, l.KeepDims) }

// Infer implements [Layer].
func (l GlobalAveragePooling1D) Infer(s *Spec) (Shape, error) { return s.global(1, l.KeepDims) }

// Apply implements [Layer].
func (l GlobalMaxPooling2D) Apply(c *Context) *gorgonia.Node {
	rows, columns, _ := c.Format.Axes()
	return c.Op(&op.Reduce{Fn: op.ReduceMax, Axes: []int{rows, columns}, KeepDims: l.KeepDims}, c.Inputs[0])
}

// Apply implements [Layer].
func (l GlobalMaxPooling1D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.Reduce{Fn: op.ReduceMax, Axes: []int{c.stepsAxis()}, KeepDims: l.KeepDims}, c.Inputs[0])
}

// Apply implements [Layer].
func (l GlobalAveragePooling2D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.Op(&op.GlobalAvgPool2D{Format: c.Format}, c.Inputs[0]), c.OutputShape)
}

// Apply implements [Layer].
func (l GlobalAveragePooling1D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.Op(&op.GlobalAvgPool2D{Format: c.Format}, c.asImages(c.Inputs[0])), c.OutputShape)
}

// global is the shape of the result of pooling all positions of each channel.
func (s *Spec) global(rank int, keepDims bool) (Shape, error) {
	_, channels, err := s.field(rank)
	if err != nil || !keepDims {
		return Shape{channels}, err
	}
	return s.fieldShape(slices.Repeat([]int{1}, rank), channels), nil
}
