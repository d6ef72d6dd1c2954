package ir

import "gorgonia.org/tensor"

// Repeat repeats every slice along Axis Times times, each copy next to its original, as numpy.repeat does. A scalar, and a
// vector whose shape has no such axis, first get axes of size 1. In: x; out: y. Stock Gorgonia: repeatOp.
type Repeat struct{ Axis, Times int }

// Slice is x[…, Start:End:Step, …] along Axis; a single slice drops the axis, as in Gorgonia. In: x; out: y. Step is at
// least 1. Stock Gorgonia: sliceOp.
//
// Start and End may be moved between runs by the machine that owns the plan (gorgonia.UnsafeLet of a slice), so kernels
// read them when they run; End−Start never changes.
type Slice struct{ Axis, Start, End, Step int }

// SliceGrad is a tensor of zeros of shape InputShape with dy in the place that Slice takes. In: dy; out: dx. Stock Gorgonia:
// sliceIncrOp, whose first input only gives the shape.
type SliceGrad struct {
	Slice      *Slice // shared with the Slice, so that both move together
	InputShape tensor.Shape
}

// Concat joins its inputs along Axis. In: any number of tensors; out: y. Stock Gorgonia: concatOp.
type Concat struct{ Axis int }

// At is the element at Coordinates, a scalar. In: x; out: y. Stock Gorgonia: atOp.
type At struct{ Coordinates []int }

// Gather takes slices of x along Axis in the order of indices. In: x, indices (vector of int, each within the axis, else
// Compute returns an error that names it); out: y. Stock Gorgonia: byIndicesOp.
type Gather struct{ Axis int }

// GatherGrad adds the slices of dy to zeros of shape InputShape in the places that indices name; an index that comes twice
// adds twice. In: dy, indices; out: dx. Stock Gorgonia: byIndicesOpDiffOp.
type GatherGrad struct {
	Axis       int
	InputShape tensor.Shape
}

// DiagFlat is the square matrix with the elements of x on its diagonal. In: x; out: y. Stock Gorgonia: diagFlatOp.
type DiagFlat struct{}

// Cast converts between float32, float64 and int; floats are truncated towards 0. In: x; out: y, of another element type.
// Stock Gorgonia: dtConvOp.
type Cast struct{ To tensor.Dtype }

// Upsample repeats every pixel Scale times in height and width. In: x (n, c, h, w); out: y (n, c, h·Scale, w·Scale). Stock
// Gorgonia: upsampleOp. Keras: UpSampling2D with nearest interpolation.
type Upsample struct{ Scale int }

// UpsampleGrad sums dy over the pixels that Upsample made of one. In: dy; out: dx.
type UpsampleGrad struct{ Scale int }
