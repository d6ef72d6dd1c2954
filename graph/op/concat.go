package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Concat joins any number of inputs, at least one, along Axis, which may count from the end. They have equal sizes on the
// other axes. Keras: layers.Concatenate (whose default axis is −1; here it is literal).
type Concat struct {
	ranked
	Axis int
}

func (o *Concat) Kind() string          { return "Concat" }
func (o *Concat) String() string        { return fmt.Sprintf("Concat(axis %d)", o.Axis) }
func (o *Concat) Arity() int            { return -1 }
func (o *Concat) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Concat) Hashcode() uint32      { return hashcode(o) }

// DiffWRT is true for all inputs.
func (o *Concat) DiffWRT(inputs int) []bool {
	all := make([]bool, max(inputs, 0))
	for i := range all {
		all[i] = true
	}
	return all
}

// Do computes the operation for Gorgonia's own machines.
func (o *Concat) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Concat) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies the elements.
func (o *Concat) Reference(out Array, in []Array) error {
	if single(in[0]) {
		concat[float32](o, out, in)
	} else {
		concat[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of the inputs with the sum of their sizes on Axis.
func (o *Concat) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if len(in) == 0 {
		return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "at least 1 input", Got: "none", Remedy: "give it the tensors to join"}
	}
	if err := first(wantFull(o, in, 0, "an input"), wantAxis(o, in, in[0], o.Axis)); err != nil {
		return nil, err
	}
	at, _ := axisOf(o.Axis, len(in[0]))
	y := in[0].Clone()
	for i := 1; i < len(in); i++ {
		if err := wantDims(o, in, i, len(y), fmt.Sprintf("input %d", i)); err != nil {
			return nil, err
		}
		for axis, d := range in[i] {
			if axis == at {
				y[axis] += d
			} else if d != y[axis] {
				return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("input %d with %d as in input 0", i, y[axis]),
					Got: fmt.Sprint(d), Shapes: in, Remedy: fmt.Sprintf("inputs may differ on axis %d only", at)}
			}
		}
	}
	return y, nil
}

// SymDiff returns the slices of dy.
func (o *Concat) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	at, _ := axisOf(o.Axis, dy.Dims())
	ds, start := make(gorgonia.Nodes, len(in)), 0
	for i, x := range in {
		n := x.Shape()[at]
		var err error
		if ds[i], err = Of(dy).Slice(at, start, start+n).Node(); err != nil {
			return nil, err
		}
		start += n
	}
	return ds, nil
}

func concat[T Float](o *Concat, out Array, in []Array) {
	y := floats[T](out)
	at, _ := axisOf(o.Axis, len(out.Shape))
	outer, inner := Len(out.Shape[:at]), Len(out.Shape[at:])
	start := 0
	for _, a := range in {
		x, run := floats[T](a), Len(a.Shape[at:])
		for i := range outer {
			copy(y[i*inner+start:], x[i*run:(i+1)*run])
		}
		start += run
	}
}
