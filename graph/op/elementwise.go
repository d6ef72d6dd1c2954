package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Add is a + b for two inputs of one shape, scalars included; nothing is broadcast. Keras: layers.Add.
type Add struct{ salted }

func (o *Add) Kind() string          { return "Add" }
func (o *Add) String() string        { return "Add" }
func (o *Add) Arity() int            { return 2 }
func (o *Add) Type() hm.Type         { return sameType(2) }
func (o *Add) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Add) Hashcode() uint32      { return hashcode(o) }
func (o *Add) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Add) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Add) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Add) Reference(out Array, in []Array) error {
	if single(in[0]) {
		add[float32](o, out, in)
	} else {
		add[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape of a and b.
func (o *Add) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "an input"), wantSame(o, in, 0, 1))
}

// SymDiff hands dy to both inputs.
func (o *Add) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{dy, dy}, nil
}

func add[T Float](_ *Add, out Array, in []Array) {
	y, a, b := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

// Mul is the elementwise product a·b of two inputs of one shape, scalars included; nothing is broadcast. Keras:
// layers.Multiply.
type Mul struct{ salted }

func (o *Mul) Kind() string          { return "Mul" }
func (o *Mul) String() string        { return "Mul" }
func (o *Mul) Arity() int            { return 2 }
func (o *Mul) Type() hm.Type         { return sameType(2) }
func (o *Mul) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Mul) Hashcode() uint32      { return hashcode(o) }
func (o *Mul) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Mul) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Mul) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Mul) Reference(out Array, in []Array) error {
	if single(in[0]) {
		mul[float32](o, out, in)
	} else {
		mul[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape of a and b.
func (o *Mul) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "an input"), wantSame(o, in, 0, 1))
}

// SymDiff returns dy·b and dy·a.
func (o *Mul) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	da, err := Apply(&Mul{}, dy, in[1])
	if err != nil {
		return nil, err
	}
	db, err := Apply(&Mul{}, dy, in[0])
	return gorgonia.Nodes{da, db}, err
}

func mul[T Float](_ *Mul, out Array, in []Array) {
	y, a, b := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

// Scale is Factor·x for an input of any shape, scalars included. Factor is literal: 0 gives zeros.
type Scale struct {
	salted
	Factor float64
}

func (o *Scale) Kind() string          { return "Scale" }
func (o *Scale) String() string        { return fmt.Sprintf("Scale(factor %v)", o.Factor) }
func (o *Scale) Arity() int            { return 1 }
func (o *Scale) Type() hm.Type         { return sameType(1) }
func (o *Scale) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Scale) Hashcode() uint32      { return hashcode(o) }
func (o *Scale) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Scale) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Scale) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Scale) Reference(out Array, in []Array) error {
	if single(in[0]) {
		scale[float32](o, out, in)
	} else {
		scale[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *Scale) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantFull(o, in, 0, "an input")
}

// SymDiff returns Factor·dy.
func (o *Scale) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&Scale{Factor: o.Factor}, dy))
}

func scale[T Float](o *Scale, out Array, in []Array) {
	y, x := floats[T](out), floats[T](in[0])
	for i := range y {
		y[i] = T(o.Factor * float64(x[i]))
	}
}
