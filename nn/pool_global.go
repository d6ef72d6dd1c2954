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

// Identity implements [Layer].
func (l GlobalAveragePooling2D) Identity() (class, name string) {
	return "GlobalAveragePooling2D", l.Name
}

// Identity implements [Layer].
func (l GlobalAveragePooling1D) Identity() (class, name string) {
	return "GlobalAveragePooling1D", l.Name
}

// Infer implements [Layer].
func (l GlobalAveragePooling2D) Infer(s *Spec) (Shape, error) { return s.global(2, l.KeepDims) }

// Infer implements [Layer].
func (l GlobalAveragePooling1D) Infer(s *Spec) (Shape, error) { return s.global(1, l.KeepDims) }

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
