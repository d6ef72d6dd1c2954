package op

import "github.com/stheno-ml/stheno/internal/shape"

// The geometry of windows and the typed shape error, re-exported for programs outside this module.
type (
	// Layout is the order of the axes of a batch of images, [NHWC] or [NCHW].
	Layout = shape.Layout
	// PadMode is how a window treats the border: [Valid], [Same] or [Explicit].
	PadMode = shape.PadMode
	// Padding is the border of a two-dimensional window; the zero value is [Valid].
	Padding = shape.Padding
	// Span is the resolved geometry of a window along one axis.
	Span = shape.Span
	// ShapeError is the error for inputs whose shapes do not fit an operation.
	ShapeError = shape.Error
)

// The layouts; see [Layout].
const (
	NHWC = shape.NHWC
	NCHW = shape.NCHW
)

// The padding modes; see [PadMode].
const (
	Valid    = shape.Valid
	Same     = shape.Same
	Explicit = shape.Explicit
)

// NoAxis is the Axis of a [ShapeError] that concerns a whole shape.
const NoAxis = shape.NoAxis
