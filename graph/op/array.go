package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Array is a dense, row-major block of numbers: what reference kernels read and write. Data is a []float32, []float64
// or []int whose length is the product of Shape (1 for a scalar).
type Array struct {
	Shape tensor.Shape
	Data  any
}

// Float is the element type of computed values.
type Float interface{ ~float32 | ~float64 }

// Len returns the number of elements of a shape; 1 for a scalar.
func Len(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// NewArray allocates a zeroed array of dtype float32, float64 or int.
func NewArray(dt tensor.Dtype, s tensor.Shape) (Array, error) {
	n := Len(s)
	switch dt {
	case tensor.Float32:
		return Array{s, make([]float32, n)}, nil
	case tensor.Float64:
		return Array{s, make([]float64, n)}, nil
	case tensor.Int:
		return Array{s, make([]int, n)}, nil
	}
	return Array{}, fmt.Errorf("op: element type %v is not supported; use float32 or float64 (int for labels and counters)", dt)
}

// Dtype returns the element type of a.
func (a Array) Dtype() tensor.Dtype {
	switch a.Data.(type) {
	case []float32:
		return tensor.Float32
	case []float64:
		return tensor.Float64
	case []int:
		return tensor.Int
	}
	return tensor.Dtype{}
}

// AsArray returns a view of a Gorgonia value, without copying where the value is a dense, contiguous tensor. Scalars
// are copied.
func AsArray(v gorgonia.Value) (Array, error) {
	switch v := v.(type) {
	case *gorgonia.F32:
		return Array{tensor.ScalarShape(), []float32{float32(*v)}}, nil
	case *gorgonia.F64:
		return Array{tensor.ScalarShape(), []float64{float64(*v)}}, nil
	case *gorgonia.I:
		return Array{tensor.ScalarShape(), []int{int(*v)}}, nil
	case *tensor.Dense:
		d := v
		if d.RequiresIterator() || d.IsMasked() || !d.DataOrder().IsRowMajor() || !d.DataOrder().IsContiguous() {
			d = d.Materialize().(*tensor.Dense)
		}
		return denseArray(d)
	case nil:
		return Array{}, fmt.Errorf("op: an input has no value; bind one with gorgonia.Let or WithValue before running")
	}
	return Array{}, fmt.Errorf("op: values of type %T are not supported; use *tensor.Dense or a Gorgonia scalar", v)
}

func denseArray(d *tensor.Dense) (Array, error) {
	s := d.Shape()
	switch x := d.Data().(type) {
	case []float32:
		return Array{s, x}, nil
	case []float64:
		return Array{s, x}, nil
	case []int:
		return Array{s, x}, nil
	case float32: // a dense tensor of scalar shape hands out the bare number
		return Array{s, []float32{x}}, nil
	case float64:
		return Array{s, []float64{x}}, nil
	case int:
		return Array{s, []int{x}}, nil
	}
	return Array{}, fmt.Errorf("op: tensors of %v are not supported; use float32, float64 or int", d.Dtype())
}

// Value returns a as a Gorgonia value that shares its memory (a scalar is copied).
func (a Array) Value() gorgonia.Value {
	if len(a.Shape) == 0 {
		switch x := a.Data.(type) {
		case []float32:
			return gorgonia.NewF32(x[0])
		case []float64:
			return gorgonia.NewF64(x[0])
		case []int:
			return gorgonia.NewI(x[0])
		}
	}
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(a.Data))
}

// do runs an operation's reference for Gorgonia's own machines: views, shape check, allocation, computation.
func do(o Op, vs []gorgonia.Value) (gorgonia.Value, error) {
	in := make([]Array, len(vs))
	shapes := make([]tensor.Shape, len(vs))
	for i, v := range vs {
		var err error
		if in[i], err = AsArray(v); err != nil {
			return nil, fmt.Errorf("%s, input %d: %w", o.Kind(), i, err)
		}
		shapes[i] = in[i].Shape
	}
	s, err := o.Infer(shapes)
	if err != nil {
		return nil, err
	}
	if err := sameFloat(o, in); err != nil {
		return nil, err
	}
	out, err := NewArray(in[0].Dtype(), s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Kind(), err)
	}
	if err := o.Reference(out, in); err != nil {
		return nil, err
	}
	return out.Value(), nil
}

// sameFloat checks that the first input is a float array and that the other float inputs have its type.
func sameFloat(o Op, in []Array) error {
	want := in[0].Dtype()
	if want != tensor.Float32 && want != tensor.Float64 {
		return fmt.Errorf("op: %s: input 0 must be float32 or float64, is %v", o.Kind(), want)
	}
	for i, a := range in[1:] {
		if dt := a.Dtype(); dt != want && dt != tensor.Int {
			return fmt.Errorf("op: %s: input %d is %v, input 0 is %v; convert one of them", o.Kind(), i+1, dt, want)
		}
	}
	return nil
}

// inferShape adapts Infer to Gorgonia's DimSizers.
func inferShape(o Op, ds []gorgonia.DimSizer) (tensor.Shape, error) {
	in, err := gorgonia.DimSizersToShapes(ds)
	if err != nil {
		return nil, fmt.Errorf("op: %s needs inputs of known shape: %w", o.Kind(), err)
	}
	if want := o.Arity(); want >= 0 && len(in) != want {
		return nil, fmt.Errorf("op: %s takes %d inputs, got %d shapes", o.Kind(), want, len(in))
	}
	return o.Infer(in)
}

// wantDims is the commonest check of Infer: input i has so many axes, none of them empty.
func wantDims(o Op, in []tensor.Shape, i, dims int, what string) error {
	if len(in[i]) != dims {
		return &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("%s of %d axes", what, dims),
			Got: fmt.Sprintf("%d axes", len(in[i])), Shapes: in, Remedy: "reshape it before this operation"}
	}
	return wantFull(o, in, i, what)
}

// wantFull refuses empty axes.
func wantFull(o Op, in []tensor.Shape, i int, what string) error {
	for axis, d := range in[i] {
		if d < 1 {
			return &shape.Error{Op: o.Kind(), Axis: axis, Wanted: what + " without empty axes", Got: fmt.Sprint(d),
				Shapes: in, Remedy: "leave empty batches out"}
		}
	}
	return nil
}

// wantSame checks that input j has the shape of input i.
func wantSame(o Op, in []tensor.Shape, i, j int) error {
	if !equalShape(in[i], in[j]) {
		return &shape.Error{Op: o.Kind(), Axis: firstDifference(in[i], in[j]),
			Wanted: fmt.Sprintf("input %d of shape %s", j, shape.Format(in[i])), Got: shape.Format(in[j]), Shapes: in,
			Remedy: "this operation does not broadcast"}
	}
	return nil
}

// wantLen checks that input i is a vector of n elements.
func wantLen(o Op, in []tensor.Shape, i, n int, what string) error {
	if len(in[i]) != 1 || in[i][0] != n {
		return &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("%s of shape (%d,)", what, n),
			Got: shape.Format(in[i]), Shapes: in}
	}
	return nil
}

// equalShape compares axis by axis; unlike tensor.Shape.Eq it does not take (1,) for a scalar.
func equalShape(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func firstDifference(a, b tensor.Shape) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return shape.NoAxis
}
