package op

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BatchNorm normalises each channel of x with the batch's own statistics, for training:
//
//	y = gamma·(x − mean)/√(variance + Epsilon) + beta
//
// Inputs: x of two axes or more, gamma, beta, mean, variance, all (C), where mean and variance must be BatchMean(x) and
// BatchVariance(x, mean). Result: the shape of x. Epsilon is literal (Keras's default is 1e-3). [BatchNormTraining] puts
// the three operations together; [BatchNormInference] is the form for fixed statistics.
//
// The gradient with respect to x contains the paths through mean and variance, so these two have none of their own: that
// is one operation instead of a dozen. Ioffe & Szegedy 2015; Keras: layers.BatchNormalization.
type BatchNorm struct {
	salted
	Axis    int
	Epsilon float64
}

func (o *BatchNorm) Kind() string { return "BatchNorm" }
func (o *BatchNorm) String() string {
	return fmt.Sprintf("BatchNorm(axis %d, epsilon %v)", o.Axis, o.Epsilon)
}
func (o *BatchNorm) Arity() int { return 5 }
func (o *BatchNorm) Type() hm.Type {
	return signature(typeVar(), anyType(), anyType(), anyType(), anyType(), typeVar())
}
func (o *BatchNorm) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *BatchNorm) Hashcode() uint32      { return hashcode(o) }
func (o *BatchNorm) DiffWRT(int) []bool    { return []bool{true, true, true, false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *BatchNorm) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *BatchNorm) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *BatchNorm) Reference(out Array, in []Array) error {
	if single(in[0]) {
		batchNorm[float32](o, out, in)
	} else {
		batchNorm[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *BatchNorm) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantNormalisable(o, in, o.Axis), wantEpsilon(o, in, o.Epsilon))
}

// wantNormalisable checks x, gamma, beta, mean, variance.
func wantNormalisable(o Op, in []tensor.Shape, axis int) error {
	return wantPerChannel(o, in, 0, axis, channelInput{1, "gamma"}, channelInput{2, "beta"}, channelInput{3, "a mean"},
		channelInput{4, "a variance"})
}

// wantEpsilon refuses a negative or NaN epsilon. Zero is allowed: it is what a float64 check may want.
func wantEpsilon(o Op, in []tensor.Shape, epsilon float64) error {
	return wantAttribute(o, in, epsilon >= 0, "Epsilon of at least 0", epsilon, "Keras uses 1e-3, and 1e-7 in Adam")
}

// SymDiff returns BatchNormGradInput, BatchNormGradScale and BiasGrad for x, gamma and beta. An engine may recognise
// the three as siblings.
func (o *BatchNorm) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, gamma, mean, variance := in[0], in[1], in[3], in[4]
	dbeta, err := Apply(&BiasGrad{Axis: o.Axis}, dy)
	if err != nil {
		return nil, err
	}
	dgamma, err := Apply(&BatchNormGradScale{Axis: o.Axis, Epsilon: o.Epsilon}, x, mean, variance, dy)
	if err != nil {
		return nil, err
	}
	dx, err := Apply(&BatchNormGradInput{Axis: o.Axis, Epsilon: o.Epsilon}, x, gamma, mean, variance, dy, dgamma, dbeta)
	return gorgonia.Nodes{dx, dgamma, dbeta, nil, nil}, err
}

func batchNorm[T Float](o *BatchNorm, out Array, in []Array) {
	normalise[T](o.Axis, o.Epsilon, out, in)
}

// normalise is BatchNorm and BatchNormInference alike.
func normalise[T Float](axis int, epsilon float64, out Array, in []Array) {
	y, x, v := floats[T](out), floats[T](in[0]), viewChannels(in[0].Shape, axis)
	gamma, beta, mean, variance := floats[T](in[1]), floats[T](in[2]), floats[T](in[3]), floats[T](in[4])
	for i := range v.outer {
		for c := range v.channels {
			factor, m, shift := float64(gamma[c])*rstd(variance[c], epsilon), float64(mean[c]), float64(beta[c])
			at := (i*v.channels + c) * v.inner
			for j := at; j < at+v.inner; j++ {
				y[j] = T((float64(x[j])-m)*factor + shift)
			}
		}
	}
}

// rstd is the reciprocal standard deviation.
func rstd[T Float](variance T, epsilon float64) float64 {
	return 1 / math.Sqrt(float64(variance)+epsilon)
}

// BatchNormTraining normalises x along all axes but axis with the batch's own mean and variance, and returns these too:
// a running average of each is an [Update] with a [MovingAverage]. Shapes: x of two axes or more; gamma, beta, mean and
// variance (C).
func BatchNormTraining(x, gamma, beta *gorgonia.Node, axis int, epsilon float64) (y, mean, variance *gorgonia.Node, err error) {
	if mean, err = Apply(&BatchMean{Axis: axis}, x); err != nil {
		return nil, nil, nil, err
	}
	if variance, err = Apply(&BatchVariance{Axis: axis}, x, mean); err != nil {
		return nil, nil, nil, err
	}
	if y, err = Apply(&BatchNorm{Axis: axis, Epsilon: epsilon}, x, gamma, beta, mean, variance); err != nil {
		return nil, nil, nil, err
	}
	return y, mean, variance, nil
}
