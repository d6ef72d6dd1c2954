package op

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MovingAverage is Momentum·moving + (1 − Momentum)·Factor·batch: the next running average of a batch statistic, to be
// assigned with an [Update]. Inputs: moving, batch, of one shape. Factor is literal: 1 takes the batch's value as it is,
// M/(M−1) makes an unbiased variance of a biased one. It has no derivative: the running averages are not part of a
// cost. Keras: the moving_mean and moving_variance of layers.BatchNormalization.
type MovingAverage struct {
	salted
	Momentum float64
	Factor   float64
}

func (o *MovingAverage) Kind() string { return "MovingAverage" }
func (o *MovingAverage) String() string {
	return fmt.Sprintf("MovingAverage(momentum %v, factor %v)", o.Momentum, o.Factor)
}
func (o *MovingAverage) Arity() int            { return 2 }
func (o *MovingAverage) Type() hm.Type         { return sameType(2) }
func (o *MovingAverage) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *MovingAverage) Hashcode() uint32      { return hashcode(o) }
func (o *MovingAverage) DiffWRT(int) []bool    { return []bool{false, false} }

// Do computes the operation for Gorgonia's own machines.
func (o *MovingAverage) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *MovingAverage) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *MovingAverage) Reference(out Array, in []Array) error {
	if single(in[0]) {
		movingAverage[float32](o, out, in)
	} else {
		movingAverage[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape.
func (o *MovingAverage) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantFull(o, in, 0, "a running average"), wantSame(o, in, 0, 1))
}

// SymDiff returns an error: running averages have no derivative.
func (o *MovingAverage) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return notDifferentiable(o)
}

func movingAverage[T Float](o *MovingAverage, out Array, in []Array) {
	y, moving, batch := floats[T](out), floats[T](in[0]), floats[T](in[1])
	for i := range y {
		y[i] = T(o.Momentum*float64(moving[i]) + (1-o.Momentum)*o.Factor*float64(batch[i]))
	}
}
