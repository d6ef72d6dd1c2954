package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Reshape gives the elements of x, of shape From, the shape To, in row-major order. Both shapes are full: there is no
// -1, since every size is known when the graph is built. Keras: layers.Reshape.
type Reshape struct {
	salted
	From, To tensor.Shape
}

func (o *Reshape) Kind() string { return "Reshape" }
func (o *Reshape) String() string {
	return "Reshape(from " + shape.Format(o.From) + ", to " + shape.Format(o.To) + ")"
}
func (o *Reshape) Arity() int            { return 1 }
func (o *Reshape) Type() hm.Type         { return signature(tensorType(len(o.From)), tensorType(len(o.To))) }
func (o *Reshape) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Reshape) Hashcode() uint32      { return hashcode(o) }
func (o *Reshape) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Reshape) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Reshape) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns To; a different number of elements is an error.
func (o *Reshape) Infer(in []tensor.Shape) (tensor.Shape, error) {
	err := first(wantFull(o, in, 0, "an input"), wantShape(o, in, 0, o.From, "an input", "set From to the shape of the input"))
	if err != nil {
		return nil, err
	}
	for axis, d := range o.To {
		if d < 1 {
			return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: "a positive size in To", Got: fmt.Sprint(d), Shapes: in,
				Remedy: "write the size out; it is known here"}
		}
	}
	if Len(o.To) != Len(o.From) {
		return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis,
			Wanted: fmt.Sprintf("a shape of %d elements", Len(o.From)),
			Got:    fmt.Sprintf("%s of %d", shape.Format(o.To), Len(o.To)), Shapes: in,
			Remedy: "a reshape keeps every element"}
	}
	return o.To.Clone(), nil
}

// SymDiff returns dy in the shape of x.
func (o *Reshape) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&Reshape{From: o.To.Clone(), To: o.From.Clone()}, dy))
}

// Reference copies the elements.
func (o *Reshape) Reference(out Array, in []Array) error {
	Copy(out, in[0])
	return nil
}

// Flatten reshapes x (N, d1, d2, …) to (N, d1·d2·…) and returns a matrix as it is. Keras: layers.Flatten (which, too,
// makes (N, 1) of a vector).
func Flatten(x *gorgonia.Node) (*gorgonia.Node, error) {
	if x == nil {
		return nil, fmt.Errorf("op: Flatten: the input is nil; an earlier error was probably not checked")
	}
	s := x.Shape()
	switch len(s) {
	case 0:
		return nil, &shape.Error{Op: "Flatten", Axis: shape.NoAxis, Wanted: "an input with a batch axis", Got: "a scalar",
			Shapes: []tensor.Shape{s}, Inputs: []string{x.Name()}}
	case 2:
		return x, nil
	}
	return Apply(&Reshape{From: s.Clone(), To: tensor.Shape{s[0], Len(s[1:])}}, x)
}
