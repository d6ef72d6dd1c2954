package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// single says whether a holds float32 values; references are instantiated for float32 and float64.
func single(a Array) bool {
	_, ok := a.Data.([]float32)
	return ok
}

// floats returns the elements of a.
func floats[T Float](a Array) []T { return a.Data.([]T) }

// scalar returns the only element of a as a float64.
func scalar[T Float](a Array) float64 { return float64(a.Data.([]T)[0]) }

// wantScalar checks that input i has no axes.
func wantScalar(o Op, in []tensor.Shape, i int, what string) error {
	if len(in[i]) != 0 {
		return &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: what + " without axes", Got: shape.Format(in[i]),
			Shapes: in, Remedy: "make it with gorgonia.NewScalar"}
	}
	return nil
}

// wantAttribute reports an attribute out of range, in the same form as a shape mistake: both are found before anything
// runs.
func wantAttribute(o Op, in []tensor.Shape, ok bool, wanted string, got any, remedy string) error {
	if ok {
		return nil
	}
	return &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: wanted, Got: fmt.Sprint(got), Shapes: in, Remedy: remedy}
}

// first returns the first error of a list of checks.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// notDifferentiable is the SymDiff of operations whose DiffWRT is false throughout; Gorgonia never calls it.
func notDifferentiable(o Op) (gorgonia.Nodes, error) {
	return nil, fmt.Errorf("op: %s has no derivative", o.Kind())
}

// noSecondDerivative is the SymDiff of gradient operations whose own derivative is not implemented. Their DiffWRT is
// true, so that gorgonia.Grad stops with this error where it would otherwise leave a term out in silence.
func noSecondDerivative(o Op) (gorgonia.Nodes, error) {
	return nil, fmt.Errorf("op: %s: second derivatives through this operation are not implemented", o.Kind())
}
