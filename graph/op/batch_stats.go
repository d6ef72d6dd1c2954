package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BatchMean is the mean of x over all axes but Axis: one number a channel. x has two axes or more; Axis counts from the
// end if negative (-1 for NHWC, 1 for NCHW). Result: (C). Ioffe & Szegedy 2015, algorithm 1.
type BatchMean struct {
	ranked
	Axis int
}

func (o *BatchMean) Kind() string          { return "BatchMean" }
func (o *BatchMean) String() string        { return fmt.Sprintf("BatchMean(axis %d)", o.Axis) }
func (o *BatchMean) Arity() int            { return 1 }
func (o *BatchMean) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchMean) Hashcode() uint32      { return hashcode(o) }
func (o *BatchMean) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchMean) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchMean) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchMean) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchMean[float32](o, out, in)
	} else {
		batchMean[float64](o, out, in)
	}
	return nil
}

// Infer returns (C).
func (o *BatchMean) Infer(in []tensor.Shape) (tensor.Shape, error) {
	v, err := wantChannels(o, in, 0, o.Axis)
	return tensor.Shape{v.channels}, err
}

// SymDiff returns BatchMeanGrad(dy). It is used only where the mean itself enters a cost: BatchNorm's gradient
// contains the path through the mean already.
func (o *BatchMean) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&BatchMeanGrad{Axis: o.Axis, Shape: in[0].Shape().Clone()}, dy))
}

func batchMean[T Float](o *BatchMean, out Array, in []Array) {
	y, x, v := floats[T](out), floats[T](in[0]), viewChannels(in[0].Shape, o.Axis)
	for c := range v.channels {
		var sum float64
		for i := range v.outer {
			at := (i*v.channels + c) * v.inner
			sum += total(x[at : at+v.inner])
		}
		y[c] = T(sum / float64(v.perChannel()))
	}
}

// BatchVariance is the variance of x over all axes but Axis, given the batch's mean:
//
//	variance[c] = Σ (x − mean[c])² / M,  M = elements a channel has
//
// It is the biased form, as in Ioffe & Szegedy 2015, algorithm 1, and in Keras. Inputs: x, mean (C) = BatchMean(x).
// Result: (C). The derivative with respect to mean is 0 there. Two passes over x make it exact where Σx²/M − mean² would cancel.
type BatchVariance struct {
	salted
	Axis int
}

func (o *BatchVariance) Kind() string          { return "BatchVariance" }
func (o *BatchVariance) String() string        { return fmt.Sprintf("BatchVariance(axis %d)", o.Axis) }
func (o *BatchVariance) Arity() int            { return 2 }
func (o *BatchVariance) Type() hm.Type         { return signature(typeVar(), anyType(), anyType()) }
func (o *BatchVariance) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchVariance) Hashcode() uint32      { return hashcode(o) }
func (o *BatchVariance) DiffWRT(int) []bool    { return []bool{true, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchVariance) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchVariance) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchVariance) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchVariance[float32](o, out, in)
	} else {
		batchVariance[float64](o, out, in)
	}
	return nil
}

// Infer returns (C).
func (o *BatchVariance) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[1].Clone(), wantPerChannel(o, in, 0, o.Axis, channelInput{1, "a mean"})
}

// SymDiff returns BatchVarianceGrad(x, mean, dy). It is used only where the variance itself enters a cost.
func (o *BatchVariance) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	g, err := Apply(&BatchVarianceGrad{Axis: o.Axis}, in[0], in[1], dy)
	return gorgonia.Nodes{g, nil}, err
}

func batchVariance[T Float](o *BatchVariance, out Array, in []Array) {
	y, x, mean, v := floats[T](out), floats[T](in[0]), floats[T](in[1]), viewChannels(in[0].Shape, o.Axis)
	for c := range v.channels {
		var sum float64
		for i := range v.outer {
			at := (i*v.channels + c) * v.inner
			for _, e := range x[at : at+v.inner] {
				d := float64(e) - float64(mean[c])
				sum += d * d
			}
		}
		y[c] = T(sum / float64(v.perChannel()))
	}
}
