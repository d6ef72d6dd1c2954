package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// wantInputs checks that an operation of the given kind has n inputs, none with an empty axis.
func wantInputs(kind string, in []tensor.Shape, n int) error {
	if len(in) != n {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: fmt.Sprintf("%d inputs", n), Got: fmt.Sprint(len(in)), Shapes: in}
	}
	for _, s := range in {
		if err := wantFull(kind, in, s); err != nil {
			return err
		}
	}
	return nil
}

// wantFull refuses empty axes of s, one of the inputs or an attribute.
func wantFull(kind string, in []tensor.Shape, s tensor.Shape) error {
	for axis, d := range s {
		if d < 1 {
			return &shape.Error{Op: kind, Axis: axis, Wanted: "a tensor without empty axes", Got: shape.Format(s), Shapes: in,
				Remedy: "leave empty batches out"}
		}
	}
	return nil
}

// wantDims checks that s, one of the inputs or an attribute, has n axes.
func wantDims(kind string, in []tensor.Shape, s tensor.Shape, n int, what string) error {
	if len(s) != n {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: fmt.Sprintf("%s of %d axes", what, n), Got: shape.Format(s),
			Shapes: in, Remedy: "reshape it before this operation"}
	}
	return nil
}

// wantAxis checks that axis is one of s.
func wantAxis(kind string, in []tensor.Shape, s tensor.Shape, axis int) error {
	if axis < 0 || axis >= len(s) {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: fmt.Sprintf("an axis of a tensor with %d axes", len(s)),
			Got: fmt.Sprint(axis), Shapes: in, Remedy: "axes count from 0"}
	}
	return nil
}

// wantShape checks that s, one of the inputs, has the wanted shape, up to axes of size 1: Gorgonia's gradients do not
// always have those of their tensor.
func wantShape(kind string, in []tensor.Shape, s, want tensor.Shape, what string) error {
	if !shape.EqualButOnes(s, want) {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: what + " of shape " + shape.Format(want), Got: shape.Format(s),
			Shapes: in}
	}
	return nil
}

// wantAttribute checks a condition on an attribute.
func wantAttribute(kind string, in []tensor.Shape, ok bool, wanted string, got any) error {
	if !ok {
		return &shape.Error{Op: kind, Axis: shape.NoAxis, Wanted: wanted, Got: fmt.Sprint(got), Shapes: in}
	}
	return nil
}

// firstOf returns the first error that is one.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
