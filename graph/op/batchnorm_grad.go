package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BatchNormGradScale is the gradient of BatchNorm and of BatchNormInference with respect to gamma:
//
//	dgamma[c] = Σ dy·(x − mean)/√(variance + Epsilon) over channel c
//
// Inputs: x, mean (C), variance (C), dy of x's shape. Result: (C).
type BatchNormGradScale struct {
	salted
	Axis    int
	Epsilon float64
}

func (o *BatchNormGradScale) Kind() string { return "BatchNormGradScale" }
func (o *BatchNormGradScale) String() string {
	return fmt.Sprintf("BatchNormGradScale(axis %d, epsilon %v)", o.Axis, o.Epsilon)
}
func (o *BatchNormGradScale) Arity() int { return 4 }
func (o *BatchNormGradScale) Type() hm.Type {
	return signature(typeVar(), anyType(), anyType(), typeVar(), anyType())
}
func (o *BatchNormGradScale) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchNormGradScale) Hashcode() uint32      { return hashcode(o) }
func (o *BatchNormGradScale) DiffWRT(int) []bool    { return []bool{true, true, true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchNormGradScale) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchNormGradScale) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchNormGradScale) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchNormGradScale[float32](o, out, in)
	} else {
		batchNormGradScale[float64](o, out, in)
	}
	return nil
}

// Infer returns (C).
func (o *BatchNormGradScale) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[1].Clone(), first(
		wantPerChannel(o, in, 0, o.Axis, channelInput{1, "a mean"}, channelInput{2, "a variance"}),
		wantSame(o, in, 0, 3), wantEpsilon(o, in, o.Epsilon))
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *BatchNormGradScale) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func batchNormGradScale[T Float](o *BatchNormGradScale, out Array, in []Array) {
	dgamma, x, v := floats[T](out), floats[T](in[0]), viewChannels(in[0].Shape, o.Axis)
	mean, variance, dy := floats[T](in[1]), floats[T](in[2]), floats[T](in[3])
	for c := range v.channels {
		var sum float64
		for i := range v.outer {
			at := (i*v.channels + c) * v.inner
			for j := at; j < at+v.inner; j++ {
				sum += float64(dy[j]) * (float64(x[j]) - float64(mean[c]))
			}
		}
		dgamma[c] = T(sum * rstd(variance[c], o.Epsilon))
	}
}

// BatchNormGradInput is the gradient of BatchNorm with respect to x, with the paths through the batch's mean and
// variance:
//
//	dx = gamma·rstd·(dy − dbeta/M − xhat·dgamma/M)
//
// where rstd = 1/√(variance + Epsilon), xhat = (x − mean)·rstd and M is the number of elements a channel has. Inputs: x,
// gamma (C), mean (C), variance (C), dy of x's shape, dgamma (C) = BatchNormGradScale, dbeta (C) = BiasGrad(dy). Result:
// the shape of x. Ioffe & Szegedy 2015, section 3.
type BatchNormGradInput struct {
	salted
	Axis    int
	Epsilon float64
}

func (o *BatchNormGradInput) Kind() string { return "BatchNormGradInput" }
func (o *BatchNormGradInput) String() string {
	return fmt.Sprintf("BatchNormGradInput(axis %d, epsilon %v)", o.Axis, o.Epsilon)
}
func (o *BatchNormGradInput) Arity() int { return 7 }
func (o *BatchNormGradInput) Type() hm.Type {
	return signature(typeVar(), anyType(), anyType(), anyType(), typeVar(), anyType(), anyType(), typeVar())
}
func (o *BatchNormGradInput) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchNormGradInput) Hashcode() uint32      { return hashcode(o) }
func (o *BatchNormGradInput) DiffWRT(int) []bool {
	return []bool{true, true, true, true, true, true, true}
}

// Do computes the operation for Gorgonia's own machines.
func (o *BatchNormGradInput) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchNormGradInput) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchNormGradInput) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchNormGradInput[float32](o, out, in)
	} else {
		batchNormGradInput[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *BatchNormGradInput) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(
		wantPerChannel(o, in, 0, o.Axis, channelInput{1, "gamma"}, channelInput{2, "a mean"}, channelInput{3, "a variance"},
			channelInput{5, "dgamma"}, channelInput{6, "dbeta"}),
		wantSame(o, in, 0, 4), wantEpsilon(o, in, o.Epsilon))
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *BatchNormGradInput) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func batchNormGradInput[T Float](o *BatchNormGradInput, out Array, in []Array) {
	dx, x, v := floats[T](out), floats[T](in[0]), viewChannels(in[0].Shape, o.Axis)
	gamma, mean, variance := floats[T](in[1]), floats[T](in[2]), floats[T](in[3])
	dy, dgamma, dbeta := floats[T](in[4]), floats[T](in[5]), floats[T](in[6])
	count := float64(v.perChannel())
	for i := range v.outer {
		for c := range v.channels {
			r := rstd(variance[c], o.Epsilon)
			at := (i*v.channels + c) * v.inner
			for j := at; j < at+v.inner; j++ {
				xhat := (float64(x[j]) - float64(mean[c])) * r
				dx[j] = T(float64(gamma[c]) * r * (float64(dy[j]) - (float64(dbeta[c])+xhat*float64(dgamma[c]))/count))
			}
		}
	}
}
