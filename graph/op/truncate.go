package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Truncate is x of any shape, float32 or float64, as integers, rounded towards 0: tf.cast(x, int32). What NaN and numbers outside
// int's range become depends on the machine. Integers have no derivative.
type Truncate struct{ ranked }

func (o *Truncate) Kind() string          { return "Truncate" }
func (o *Truncate) String() string        { return "Truncate" }
func (o *Truncate) Arity() int            { return 1 }
func (o *Truncate) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Truncate) Hashcode() uint32      { return hashcode(o) }
func (o *Truncate) DiffWRT(int) []bool    { return []bool{false} }

// Type is Tensor-d a → Tensor-d Int.
func (o *Truncate) Type() hm.Type {
	if !o.ranksKnown() {
		return o.ranked.Type()
	}
	return signature(tensorType(o.in[0]), typeOf(o.out, tensor.Int))
}

func (o *Truncate) resultType(tensor.Dtype) tensor.Dtype { return tensor.Int }

// Do computes the operation for Gorgonia's own machines.
func (o *Truncate) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Truncate) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference converts the elements.
func (o *Truncate) Reference(out Array, in []Array) error {
	y, ok := out.Data.([]int)
	switch x := in[0].Data.(type) {
	case []float32:
		truncate(y, x)
	case []float64:
		truncate(y, x)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("op: Truncate: wants floats to integers, got %T to %T", in[0].Data, out.Data)
	}
	return nil
}

func truncate[T Float](y []int, x []T) {
	for i, v := range x {
		y[i] = int(v)
	}
}

// Infer returns the shape of x.
func (o *Truncate) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantFull(o, in, 0, "an input")
}

// SymDiff returns an error: integers have no derivative.
func (o *Truncate) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}
