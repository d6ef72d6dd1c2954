package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TopKCorrect counts the rows whose label is among the K best classes: fewer than K classes have a strictly greater
// score, so that ties count in the label's favour, as in TensorFlow's in_top_k. A label with a NaN score is never
// correct. Inputs: scores (N, C), logits or probabilities, and labels (N), int. Result: a scalar of the scores' type.
// Dividing it by N gives the top-K accuracy. K larger than C counts every row without NaN. A label out of range is an
// error that names the row (fast kernels do not count the row). Keras: metrics.SparseTopKCategoricalAccuracy.
type TopKCorrect struct {
	salted
	K int
}

func (o *TopKCorrect) Kind() string          { return "TopKCorrect" }
func (o *TopKCorrect) String() string        { return fmt.Sprintf("TopKCorrect(k %d)", o.K) }
func (o *TopKCorrect) Arity() int            { return 2 }
func (o *TopKCorrect) Type() hm.Type         { return signature(tensorType(2), labelType(), typeVar()) }
func (o *TopKCorrect) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *TopKCorrect) Hashcode() uint32      { return hashcode(o) }
func (o *TopKCorrect) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *TopKCorrect) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *TopKCorrect) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *TopKCorrect) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return topKCorrect[float32](o, out, in)
	}
	return topKCorrect[float64](o, out, in)
}

func (o *TopKCorrect) intInput(i int) bool { return i == 1 }

// Infer returns the scalar shape.
func (o *TopKCorrect) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.ScalarShape(), first(wantLabelled(o, in, "scores (N, C)"), wantAttribute(o, in, o.K >= 1, "K of at least 1", o.K,
		"1 counts the best class only"))
}

// SymDiff returns an error: a count has no derivative.
func (o *TopKCorrect) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func topKCorrect[T Float](o *TopKCorrect, out Array, in []Array) error {
	x, labels, c := floats[T](in[0]), in[1].Data.([]int), in[0].Shape[1]
	if err := CheckLabels(o.Kind(), labels, c); err != nil {
		return err
	}
	correct := 0
	for n, label := range labels {
		row := x[n*c : (n+1)*c]
		if score := row[label]; !math.IsNaN(float64(score)) && better(row, score) < o.K {
			correct++
		}
	}
	floats[T](out)[0] = T(correct)
	return nil
}

func better[T Float](row []T, score T) (n int) {
	for _, v := range row {
		if v > score {
			n++
		}
	}
	return n
}
