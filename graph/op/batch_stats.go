package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
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

// channelView is a tensor seen as (outer, channels, inner): element (i, c, j) lies at (i·channels + c)·inner + j.
type channelView struct{ outer, channels, inner int }

// perChannel is the number of elements a channel has.
func (v channelView) perChannel() int { return v.outer * v.inner }

// viewChannels splits s at axis; Infer has checked both.
func viewChannels(s tensor.Shape, axis int) channelView {
	if axis < 0 {
		axis += len(s)
	}
	return channelView{Len(s[:axis]), s[axis], Len(s[axis+1:])}
}

// wantChannels checks that input i has two axes or more, one of them axis.
func wantChannels(o Op, in []tensor.Shape, i, axis int) (channelView, error) {
	dims := len(in[i])
	if dims < 2 {
		return channelView{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "an input of two axes or more",
			Got: shape.Format(in[i]), Shapes: in, Remedy: "give it a batch axis and a channel axis"}
	}
	if err := wantFull(o, in, i, "an input"); err != nil {
		return channelView{}, err
	}
	if axis < -dims || axis >= dims {
		return channelView{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("Axis between %d and %d", -dims, dims-1),
			Got: fmt.Sprint(axis), Shapes: in, Remedy: "use -1 for channels last, 1 for channels first"}
	}
	return viewChannels(in[i], axis), nil
}

// wantPerChannel checks that the given inputs are vectors with one element a channel of input `of`.
func wantPerChannel(o Op, in []tensor.Shape, of, axis int, inputs ...channelInput) error {
	v, err := wantChannels(o, in, of, axis)
	if err != nil {
		return err
	}
	for _, p := range inputs {
		err := wantShape(o, in, p.index, tensor.Shape{v.channels}, p.what,
			fmt.Sprintf("it has one element a channel, and axis %d of input %d has the channels", axis, of))
		if err != nil {
			return err
		}
	}
	return nil
}

// channelInput is the index and the name of an input with one element a channel.
type channelInput struct {
	index int
	what  string
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
// Result: (C). Two passes over x make it exact where Σx²/M − mean² would cancel.
type BatchVariance struct {
	salted
	Axis int
}

// The derivative with respect to the mean is 0 at the batch's own mean.
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
