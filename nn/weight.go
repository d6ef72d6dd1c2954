package nn

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Weight is a tensor of a model that training changes: a kernel, a bias, or a running average.
type Weight struct {
	// Name is "layer/weight", e.g. "conv2d/kernel" (Keras prints "conv2d/kernel:0").
	Name string
	// Shape is Keras's: (rows, columns, in/groups, out) of a convolution kernel in either data format, (in, out) of a
	// dense one, (channels,) of all others.
	Shape tensor.Shape
	// Trainable says whether optimizers change it: false for the running averages of batch normalization, and for the
	// weights of layers that [Model.SetTrainable] froze.
	Trainable bool
	// Initializer makes the initial values.
	Initializer Initializer
	// Regularizer is the weight's penalty in the loss; nil means none.
	Regularizer Regularizer
	// Constraint keeps the weight in bounds: a training step applies it after the optimizer's update; nil means none.
	Constraint Constraint
	// Value holds the elements, row-major; nil until Model.Initialize or Allocate. All graphs built from the model share this
	// memory: training in one changes them all. To load other values, write into it with Set; a new Value is seen only
	// by graphs that are built afterwards.
	Value *tensor.Dense

	fixed bool // no optimizer changes it, whether its layer is frozen or not
}

// Set copies values into the weight, converting between float32 and float64. src has the weight's shape; the weight
// must be initialized.
func (w *Weight) Set(src *tensor.Dense) error {
	if w.Value == nil {
		return &Error{Kind: ErrUninitialized, Class: "Weight", Layer: w.Name, Problem: "has no values to overwrite",
			Remedy: "call Model.Initialize or Allocate first"}
	}
	if src == nil || !Shape(src.Shape()).equal(Shape(w.Shape)) {
		got := "nil"
		if src != nil {
			got = fmt.Sprint(src.Shape())
		}
		return &Error{Kind: ErrShape, Class: "Weight", Layer: w.Name, Problem: fmt.Sprintf("wants values of shape %v, got %s", w.Shape, got)}
	}
	if src.RequiresIterator() || src.IsMasked() || !src.DataOrder().IsRowMajor() {
		src = src.Materialize().(*tensor.Dense)
	}
	return convert(w.Value.Data(), src.Data())
}

// convert copies src into dst, slices of float32 or float64 of one length.
func convert(dst, src any) error {
	switch d := dst.(type) {
	case []float32:
		switch s := src.(type) {
		case []float32:
			copy(d, s)
			return nil
		case []float64:
			for i, v := range s {
				d[i] = float32(v)
			}
			return nil
		}
	case []float64:
		switch s := src.(type) {
		case []float32:
			for i, v := range s {
				d[i] = float64(v)
			}
			return nil
		case []float64:
			copy(d, s)
			return nil
		}
	}
	return &Error{Kind: ErrArgument, Problem: fmt.Sprintf("cannot convert %T to %T", src, dst), Remedy: "use float32 or float64"}
}

// newDense allocates a tensor of zeros.
func newDense(dt tensor.Dtype, s tensor.Shape) (*tensor.Dense, error) {
	switch dt {
	case tensor.Float32:
		return tensor.New(tensor.WithShape(s...), tensor.WithBacking(make([]float32, s.TotalSize()))), nil
	case tensor.Float64:
		return tensor.New(tensor.WithShape(s...), tensor.WithBacking(make([]float64, s.TotalSize()))), nil
	}
	return nil, &Error{Kind: ErrArgument, Problem: fmt.Sprintf("weights of element type %v are not supported", dt),
		Remedy: "use tensor.Float32 or tensor.Float64"}
}

// Initialize gives every weight its initial values, which depend on seed, the weight's name and its shape only, and
// fixes the weights' element type, tensor.Float32 or tensor.Float64. Called again, it writes into the same tensors, so
// that graphs built before start afresh too; the type must then be the same (see [Model.Clone] for another). It goes through
// nested models, too: where one of them was loaded or trained already, InitializeRest is wanted.
func (m *Model) Initialize(seed uint64, dt tensor.Dtype) error {
	return m.initialize(m.weights, seed, dt)
}

// InitializeRest gives the weights that have no values yet those that Initialize would, and leaves the others as they are: for a
// new head on a model that was loaded or trained. Their type must be the same.
func (m *Model) InitializeRest(seed uint64, dt tensor.Dtype) error {
	var rest []*Weight
	for _, w := range m.weights {
		if w.Value == nil {
			rest = append(rest, w)
		}
	}
	return m.initialize(rest, seed, dt)
}

func (m *Model) initialize(some []*Weight, seed uint64, dt tensor.Dtype) error {
	if err := m.Allocate(dt); err != nil {
		return err
	}
	for _, w := range some {
		if err := fill(w.Value.Data(), w.Shape, w.Initializer, seed, w.Name); err != nil {
			return err
		}
	}
	return nil
}

// Allocate gives the weights that have no values yet zeros of element type dt, tensor.Float32 or tensor.Float64, and
// leaves the others as they are: for values that are loaded, where drawing initial ones first would be time lost. Their
// type must be the same (see [Model.Clone] for another).
func (m *Model) Allocate(dt tensor.Dtype) error {
	if dt != tensor.Float32 && dt != tensor.Float64 {
		_, err := newDense(dt, tensor.Shape{1})
		return err
	}
	for _, w := range m.weights {
		if w.Value != nil && w.Value.Dtype() != dt {
			return &Error{Kind: ErrArgument, Class: "Model", Layer: m.name,
				Problem: fmt.Sprintf("weight %q is %v already, cannot become %v", w.Name, w.Value.Dtype(), dt),
				Remedy:  "use Clone for a copy of another type"}
		}
	}
	for _, w := range m.weights {
		if w.Value == nil {
			v, err := newDense(dt, w.Shape)
			if err != nil {
				return err
			}
			w.Value = v
		}
	}
	return nil
}
