package nn

import (
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Shape holds the axes of one sample, without the batch axis: Shape{32, 32, 3} is a colour image, Shape{100} a vector
// of class scores.
type Shape []int

// String prints the shape as Keras does, with None for the batch: "(None, 32, 32, 3)".
func (s Shape) String() string { return s.format(0) }

// Size is the number of elements of one sample.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// format prints the shape with a batch axis in front; 0 prints None.
func (s Shape) format(batch int) string {
	parts := make([]string, 0, len(s)+1)
	if batch > 0 {
		parts = append(parts, fmt.Sprint(batch))
	} else {
		parts = append(parts, "None")
	}
	for _, d := range s {
		parts = append(parts, fmt.Sprint(d))
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (s Shape) clone() Shape { return append(Shape{}, s...) }

func (s Shape) equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// DataFormat is the order of the axes of a batch of images; see [ChannelsLast] and [ChannelsFirst].
type DataFormat = shape.Layout

const (
	// ChannelsLast is batch, rows, columns, channels (NHWC): Keras's default.
	ChannelsLast = shape.NHWC
	// ChannelsFirst is batch, channels, rows, columns (NCHW).
	ChannelsFirst = shape.NCHW
)

// K is a square window: K(3) is [2]int{3, 3}, three rows by three columns.
func K(n int) [2]int { return [2]int{n, n} }

// Tensor is the symbolic result of a layer: what [Builder.Add] returns and takes.
type Tensor struct {
	builder *Builder
	call    *call // nil after a mistake: the builder holds the error
	index   int   // which of the call's results it is
}

func (t *Tensor) result() result { return result{t.call, t.index} }

// Shape returns the axes of one sample, or nil after a mistake; see [Builder.Err].
func (t *Tensor) Shape() Shape {
	if t == nil || t.call == nil {
		return nil
	}
	return t.result().shape().clone()
}

// Layer returns the name of the layer that made the tensor, or "" after a mistake.
func (t *Tensor) Layer() string {
	if t == nil || t.call == nil {
		return ""
	}
	return t.call.name
}

// K3 is a cubic window: K3(3) is [3]int{3, 3, 3}, three slices by three rows by three columns.
func K3(n int) [3]int { return [3]int{n, n, n} }
