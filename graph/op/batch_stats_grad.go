package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// BatchMeanGrad is the gradient of BatchMean: dmean[c]/M in every element of channel c. Input: dmean (C). Result: Shape.
type BatchMeanGrad struct {
	salted
	Axis  int
	Shape tensor.Shape // of BatchMean's input
}

func (o *BatchMeanGrad) Kind() string { return "BatchMeanGrad" }
func (o *BatchMeanGrad) String() string {
	return fmt.Sprintf("BatchMeanGrad(axis %d, shape %s)", o.Axis, shape.Format(o.Shape))
}
func (o *BatchMeanGrad) Arity() int            { return 1 }
func (o *BatchMeanGrad) Type() hm.Type         { return signature(tensorType(1), tensorType(len(o.Shape))) }
func (o *BatchMeanGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchMeanGrad) Hashcode() uint32      { return hashcode(o) }
func (o *BatchMeanGrad) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchMeanGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchMeanGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchMeanGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchMeanGrad[float32](o, out, in)
	} else {
		batchMeanGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns Shape.
func (o *BatchMeanGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	// Shape is checked as if it were a second input, so that an error shows it.
	all := append(in[:len(in):len(in)], o.Shape)
	return o.Shape.Clone(), wantPerChannel(o, all, len(in), o.Axis, channelInput{0, "a gradient"})
}

// SymDiff returns BatchMean(d): the operation is linear.
func (o *BatchMeanGrad) SymDiff(_ gorgonia.Nodes, _, d *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&BatchMean{Axis: o.Axis}, d))
}

func batchMeanGrad[T Float](o *BatchMeanGrad, out Array, in []Array) {
	dx, dmean, v := floats[T](out), floats[T](in[0]), viewChannels(o.Shape, o.Axis)
	for i := range v.outer {
		for c := range v.channels {
			at := (i*v.channels + c) * v.inner
			setAll(dx[at:at+v.inner], T(float64(dmean[c])/float64(v.perChannel())))
		}
	}
}

// BatchVarianceGrad is the gradient of BatchVariance with respect to x: 2/M·(x − mean)·dvar. Inputs: x, mean (C), dvar
// (C). Result: the shape of x.
type BatchVarianceGrad struct {
	salted
	Axis int
}

func (o *BatchVarianceGrad) Kind() string   { return "BatchVarianceGrad" }
func (o *BatchVarianceGrad) String() string { return fmt.Sprintf("BatchVarianceGrad(axis %d)", o.Axis) }
func (o *BatchVarianceGrad) Arity() int     { return 3 }
func (o *BatchVarianceGrad) Type() hm.Type {
	return signature(typeVar(), anyType(), anyType(), typeVar())
}
func (o *BatchVarianceGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchVarianceGrad) Hashcode() uint32      { return hashcode(o) }
func (o *BatchVarianceGrad) DiffWRT(int) []bool    { return []bool{true, true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchVarianceGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchVarianceGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchVarianceGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchVarianceGrad[float32](o, out, in)
	} else {
		batchVarianceGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *BatchVarianceGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantPerChannel(o, in, 0, o.Axis, channelInput{1, "a mean"}, channelInput{2, "a gradient"})
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *BatchVarianceGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func batchVarianceGrad[T Float](o *BatchVarianceGrad, out Array, in []Array) {
	dx, x, v := floats[T](out), floats[T](in[0]), viewChannels(in[0].Shape, o.Axis)
	mean, dvar := floats[T](in[1]), floats[T](in[2])
	for i := range v.outer {
		for c := range v.channels {
			factor := 2 / float64(v.perChannel()) * float64(dvar[c])
			at := (i*v.channels + c) * v.inner
			for j := at; j < at+v.inner; j++ {
				dx[j] = T(factor * (float64(x[j]) - float64(mean[c])))
			}
		}
	}
}
