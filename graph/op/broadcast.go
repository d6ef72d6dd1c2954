package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// BroadcastTo stretches x to Shape, as NumPy does: axes are matched from the last one, missing ones count as of size 1,
// and axes of size 1 take the size in Shape. Keras: ops.broadcast_to.
type BroadcastTo struct {
	ranked
	Shape tensor.Shape
}

func (o *BroadcastTo) Kind() string          { return "BroadcastTo" }
func (o *BroadcastTo) String() string        { return "BroadcastTo(shape " + shape.Format(o.Shape) + ")" }
func (o *BroadcastTo) Arity() int            { return 1 }
func (o *BroadcastTo) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BroadcastTo) Hashcode() uint32      { return hashcode(o) }
func (o *BroadcastTo) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BroadcastTo) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BroadcastTo) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies the elements.
func (o *BroadcastTo) Reference(out Array, in []Array) error {
	if single(in[0]) {
		broadcast[float32](o, out, in)
	} else {
		broadcast[float64](o, out, in)
	}
	return nil
}

// Infer returns Shape.
func (o *BroadcastTo) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantFull(o, in, 0, "an input"), wantAttributeShape(o, in, o.Shape)); err != nil {
		return nil, err
	}
	if s, err := stretched(o, in, in[0], o.Shape); err != nil || !shape.Equal(s, o.Shape) {
		return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "an input that stretches to " + shape.Format(o.Shape),
			Got: shape.Format(in[0]), Shapes: in, Remedy: "axes are matched from the last one; only axes of size 1 are stretched"}
	}
	return o.Shape.Clone(), nil
}

// SymDiff returns the sums of dy along the stretched axes.
func (o *BroadcastTo) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(sumTo(Of(dy), in[0].Shape()).Node())
}

func broadcast[T Float](o *BroadcastTo, out Array, in []Array) {
	y, x := floats[T](out), floats[T](in[0])
	for i, at := range positions(o.Shape, 0, strides(in[0].Shape, o.Shape)) {
		y[i] = x[at]
	}
}

// Full is a tensor of Shape, a scalar by default, whose elements are all Value. Its input is not looked at: it says which
// graph and which element type the tensor is for. See [Const].
type Full struct {
	ranked
	Value float64
	Shape tensor.Shape
}

func (o *Full) Kind() string { return "Full" }
func (o *Full) String() string {
	return fmt.Sprintf("Full(value %v, shape %s)", o.Value, shape.Format(o.Shape))
}
func (o *Full) Arity() int            { return 1 }
func (o *Full) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Full) Hashcode() uint32      { return hashcode(o) }
func (o *Full) DiffWRT(int) []bool    { return []bool{false} }

// Do computes the operation for Gorgonia's own machines.
func (o *Full) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Full) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference sets all elements.
func (o *Full) Reference(out Array, in []Array) error {
	if single(in[0]) {
		setAll(floats[float32](out), float32(o.Value))
	} else {
		setAll(floats[float64](out), o.Value)
	}
	return nil
}

// Infer returns Shape.
func (o *Full) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return o.Shape.Clone(), first(wantFull(o, in, 0, "an input"), wantAttributeShape(o, in, o.Shape))
}

// SymDiff returns an error: a constant has no derivative.
func (o *Full) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

// Const returns a scalar constant in the graph and of the element type of like. Prefer it to gorgonia.NewConstant, which
// Gorgonia tells apart by their printed names alone. Where an operand may be a number, [Expr] and [BinaryNumber] need no
// node for it.
func Const(like *gorgonia.Node, v float64) (*gorgonia.Node, error) {
	return Apply(&Full{Value: v}, like)
}

// StopGradient is x, through which no gradient flows. Keras: ops.stop_gradient.
type StopGradient struct{ ranked }

func (o *StopGradient) Kind() string          { return "StopGradient" }
func (o *StopGradient) String() string        { return "StopGradient" }
func (o *StopGradient) Arity() int            { return 1 }
func (o *StopGradient) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *StopGradient) Hashcode() uint32      { return hashcode(o) }
func (o *StopGradient) DiffWRT(int) []bool    { return []bool{false} }

// Do computes the operation for Gorgonia's own machines.
func (o *StopGradient) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *StopGradient) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies x.
func (o *StopGradient) Reference(out Array, in []Array) error {
	Copy(out, in[0])
	return nil
}

// Infer returns the shape of x.
func (o *StopGradient) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantFull(o, in, 0, "an input")
}

// SymDiff returns an error: Gorgonia asks for no derivative.
func (o *StopGradient) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}
