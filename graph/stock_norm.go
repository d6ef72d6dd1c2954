package graph

import (
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// moments are the statistics that a stock batch norm and its gradient share.
type moments struct{ x, mean, variance *Value }

// batchNormAxis is the channel axis of stock Gorgonia's batch norm.
const batchNormAxis = 1

// lowerBatchNorm splits stock batch norm into statistics, which are values, and the normalisation; the running averages
// become updates of the operation's own tensors. Whether it trains is the machine's mode, not the operation's.
func lowerBatchNorm(l *lowering, a attributes) *Value {
	x, epsilon := l.in[0], a.float("epsilon")
	o, ok := l.n.Op().(*gorgonia.BatchNormOp)
	if !ok || !isFloat(x.Dtype) || len(x.Shape) < 2 {
		return nil
	}
	running := l.runningStats(o, x)
	if running == nil {
		return nil
	}
	c := x.Shape[batchNormAxis]
	gamma, beta := l.filled(x.Dtype, 1, c), l.filled(x.Dtype, 0, c)
	if l.c.evaluating {
		return l.emit(&op.BatchNormInference{Axis: batchNormAxis, Epsilon: epsilon}, x, gamma, beta, running.mean, running.variance)
	}
	m := l.batchMoments(o, x)
	y := l.emit(&op.BatchNorm{Axis: batchNormAxis, Epsilon: epsilon}, x, gamma, beta, m.mean, m.variance)
	if y == nil {
		return nil
	}
	rows := x.Len() / c
	unbiased := 1.0 // stock Gorgonia divides by 0 for a channel of one element; the running average takes the biased 0
	if rows > 1 {
		unbiased = float64(rows) / float64(rows-1)
	}
	momentum := a.float("momentum") // of the new value, unlike Keras's
	l.c.prog.update(running.mean, l.emit(&op.MovingAverage{Momentum: 1 - momentum, Factor: 1}, running.mean, m.mean))
	l.c.prog.update(running.variance, l.emit(&op.MovingAverage{Momentum: 1 - momentum, Factor: unbiased}, running.variance, m.variance))
	return y
}

// batchMoments returns mean and biased variance of x, computed once for the operation and its gradient.
func (l *lowering) batchMoments(o *gorgonia.BatchNormOp, x *Value) *moments {
	if m := l.c.moments[o]; m != nil && m.x == x {
		return m
	}
	m := &moments{x: x, mean: l.emit(&op.BatchMean{Axis: batchNormAxis}, x)}
	m.variance = l.emit(&op.BatchVariance{Axis: batchNormAxis}, x, m.mean)
	l.c.moments[o] = m
	return m
}

// runningStats returns the operation's running averages as inputs that are fed from its own tensors. Statistics that
// nothing ever moved start at mean 0 and variance 1.
func (l *lowering) runningStats(o *gorgonia.BatchNormOp, x *Value) *moments {
	if m := l.c.running[o]; m != nil {
		return m
	}
	mean, variance := o.Stats()
	means, err := op.AsArray(mean.(gorgonia.Value))
	variances, err2 := op.AsArray(variance.(gorgonia.Value))
	if err != nil || err2 != nil {
		return nil
	}
	input := func(name string, t tensor.Tensor) *Value {
		v := l.c.prog.newValue(l.out.Name+" "+name, t.Shape().Clone(), t.Dtype(), nil)
		v.Input = true
		v.source = func() (gorgonia.Value, error) {
			if allZero(variances) && allZero(means) { // now and not when the machine is made: another one may be running
				fillOnes(variances)
			}
			return t.(gorgonia.Value), nil
		}
		return v
	}
	for _, t := range []tensor.Tensor{mean, variance} {
		if t.Dtype() != x.Dtype || t.Shape().TotalSize() != x.Shape[batchNormAxis] {
			return nil
		}
	}
	m := &moments{mean: input("running mean", mean), variance: input("running variance", variance)}
	l.c.running[o] = m
	return m
}

func allZero(a op.Array) bool {
	switch d := a.Data.(type) {
	case []float32:
		for _, v := range d {
			if v != 0 {
				return false
			}
		}
	case []float64:
		for _, v := range d {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

func fillOnes(a op.Array) {
	switch d := a.Data.(type) {
	case []float32:
		for i := range d {
			d[i] = 1
		}
	case []float64:
		for i := range d {
			d[i] = 1
		}
	}
}

// lowerBatchNormGrad takes x, dy. The operation embeds the BatchNormOp whose gradient it is.
func lowerBatchNormGrad(l *lowering, a attributes) *Value {
	x, dy := l.in[0], l.in[1]
	o, ok := embedded[gorgonia.BatchNormOp](a, "BatchNormOp")
	if !ok || !isFloat(x.Dtype) || len(x.Shape) < 2 {
		return nil
	}
	c, epsilon := x.Shape[batchNormAxis], a.float("epsilon")
	gamma := l.filled(x.Dtype, 1, c)
	if l.c.evaluating {
		running := l.runningStats(o, x)
		if running == nil {
			return nil
		}
		return l.emit(&op.BatchNormInferenceGradInput{Axis: batchNormAxis, Epsilon: epsilon}, gamma, running.variance, dy)
	}
	m := l.batchMoments(o, x)
	dgamma := l.emit(&op.BatchNormGradScale{Axis: batchNormAxis, Epsilon: epsilon}, x, m.mean, m.variance, dy)
	dbeta := l.emit(&op.BiasGrad{Axis: batchNormAxis}, dy)
	return l.emit(&op.BatchNormGradInput{Axis: batchNormAxis, Epsilon: epsilon}, x, gamma, m.mean, m.variance, dy, dgamma, dbeta)
}

func lowerGroupNorm(l *lowering, a attributes) *Value {
	return l.emit(&ir.GroupNorm{Groups: a.int("numGroups"), Epsilon: a.float("epsilon")}, l.in[0])
}

// lowerGroupNormGrad takes x, dy.
func lowerGroupNormGrad(l *lowering, a attributes) *Value {
	return l.emit(&ir.GroupNormGrad{Groups: a.int("numGroups"), Epsilon: a.float("epsilon")}, l.in[0], l.in[1])
}

// finiteRate says whether p can be the rate of a dropout.
func finiteRate(p float64) bool { return p >= 0 && p < 1 && !math.IsNaN(p) }
