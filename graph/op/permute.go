package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// Permute reorders axes: axis i of the result is axis Axes[i] of x, as in NumPy's transpose. (Keras's Permute layer
// leaves the batch out and counts from 1.) Input: x of len(Axes) axes. Result: a materialised copy.
type Permute struct {
	ranked
	Axes []int // a permutation of 0 … rank−1
}

func (o *Permute) Kind() string          { return "Permute" }
func (o *Permute) String() string        { return fmt.Sprintf("Permute%v", o.Axes) }
func (o *Permute) Arity() int            { return 1 }
func (o *Permute) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Permute) Hashcode() uint32      { return hashcode(o) }
func (o *Permute) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Permute) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Permute) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) { return inferShape(o, ds) }

// Infer returns the permuted shape.
func (o *Permute) Infer(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if len(x) != len(o.Axes) || len(x) == 0 {
		return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("an input of %d axes, one for each of Axes %v", len(o.Axes), o.Axes),
			Got: fmt.Sprintf("%d axes", len(x)), Shapes: in, Remedy: "list every axis, the batch included, once"}
	}
	seen := make([]bool, len(x))
	out := make(tensor.Shape, len(x))
	for i, a := range o.Axes {
		if a < 0 || a >= len(x) || seen[a] {
			return nil, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("a permutation of 0 to %d", len(x)-1),
				Got: fmt.Sprint(o.Axes), Shapes: in, Remedy: "list every axis, the batch included, once"}
		}
		seen[a] = true
		out[i] = x[a]
	}
	return out, wantFull(o, in, 0, "an input")
}

// SymDiff returns the inverse permutation of dy.
func (o *Permute) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	inverse := make([]int, len(o.Axes))
	for i, a := range o.Axes {
		inverse[a] = i
	}
	return grads(Apply(&Permute{Axes: inverse}, dy))
}

// Reference computes the operation with plain loops.
func (o *Permute) Reference(out Array, in []Array) error {
	x, y := wide(in[0]), make([]float64, Len(out.Shape))
	step := make([]int, len(o.Axes)) // what one step along an axis of the result is in x
	for i, a := range o.Axes {
		step[i] = Len(in[0].Shape[a+1:])
	}
	index, from := make([]int, len(step)), 0
	for i := range y {
		y[i] = x[from]
		for axis := len(step) - 1; axis >= 0; axis-- { // count like an odometer
			index[axis]++
			from += step[axis]
			if index[axis] < out.Shape[axis] {
				break
			}
			from -= index[axis] * step[axis]
			index[axis] = 0
		}
	}
	store(out, y)
	return nil
}
