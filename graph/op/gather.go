package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Gather takes slices of x along Axis, which may count from the end, in the order of indices. Inputs: x; indices, int, of
// any shape, each from 0 to the axis's size − 1 (others are an error when it runs). Result: the shape of x with that of
// indices in the place of Axis, so that Axis 0 looks rows up: (V, D) and (N, T) give (N, T, D). Keras: ops.take,
// layers.Embedding.
type Gather struct {
	ranked
	Axis int
}

func (o *Gather) Kind() string          { return "Gather" }
func (o *Gather) String() string        { return fmt.Sprintf("Gather(axis %d)", o.Axis) }
func (o *Gather) Arity() int            { return 2 }
func (o *Gather) Type() hm.Type         { return indexType(&o.ranked) }
func (o *Gather) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Gather) Hashcode() uint32      { return hashcode(o) }
func (o *Gather) DiffWRT(int) []bool    { return []bool{true, false} }
func (o *Gather) intInput(i int) bool   { return i == 1 }

// indexType is the signature of operations whose second input is of integers.
func indexType(r *ranked) hm.Type {
	if len(r.in) != 2 {
		return r.Type()
	}
	return signature(tensorType(r.in[0]), typeOf(r.in[1], tensor.Int), tensorType(r.out))
}

// Do computes the operation for Gorgonia's own machines.
func (o *Gather) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Gather) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference copies the slices.
func (o *Gather) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return gather[float32](o, out, in)
	}
	return gather[float64](o, out, in)
}

// Infer returns the shape of x with that of indices in the place of Axis.
func (o *Gather) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantFull(o, in, 0, "an input"), wantAxis(o, in, in[0], o.Axis), wantFull(o, in, 1, "indices")); err != nil {
		return nil, err
	}
	return gathered(in[0], o.Axis, in[1]), nil
}

func gathered(x tensor.Shape, axis int, indices tensor.Shape) tensor.Shape {
	at, _ := axisOf(axis, len(x))
	y := append(tensor.ScalarShape(), x[:at]...)
	return append(append(y, indices...), x[at+1:]...)
}

// SymDiff returns GatherGrad(dy, indices); indices have no gradient.
func (o *Gather) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	d, err := Apply(&GatherGrad{Axis: o.Axis, Shape: in[0].Shape().Clone()}, dy, in[1])
	return gorgonia.Nodes{d, nil}, err
}

func gather[T Float](o *Gather, out Array, in []Array) error {
	y, x := floats[T](out), floats[T](in[0])
	return eachGathered(o, in[0].Shape, o.Axis, in[1], func(slice, row, run int) { copy(y[slice:slice+run], x[row:row+run]) })
}

// eachGathered visits the slices: run elements from slice on in the gathered tensor are those from row on in that of shape x.
func eachGathered(o Op, x tensor.Shape, axis int, indices Array, visit func(slice, row, run int)) error {
	at, _ := axisOf(axis, len(x))
	n, run, list := x[at], Len(x[at+1:]), indices.Data.([]int)
	for i, index := range list {
		if index < 0 || index >= n {
			return fmt.Errorf("op: %s: index %d is %d, want 0 to %d", o.Kind(), i, index, n-1)
		}
	}
	for outer := range Len(x[:at]) {
		for i, index := range list {
			visit((outer*len(list)+i)*run, (outer*n+index)*run, run)
		}
	}
	return nil
}

// GatherGrad is the gradient of [Gather]: zeros of Shape, to which the slices of dy are added in the places that indices
// name, in the order of the indices. Inputs: dy, indices.
type GatherGrad struct {
	ranked
	Axis  int
	Shape tensor.Shape // of Gather's input
}

func (o *GatherGrad) Kind() string { return "GatherGrad" }
func (o *GatherGrad) String() string {
	return fmt.Sprintf("GatherGrad(axis %d, shape %s)", o.Axis, shape.Format(o.Shape))
}
func (o *GatherGrad) Arity() int            { return 2 }
func (o *GatherGrad) Type() hm.Type         { return indexType(&o.ranked) }
func (o *GatherGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *GatherGrad) Hashcode() uint32      { return hashcode(o) }
func (o *GatherGrad) DiffWRT(int) []bool    { return []bool{true, false} }
func (o *GatherGrad) intInput(i int) bool   { return i == 1 }

// Do computes the operation for Gorgonia's own machines.
func (o *GatherGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *GatherGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference adds up in float64.
func (o *GatherGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return gatherGrad[float32](o, out, in)
	}
	return gatherGrad[float64](o, out, in)
}

// Infer returns Shape.
func (o *GatherGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantFull(o, in, 1, "indices"), wantAttributeShape(o, in, o.Shape), wantAxis(o, in, o.Shape, o.Axis)); err != nil {
		return nil, err
	}
	return o.Shape.Clone(), wantShape(o, in, 0, gathered(o.Shape, o.Axis, in[1]), "a gradient", "it has the shape of the gathered tensor")
}

// SymDiff returns the gathered d: the operation is linear in dy.
func (o *GatherGrad) SymDiff(in gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&Gather{Axis: o.Axis}, d, in[1])
	return gorgonia.Nodes{g, nil}, err
}

func gatherGrad[T Float](o *GatherGrad, out Array, in []Array) error {
	dx, dy, totals := floats[T](out), floats[T](in[0]), make([]float64, Len(o.Shape))
	err := eachGathered(o, o.Shape, o.Axis, in[1], func(slice, row, run int) {
		for i, v := range dy[slice : slice+run] {
			totals[row+i] += float64(v)
		}
	})
	for i, v := range totals {
		dx[i] = T(v)
	}
	return err
}
