package shape

import (
	"fmt"
)

// Layout is the order of the axes of a batch of images.
type Layout uint8

const (
	// NHWC is batch, rows, columns, channels: Keras's "channels_last", the default.
	NHWC Layout = iota
	// NCHW is batch, channels, rows, columns: Keras's "channels_first".
	NCHW
)

// String returns "NHWC" or "NCHW".
func (l Layout) String() string {
	if l == NCHW {
		return "NCHW"
	}
	return "NHWC"
}

// Axes returns the positions of rows, columns and channels in a four-dimensional shape.
func (l Layout) Axes() (h, w, c int) {
	if l == NCHW {
		return 2, 3, 1
	}
	return 1, 2, 3
}

// PadMode is how a sliding window treats the border.
type PadMode uint8

const (
	// Valid adds no padding: only whole windows count. Keras's "valid", the default.
	Valid PadMode = iota
	// Same pads so that the output has ceil(n/stride) positions, the smaller half of an odd padding first
	// (top and left), as Keras's "same" does.
	Same
	// Explicit takes the four widths as given.
	Explicit
)

// Padding is the border of a two-dimensional window. The zero value is Valid. The four widths, in elements, count
// only in mode Explicit.
type Padding struct {
	Mode                     PadMode
	Top, Bottom, Left, Right int
}

// String prints "valid", "same" or "explicit(top,bottom,left,right)".
func (p Padding) String() string {
	switch p.Mode {
	case Same:
		return "same"
	case Explicit:
		return fmt.Sprintf("explicit(%d,%d,%d,%d)", p.Top, p.Bottom, p.Left, p.Right)
	}
	return "valid"
}

// Span is the geometry of a window along one axis: everything in elements, all defaults resolved.
type Span struct {
	In, Out                  int // input and output positions
	Kernel, Stride, Dilation int
	Before, After            int // padding on the two sides
}

// Reach is the number of input elements that one dilated window covers.
func (s Span) Reach() int { return (s.Kernel-1)*s.Dilation + 1 }

// Along resolves a window along one axis of n elements. A stride or dilation of 0 means 1. before and after count in
// mode Explicit only. The error is a plain one; callers wrap it into an [Error] that names the op and the axis.
func Along(n, kernel, stride, dilation int, mode PadMode, before, after int) (Span, error) {
	s := Span{In: n, Kernel: kernel, Stride: max(stride, 1), Dilation: max(dilation, 1)}
	switch {
	case n < 1:
		return s, fmt.Errorf("want at least 1 input element, got %d", n)
	case kernel < 1:
		return s, fmt.Errorf("want a kernel of at least 1, got %d", kernel)
	case stride < 0 || dilation < 0:
		return s, fmt.Errorf("want positive stride and dilation, got %d and %d", stride, dilation)
	}
	switch mode {
	case Valid:
	case Same:
		s.Out = (n + s.Stride - 1) / s.Stride
		total := max((s.Out-1)*s.Stride+s.Reach()-n, 0)
		s.Before, s.After = total/2, total-total/2
		return s, nil
	case Explicit:
		if before < 0 || after < 0 {
			return s, fmt.Errorf("want padding of at least 0, got %d and %d", before, after)
		}
		s.Before, s.After = before, after
	default:
		return s, fmt.Errorf("want padding mode Valid, Same or Explicit, got %d", mode)
	}
	padded := n + s.Before + s.After
	if padded < s.Reach() {
		return s, fmt.Errorf("want an input of at least %d elements with padding, got %d", s.Reach(), padded)
	}
	s.Out = (padded-s.Reach())/s.Stride + 1
	return s, nil
}
