package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxCrossEntropy is the cross entropy of Softmax(logits) against integer labels, one loss a row:
//
//	loss[n] = log Σ_c exp(logits[n,c]) − logits[n, labels[n]]
//
// Inputs: logits (N, C), labels (N), int, 0…C−1. Result: (N). It is exact for logits of any size. A row with a NaN has a
// NaN loss. A label out of range is an error that names the row (fast kernels, which cannot fail, return NaN for that
// row). Keras: losses.sparse_categorical_crossentropy(from_logits=True).
type SoftmaxCrossEntropy struct{ salted }

func (o *SoftmaxCrossEntropy) Kind() string   { return "SoftmaxCrossEntropy" }
func (o *SoftmaxCrossEntropy) String() string { return "SoftmaxCrossEntropy" }
func (o *SoftmaxCrossEntropy) Arity() int     { return 2 }
func (o *SoftmaxCrossEntropy) Type() hm.Type {
	return signature(tensorType(2), labelType(), tensorType(1))
}
func (o *SoftmaxCrossEntropy) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *SoftmaxCrossEntropy) Hashcode() uint32      { return hashcode(o) }
func (o *SoftmaxCrossEntropy) DiffWRT(int) []bool    { return []bool{true, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *SoftmaxCrossEntropy) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *SoftmaxCrossEntropy) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *SoftmaxCrossEntropy) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return softmaxCrossEntropy[float32](o, out, in)
	}
	return softmaxCrossEntropy[float64](o, out, in)
}

func (o *SoftmaxCrossEntropy) intInput(i int) bool { return i == 1 }

// labelType is a vector of class numbers.
func labelType() hm.Type { return gorgonia.TensorType{Dims: 1, Of: tensor.Int} }

// wantLabelled checks the first two inputs of losses and metrics: scores (N, C) and labels (N).
func wantLabelled(o Op, in []tensor.Shape, what string) error {
	if err := wantDims(o, in, 0, 2, what); err != nil {
		return err
	}
	return wantShape(o, in, 1, tensor.Shape{in[0][0]}, "labels", "give one class number a row, not one-hot vectors")
}

// CheckLabels returns an error that names the first row whose label is not in 0…classes−1. kind is the operation's name.
// Engines call it before their kernels, which cannot fail.
func CheckLabels(kind string, labels []int, classes int) error {
	for row, l := range labels {
		if l < 0 || l >= classes {
			return fmt.Errorf("op: %s: label of row %d is %d, want 0 to %d; check the data set's number of classes", kind,
				row, l, classes-1)
		}
	}
	return nil
}

// Infer returns (N).
func (o *SoftmaxCrossEntropy) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := wantLabelled(o, in, "logits (N, C)"); err != nil {
		return nil, err
	}
	return in[1].Clone(), nil
}

// SymDiff returns SoftmaxCrossEntropyGrad(logits, labels, dloss); the labels have no gradient.
func (o *SoftmaxCrossEntropy) SymDiff(in gorgonia.Nodes, _, dloss *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&SoftmaxCrossEntropyGrad{}, in[0], in[1], dloss)
	return gorgonia.Nodes{g, nil}, err
}

func softmaxCrossEntropy[T Float](o *SoftmaxCrossEntropy, out Array, in []Array) error {
	loss, x, labels, c := floats[T](out), floats[T](in[0]), in[1].Data.([]int), in[0].Shape[1]
	if err := CheckLabels(o.Kind(), labels, c); err != nil {
		return err
	}
	for n, label := range labels {
		row := x[n*c : (n+1)*c]
		top, sum := logSumParts(row)
		loss[n] = T(math.Log(sum) - (float64(row[label]) - top))
	}
	return nil
}

// SoftmaxCrossEntropyGrad is the gradient of SoftmaxCrossEntropy with respect to the logits:
//
//	dlogits[n,c] = (Softmax(logits)[n,c] − [c = labels[n]]) · dloss[n]
//
// Inputs: logits (N, C), labels (N), int, dloss (N). Result: (N, C).
type SoftmaxCrossEntropyGrad struct{ salted }

func (o *SoftmaxCrossEntropyGrad) Kind() string   { return "SoftmaxCrossEntropyGrad" }
func (o *SoftmaxCrossEntropyGrad) String() string { return "SoftmaxCrossEntropyGrad" }
func (o *SoftmaxCrossEntropyGrad) Arity() int     { return 3 }
func (o *SoftmaxCrossEntropyGrad) Type() hm.Type {
	return signature(tensorType(2), labelType(), tensorType(1), tensorType(2))
}
func (o *SoftmaxCrossEntropyGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *SoftmaxCrossEntropyGrad) Hashcode() uint32      { return hashcode(o) }
func (o *SoftmaxCrossEntropyGrad) DiffWRT(int) []bool    { return []bool{true, false, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *SoftmaxCrossEntropyGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *SoftmaxCrossEntropyGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *SoftmaxCrossEntropyGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		return softmaxCrossEntropyGrad[float32](o, out, in)
	}
	return softmaxCrossEntropyGrad[float64](o, out, in)
}

func (o *SoftmaxCrossEntropyGrad) intInput(i int) bool { return i == 1 }

// Infer returns the shape of the logits.
func (o *SoftmaxCrossEntropyGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantLabelled(o, in, "logits (N, C)"), wantSame(o, in, 1, 2)); err != nil {
		return nil, err
	}
	return in[0].Clone(), nil
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *SoftmaxCrossEntropyGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func softmaxCrossEntropyGrad[T Float](o *SoftmaxCrossEntropyGrad, out Array, in []Array) error {
	dx, x, labels, dloss, c := floats[T](out), floats[T](in[0]), in[1].Data.([]int), floats[T](in[2]), in[0].Shape[1]
	if err := CheckLabels(o.Kind(), labels, c); err != nil {
		return err
	}
	for n, label := range labels {
		row := x[n*c : (n+1)*c]
		top, sum := logSumParts(row)
		for i, v := range row {
			p := math.Exp(float64(v)-top) / sum
			if i == label {
				p--
			}
			dx[n*c+i] = T(p * float64(dloss[n]))
		}
	}
	return nil
}
