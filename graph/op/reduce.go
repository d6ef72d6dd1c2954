package op

import (
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Mean is the mean of all elements of x, of any shape, as a scalar.
type Mean struct{ ranked }

func (o *Mean) Kind() string          { return "Mean" }
func (o *Mean) String() string        { return "Mean" }
func (o *Mean) Arity() int            { return 1 }
func (o *Mean) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Mean) Hashcode() uint32      { return hashcode(o) }
func (o *Mean) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Mean) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Mean) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Mean) Reference(out Array, in []Array) error {
	if single(in[0]) {
		mean[float32](o, out, in)
	} else {
		mean[float64](o, out, in)
	}
	return nil
}

// Infer returns the scalar shape.
func (o *Mean) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.ScalarShape(), wantFull(o, in, 0, "an input")
}

// SymDiff returns MeanGrad(dy).
func (o *Mean) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&MeanGrad{Shape: in[0].Shape().Clone()}, dy))
}

func mean[T Float](_ *Mean, out Array, in []Array) {
	x := floats[T](in[0])
	floats[T](out)[0] = T(total(x) / float64(len(x)))
}

func total[T Float](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// Sum is the sum of all elements of x, of any shape, as a scalar.
type Sum struct{ ranked }

func (o *Sum) Kind() string          { return "Sum" }
func (o *Sum) String() string        { return "Sum" }
func (o *Sum) Arity() int            { return 1 }
func (o *Sum) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Sum) Hashcode() uint32      { return hashcode(o) }
func (o *Sum) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Sum) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Sum) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Sum) Reference(out Array, in []Array) error {
	if single(in[0]) {
		sum[float32](o, out, in)
	} else {
		sum[float64](o, out, in)
	}
	return nil
}

// Infer returns the scalar shape.
func (o *Sum) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.ScalarShape(), wantFull(o, in, 0, "an input")
}

// SymDiff returns SumGrad(dy).
func (o *Sum) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&SumGrad{Shape: in[0].Shape().Clone()}, dy))
}

func sum[T Float](_ *Sum, out Array, in []Array) {
	floats[T](out)[0] = T(total(floats[T](in[0])))
}

// MeanGrad is the gradient of Mean: the scalar dy, divided by the number of elements of Shape, in every element of
// Shape.
type MeanGrad struct {
	salted
	Shape tensor.Shape // of Mean's input
}

func (o *MeanGrad) Kind() string          { return "MeanGrad" }
func (o *MeanGrad) String() string        { return "MeanGrad(shape " + shape.Format(o.Shape) + ")" }
func (o *MeanGrad) Arity() int            { return 1 }
func (o *MeanGrad) Type() hm.Type         { return signature(typeVar(), tensorType(len(o.Shape))) }
func (o *MeanGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MeanGrad) Hashcode() uint32      { return hashcode(o) }
func (o *MeanGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *MeanGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MeanGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *MeanGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		meanGrad[float32](o, out, in)
	} else {
		meanGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns Shape.
func (o *MeanGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.Shape.Clone(), first(wantScalar(o, in, 0, "a gradient"), wantAttributeShape(o, in, o.Shape))
}

// SymDiff returns Mean(d): the operation is linear.
func (o *MeanGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&Mean{}, d))
}

func meanGrad[T Float](_ *MeanGrad, out Array, in []Array) {
	setAll(floats[T](out), T(scalar[T](in[0])/float64(Len(out.Shape))))
}

func setAll[T Float](y []T, v T) {
	for i := range y {
		y[i] = v
	}
}

// SumGrad is the gradient of Sum: the scalar dy in every element of Shape.
type SumGrad struct {
	salted
	Shape tensor.Shape // of Sum's input
}

func (o *SumGrad) Kind() string          { return "SumGrad" }
func (o *SumGrad) String() string        { return "SumGrad(shape " + shape.Format(o.Shape) + ")" }
func (o *SumGrad) Arity() int            { return 1 }
func (o *SumGrad) Type() hm.Type         { return signature(typeVar(), tensorType(len(o.Shape))) }
func (o *SumGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *SumGrad) Hashcode() uint32      { return hashcode(o) }
func (o *SumGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *SumGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *SumGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *SumGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		sumGrad[float32](o, out, in)
	} else {
		sumGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns Shape.
func (o *SumGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.Shape.Clone(), first(wantScalar(o, in, 0, "a gradient"), wantAttributeShape(o, in, o.Shape))
}

// SymDiff returns Sum(d): the operation is linear.
func (o *SumGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&Sum{}, d))
}

func sumGrad[T Float](_ *SumGrad, out Array, in []Array) {
	setAll(floats[T](out), floats[T](in[0])[0])
}

// wantAttributeShape checks that a result shape given as an attribute has no empty axes.
func wantAttributeShape(o Op, in []tensor.Shape, s tensor.Shape) error {
	for axis, d := range s {
		if d < 1 {
			return &shape.Error{Op: o.Kind(), Axis: axis, Wanted: "a Shape without empty axes", Got: shape.Format(s), Shapes: in,
				Remedy: "set Shape to the shape of the reduced tensor"}
		}
	}
	return nil
}
