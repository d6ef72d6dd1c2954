package ir

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// DiagFlat is the square matrix with the elements of x on its diagonal. In: x; out: y. Stock Gorgonia: diagFlatOp.
type DiagFlat struct{}

// Kind is "DiagFlat".
func (o *DiagFlat) Kind() string   { return "DiagFlat" }
func (o *DiagFlat) String() string { return "DiagFlat" }

// Infer returns (n, n), n the number of elements of x.
func (o *DiagFlat) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	n := op.Len(in[0])
	return tensor.Shape{n, n}, nil
}

// Compute computes y with plain loops.
func (o *DiagFlat) Compute(out, in []op.Array) error {
	n := op.Len(in[0].Shape)
	return take(out[0], in[0], func(i int) int {
		if i/n != i%n {
			return -1
		}
		return i / n
	})
}

// Cast converts between float32, float64 and int; floats are truncated towards 0. What a float outside int's range
// becomes depends on the machine. In: x; out: y, of element type To. Stock Gorgonia: dtConvOp.
type Cast struct{ To tensor.Dtype }

// Kind is "Cast".
func (o *Cast) Kind() string   { return "Cast" }
func (o *Cast) String() string { return fmt.Sprintf("Cast(to %v)", o.To) }

// Infer returns the shape of x.
func (o *Cast) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantInputs(o.Kind(), in, 1); err != nil {
		return nil, err
	}
	if err := wantAttribute(o.Kind(), in, o.To == tensor.Float32 || o.To == tensor.Float64 || o.To == tensor.Int,
		"To of float32, float64 or int", o.To); err != nil {
		return nil, err
	}
	return in[0].Clone(), nil
}

// Compute computes y with plain loops.
func (o *Cast) Compute(out, in []op.Array) error {
	switch y := out[0].Data.(type) {
	case []float32:
		return castFrom(y, in[0].Data)
	case []float64:
		return castFrom(y, in[0].Data)
	case []int:
		return castFrom(y, in[0].Data)
	}
	return noType(out[0].Data)
}

func castFrom[T float32 | float64 | int](y []T, data any) error {
	switch x := data.(type) {
	case []float32:
		cast(y, x)
	case []float64:
		cast(y, x)
	case []int:
		cast(y, x)
	default:
		return noType(data)
	}
	return nil
}

func cast[T, F float32 | float64 | int](y []T, x []F) {
	for i, v := range x {
		y[i] = T(v)
	}
}
