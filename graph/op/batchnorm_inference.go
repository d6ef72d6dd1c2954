package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BatchNormInference normalises each channel of x with fixed statistics, usually the running averages of training:
//
//	y = gamma·(x − mean)/√(variance + Epsilon) + beta
//
// Inputs: x of two axes or more, gamma, beta, mean, variance, all (C). Result: the shape of x. mean and variance are
// taken as constants of the cost: they have no gradient. Keras: layers.BatchNormalization(training=False).
type BatchNormInference struct {
	salted
	Axis    int
	Epsilon float64
}

func (o *BatchNormInference) Kind() string { return "BatchNormInference" }
func (o *BatchNormInference) String() string {
	return fmt.Sprintf("BatchNormInference(axis %d, epsilon %v)", o.Axis, o.Epsilon)
}
func (o *BatchNormInference) Arity() int { return 5 }
func (o *BatchNormInference) Type() hm.Type {
	return signature(typeVar(), anyType(), anyType(), anyType(), anyType(), typeVar())
}
func (o *BatchNormInference) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchNormInference) Hashcode() uint32      { return hashcode(o) }
func (o *BatchNormInference) DiffWRT(int) []bool    { return []bool{true, true, true, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchNormInference) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchNormInference) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchNormInference) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchNormInference[float32](o, out, in)
	} else {
		batchNormInference[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *BatchNormInference) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantNormalisable(o, in, o.Axis), wantEpsilon(o, in, o.Epsilon))
}

// SymDiff returns BatchNormInferenceGradInput, BatchNormGradScale and BiasGrad for x, gamma and beta.
func (o *BatchNormInference) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, gamma, mean, variance := in[0], in[1], in[3], in[4]
	dx, err := Apply(&BatchNormInferenceGradInput{Axis: o.Axis, Epsilon: o.Epsilon}, gamma, variance, dy)
	if err != nil {
		return nil, err
	}
	dgamma, err := Apply(&BatchNormGradScale{Axis: o.Axis, Epsilon: o.Epsilon}, x, mean, variance, dy)
	if err != nil {
		return nil, err
	}
	dbeta, err := Apply(&BiasGrad{Axis: o.Axis}, dy)
	return gorgonia.Nodes{dx, dgamma, dbeta, nil, nil}, err
}

func batchNormInference[T Float](o *BatchNormInference, out Array, in []Array) {
	normalise[T](o.Axis, o.Epsilon, out, in)
}

// BatchNormInferenceGradInput is the gradient of BatchNormInference with respect to x: gamma/√(variance + Epsilon)·dy.
// Inputs: gamma (C), variance (C), dy. Result: the shape of dy.
type BatchNormInferenceGradInput struct {
	salted
	Axis    int
	Epsilon float64
}

func (o *BatchNormInferenceGradInput) Kind() string { return "BatchNormInferenceGradInput" }
func (o *BatchNormInferenceGradInput) String() string {
	return fmt.Sprintf("BatchNormInferenceGradInput(axis %d, epsilon %v)", o.Axis, o.Epsilon)
}
func (o *BatchNormInferenceGradInput) Arity() int { return 3 }
func (o *BatchNormInferenceGradInput) Type() hm.Type {
	return signature(anyType(), anyType(), typeVar(), typeVar())
}
func (o *BatchNormInferenceGradInput) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchNormInferenceGradInput) Hashcode() uint32      { return hashcode(o) }
func (o *BatchNormInferenceGradInput) DiffWRT(int) []bool    { return []bool{true, true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchNormInferenceGradInput) Do(vs ...gorgonia.Value) (gorgonia.Value, error) {
	return do(o, vs)
}

// InferShape is Infer in Gorgonia's terms.
func (o *BatchNormInferenceGradInput) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchNormInferenceGradInput) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchNormInferenceGradInput[float32](o, out, in)
	} else {
		batchNormInferenceGradInput[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of dy.
func (o *BatchNormInferenceGradInput) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[2].Clone(), first(
		wantPerChannel(o, in, 2, o.Axis, channelInput{0, "gamma"}, channelInput{1, "a variance"}),
		wantEpsilon(o, in, o.Epsilon))
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *BatchNormInferenceGradInput) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func batchNormInferenceGradInput[T Float](o *BatchNormInferenceGradInput, out Array, in []Array) {
	dx, gamma, variance, dy := floats[T](out), floats[T](in[0]), floats[T](in[1]), floats[T](in[2])
	v := viewChannels(in[2].Shape, o.Axis)
	for i := range v.outer {
		for c := range v.channels {
			factor := float64(gamma[c]) * rstd(variance[c], o.Epsilon)
			at := (i*v.channels + c) * v.inner
			for j := at; j < at+v.inner; j++ {
				dx[j] = T(factor * float64(dy[j]))
			}
		}
	}
}
