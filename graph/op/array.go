package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Array is a dense, row-major block of numbers: what reference kernels read and write. Data is a []float32, []float64
// or []int whose length is the product of Shape (1 for a scalar), or a []uint8 of images' bytes. The other element types of
// Gorgonia, []int32, []int64 and []bool, only pass through: they occur in graphs of Gorgonia's own operations.
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

// NewArray allocates a zeroed array of one of the element types that an Array may have. A shape that no memory can hold is an error.
func NewArray(dt tensor.Dtype, s tensor.Shape) (Array, error) {
	const largest = 8 // bytes of an element
	if _, ok := shape.Bytes(s, largest); !ok {
		return Array{}, fmt.Errorf("op: no memory can hold a tensor of shape %s; check the sizes it is made of", shape.Format(s))
	}
	n := Len(s)
	switch dt {
	case tensor.Float32:
		return Array{s, make([]float32, n)}, nil
	case tensor.Float64:
		return Array{s, make([]float64, n)}, nil
	case tensor.Int:
		return Array{s, make([]int, n)}, nil
	case tensor.Int32:
		return Array{s, make([]int32, n)}, nil
	case tensor.Int64:
		return Array{s, make([]int64, n)}, nil
	case tensor.Uint8:
		return Array{s, make([]uint8, n)}, nil
	case tensor.Bool:
		return Array{s, make([]bool, n)}, nil
	}
	return Array{}, fmt.Errorf("op: element type %v is not supported; use float32 or float64 (int for labels and counters)", dtypeName(dt))
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
	case []int32:
		return tensor.Int32
	case []int64:
		return tensor.Int64
	case []uint8:
		return tensor.Uint8
	case []bool:
		return tensor.Bool
	}
	return tensor.Dtype{}
}

// Copy copies the elements of src to dst, as the built-in copy does with slices. Both have one element type; their shapes
// do not matter.
func Copy(dst, src Array) {
	switch d := dst.Data.(type) {
	case []float32:
		copy(d, src.Data.([]float32))
	case []float64:
		copy(d, src.Data.([]float64))
	case []int:
		copy(d, src.Data.([]int))
	case []int32:
		copy(d, src.Data.([]int32))
	case []int64:
		copy(d, src.Data.([]int64))
	case []uint8:
		copy(d, src.Data.([]uint8))
	case []bool:
		copy(d, src.Data.([]bool))
	}
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
	case *gorgonia.I32:
		return Array{tensor.ScalarShape(), []int32{int32(*v)}}, nil
	case *gorgonia.I64:
		return Array{tensor.ScalarShape(), []int64{int64(*v)}}, nil
	case *gorgonia.U8:
		return Array{tensor.ScalarShape(), []uint8{uint8(*v)}}, nil
	case *gorgonia.B:
		return Array{tensor.ScalarShape(), []bool{bool(*v)}}, nil
	case *tensor.Dense:
		d := v
		if d.RequiresIterator() || d.IsMasked() || !d.DataOrder().IsContiguous() {
			d = d.Materialize().(*tensor.Dense)
		}
		if !d.DataOrder().IsRowMajor() { // which Materialize leaves as it is
			return Array{}, fmt.Errorf("op: the tensor of shape %v is column-major; make it with the default, row-major order", d.Shape())
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
	case []int32:
		return Array{s, x}, nil
	case []int64:
		return Array{s, x}, nil
	case []uint8:
		return Array{s, x}, nil
	case []bool:
		return Array{s, x}, nil
	case float32: // a dense tensor of scalar shape hands out the bare number
		return Array{s, []float32{x}}, nil
	case float64:
		return Array{s, []float64{x}}, nil
	case int:
		return Array{s, []int{x}}, nil
	case int32:
		return Array{s, []int32{x}}, nil
	case int64:
		return Array{s, []int64{x}}, nil
	case uint8:
		return Array{s, []uint8{x}}, nil
	case bool:
		return Array{s, []bool{x}}, nil
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
		case []int32:
			return gorgonia.NewI32(x[0])
		case []int64:
			return gorgonia.NewI64(x[0])
		case []uint8:
			return gorgonia.NewU8(x[0])
		case []bool:
			return gorgonia.NewB(x[0])
		}
	}
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(a.Data))
}

// do runs an operation's reference for Gorgonia's own machines: views, shape check, allocation, computation.
func do(o Op, vs []gorgonia.Value) (gorgonia.Value, error) {
	if want := o.Arity(); want >= 0 && len(vs) != want {
		return nil, fmt.Errorf("op: %s takes %d inputs, got %d values", o.Kind(), want, len(vs))
	}
	in := make([]Array, len(vs))
	shapes := make([]tensor.Shape, len(vs))
	dts := make([]tensor.Dtype, len(vs))
	for i, v := range vs {
		var err error
		if in[i], err = AsArray(v); err != nil {
			return nil, fmt.Errorf("%s, input %d: %w", o.Kind(), i, err)
		}
		shapes[i], dts[i] = in[i].Shape, in[i].Dtype()
	}
	s, err := o.Infer(shapes)
	if err != nil {
		return nil, err
	}
	if err := checkDtypes(o, dts); err != nil {
		return nil, err
	}
	out, err := NewArray(o.resultType(dts[0]), s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Kind(), err)
	}
	if err := o.Reference(out, in); err != nil {
		return nil, err
	}
	return out.Value(), nil
}

// checkDtypes checks that the float inputs are all float32 or all float64 and the others int or uint8.
func checkDtypes(o Op, have []tensor.Dtype) error {
	first := -1
	for i, dt := range have {
		switch {
		case o.intInput(i):
			if dt != tensor.Int {
				return fmt.Errorf("op: %s: input %d must be int, is %s", o.Kind(), i, dtypeName(dt))
			}
		case o.byteInput(i):
			if dt != tensor.Uint8 {
				return fmt.Errorf("op: %s: input %d must be uint8, is %s", o.Kind(), i, dtypeName(dt))
			}
		case dt != tensor.Float32 && dt != tensor.Float64:
			return fmt.Errorf("op: %s: input %d must be float32 or float64, is %s", o.Kind(), i, dtypeName(dt))
		case first < 0:
			first = i
		case dt != have[first]:
			return fmt.Errorf("op: %s: input %d is %s, input %d is %s; convert one of them", o.Kind(), i, dtypeName(dt),
				first, dtypeName(have[first]))
		}
	}
	return nil
}

func dtypeName(dt tensor.Dtype) string {
	if dt.Type == nil {
		return "of no element type"
	}
	return dt.String()
}

// inferShape adapts Infer to Gorgonia's DimSizers.
func inferShape(o Op, ds []gorgonia.DimSizer) (tensor.Shape, error) {
	if r, ok := o.(rankKeeper); ok && !r.ranksKnown() {
		return nil, fmt.Errorf("op: apply %s with op.Apply, not gorgonia.ApplyOp: its type depends on the inputs' number of axes", o.Kind())
	}
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
	if !shape.Equal(in[i], in[j]) {
		return &shape.Error{Op: o.Kind(), Axis: firstDifference(in[i], in[j]),
			Wanted: fmt.Sprintf("input %d of shape %s", j, shape.Format(in[i])), Got: shape.Format(in[j]), Shapes: in,
			Remedy: "this operation does not broadcast"}
	}
	return nil
}

func firstDifference(a, b tensor.Shape) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return shape.NoAxis
}
