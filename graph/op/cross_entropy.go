package op

import (
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// probabilityFloor is keras.config.epsilon(): cross entropy clips probabilities to [floor, 1−floor].
const probabilityFloor = 1e-7

// CrossEntropy is −log p of the label's probability, one loss a row, with p clipped to [1e-7, 1−1e-7] as in Keras.
// Inputs: probs (N, C), labels (N), int, 0…C−1. Result: (N). Rows are taken to sum to 1 and are not normalised. Prefer
// SoftmaxCrossEntropy where the logits are at hand: it needs no clipping. A NaN of the label's probability gives NaN; a
// label out of range is an error that names the row. Keras: losses.sparse_categorical_crossentropy(from_logits=False).
type CrossEntropy struct{ salted }

func (o *CrossEntropy) Kind() string          { return "CrossEntropy" }
func (o *CrossEntropy) String() string        { return "CrossEntropy" }
func (o *CrossEntropy) Arity() int            { return 2 }
func (o *CrossEntropy) Type() hm.Type         { return signature(tensorType(2), labelType(), tensorType(1)) }
func (o *CrossEntropy) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *CrossEntropy) Hashcode() uint32      { return hashcode(o) }
func (o *CrossEntropy) DiffWRT(int) []bool    { return []bool{true, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *CrossEntropy) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *CrossEntropy) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *CrossEntropy) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return crossEntropy[float32](o, out, in)
	}
	return crossEntropy[float64](o, out, in)
}

func (o *CrossEntropy) intInput(i int) bool { return i == 1 }

// Infer returns (N).
func (o *CrossEntropy) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantLabelled(o, in, "probabilities (N, C)"); err != nil {
		return nil, err
	}
	return in[1].Clone(), nil
}

// SymDiff returns CrossEntropyGrad(probs, labels, dloss); the labels have no gradient.
func (o *CrossEntropy) SymDiff(in gorgonia.Nodes, _, dloss *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&CrossEntropyGrad{}, in[0], in[1], dloss)
	return gorgonia.Nodes{g, nil}, err
}

func crossEntropy[T Float](o *CrossEntropy, out Array, in []Array) error {
	loss, p, labels, c := floats[T](out), floats[T](in[0]), in[1].Data.([]int), in[0].Shape[1]
	if err := CheckLabels(o.Kind(), labels, c); err != nil {
		return err
	}
	for n, label := range labels {
		loss[n] = T(-math.Log(clipProbability(float64(p[n*c+label]))))
	}
	return nil
}

// clipProbability hands NaN on.
func clipProbability(p float64) float64 {
	switch {
	case p < probabilityFloor:
		return probabilityFloor
	case p > 1-probabilityFloor:
		return 1 - probabilityFloor
	}
	return p
}

// CrossEntropyGrad is the gradient of CrossEntropy with respect to the probabilities: −dloss/p at the label, and 0
// elsewhere and where p was clipped. Inputs: probs (N, C), labels (N), int, dloss (N). Result: (N, C).
type CrossEntropyGrad struct{ salted }

func (o *CrossEntropyGrad) Kind() string   { return "CrossEntropyGrad" }
func (o *CrossEntropyGrad) String() string { return "CrossEntropyGrad" }
func (o *CrossEntropyGrad) Arity() int     { return 3 }
func (o *CrossEntropyGrad) Type() hm.Type {
	return signature(tensorType(2), labelType(), tensorType(1), tensorType(2))
}
func (o *CrossEntropyGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *CrossEntropyGrad) Hashcode() uint32      { return hashcode(o) }
func (o *CrossEntropyGrad) DiffWRT(int) []bool    { return []bool{true, false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *CrossEntropyGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *CrossEntropyGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *CrossEntropyGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return crossEntropyGrad[float32](o, out, in)
	}
	return crossEntropyGrad[float64](o, out, in)
}

func (o *CrossEntropyGrad) intInput(i int) bool { return i == 1 }

// Infer returns the shape of the probabilities.
func (o *CrossEntropyGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantLabelled(o, in, "probabilities (N, C)"), wantSame(o, in, 1, 2)); err != nil {
		return nil, err
	}
	return in[0].Clone(), nil
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *CrossEntropyGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func crossEntropyGrad[T Float](o *CrossEntropyGrad, out Array, in []Array) error {
	dp, p, labels, dloss, c := floats[T](out), floats[T](in[0]), in[1].Data.([]int), floats[T](in[2]), in[0].Shape[1]
	if err := CheckLabels(o.Kind(), labels, c); err != nil {
		return err
	}
	clear(dp)
	for n, label := range labels {
		at := n*c + label
		q := float64(p[at])
		if q < probabilityFloor || q > 1-probabilityFloor { // false for NaN, which is handed on
			continue
		}
		dp[at] = T(-float64(dloss[n]) / q)
	}
	return nil
}
