package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Upsample repeats every pixel Scale times in height and width. In: x (n, c, h, w); out: y (n, c, h·Scale, w·Scale).
// Stock Gorgonia: upsampleOp, whose stride is Scale−1. Keras: UpSampling2D with nearest interpolation.
type Upsample struct{ Scale int }

// Kind is "Upsample".
func (o *Upsample) Kind() string   { return "Upsample" }
func (o *Upsample) String() string { return fmt.Sprintf("Upsample(scale %d)", o.Scale) }

// Infer returns (n, c, h·Scale, w·Scale).
func (o *Upsample) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(wantDims(o.Kind(), in, in[0], 4, "images"), wantScale(o.Kind(), in, o.Scale)); err != nil {
		return nil, err
	}
	x := in[0]
	return tensor.Shape{x[0], x[1], x[2] * o.Scale, x[3] * o.Scale}, nil
}

func wantScale(kind string, in []tensor.Shape, scale int) error {
	return wantAttribute(kind, in, scale >= 1, "Scale of at least 1", scale)
}

// Compute computes y with plain loops.
func (o *Upsample) Compute(out, in []op.Array) error {
	return take(out[0], in[0], source(in[0].Shape, o.Scale))
}

// source returns the map from the upsampled pixels to those of x.
func source(x tensor.Shape, scale int) func(int) int {
	w := x[3]
	return func(i int) int {
		row, col := i/(w*scale), i%(w*scale)
		return row/scale*w + col/scale
	}
}

// UpsampleGrad sums dy over the pixels that Upsample made of one. In: dy; out: dx.
type UpsampleGrad struct{ Scale int }

// Kind is "UpsampleGrad".
func (o *UpsampleGrad) Kind() string   { return "UpsampleGrad" }
func (o *UpsampleGrad) String() string { return fmt.Sprintf("UpsampleGrad(scale %d)", o.Scale) }

// Infer returns (n, c, h/Scale, w/Scale).
func (o *UpsampleGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := firstOf(wantDims(o.Kind(), in, in[0], 4, "a gradient"), wantScale(o.Kind(), in, o.Scale)); err != nil {
		return nil, err
	}
	dx := in[0].Clone()
	for _, axis := range []int{2, 3} {
		if dx[axis]%o.Scale != 0 {
			return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("a multiple of Scale %d", o.Scale),
				Got: fmt.Sprint(dx[axis]), Shapes: in, Remedy: "hand it the gradient of Upsample's result"}
		}
		dx[axis] /= o.Scale
	}
	return dx, nil
}

// Compute computes dx with plain loops.
func (o *UpsampleGrad) Compute(out, in []op.Array) error {
	return put(out[0], in[0], source(out[0].Shape, o.Scale))
}
