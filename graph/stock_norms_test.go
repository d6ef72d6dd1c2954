package graph_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
)

// normalised is batch norm's x̂ with the statistics of the batch, and 1/σ, by channel.
func normalised(x array, epsilon float64, mean, variance []float64) (xhat array, inverse []float64) {
	xhat, inverse = zeros(x.shape), make([]float64, len(mean))
	for c := range mean {
		inverse[c] = 1 / math.Sqrt(variance[c]+epsilon)
	}
	places(x.shape, func(i int, p []int) { xhat.x[i] = (x.x[i] - mean[p[1]]) * inverse[p[1]] })
	return xhat, inverse
}

// batchStats are mean and biased variance by channel.
func batchStats(x array) (mean, variance []float64) {
	c := x.shape[1]
	mean, variance = make([]float64, c), make([]float64, c)
	rows := float64(len(x.x) / c)
	places(x.shape, func(i int, p []int) { mean[p[1]] += x.x[i] / rows })
	places(x.shape, func(i int, p []int) { variance[p[1]] += (x.x[i] - mean[p[1]]) * (x.x[i] - mean[p[1]]) / rows })
	return mean, variance
}

// batchNorm is stock batch norm and its gradient; in evaluation with the running statistics of the operation, whose
// gradient is wrong in stock Gorgonia.
func batchNorm(t testing.TB, n *gorgonia.Node, x []array, evaluating bool) array {
	a := attrsOf(n.Op())
	o, ok := n.Op().(*gorgonia.BatchNormOp)
	if !ok {
		o = a.v.FieldByName("BatchNormOp").Interface().(*gorgonia.BatchNormOp)
	}
	mean, variance := batchStats(x[0])
	if evaluating {
		m, v := o.Stats()
		mean, variance = arrayOf(t, m.(gorgonia.Value)).x, arrayOf(t, v.(gorgonia.Value)).x
	}
	xhat, inverse := normalised(x[0], a.float("epsilon"), mean, variance)
	if ok {
		return xhat
	}
	dx, dy := zeros(x[0].shape), x[1]
	c := len(mean)
	rows := float64(len(dy.x) / c)
	sum, dot := make([]float64, c), make([]float64, c)
	if !evaluating {
		places(dy.shape, func(i int, p []int) { sum[p[1]] += dy.x[i]; dot[p[1]] += dy.x[i] * xhat.x[i] })
	}
	places(dy.shape, func(i int, p []int) {
		dx.x[i] = inverse[p[1]] * (dy.x[i] - sum[p[1]]/rows - xhat.x[i]*dot[p[1]]/rows)
	})
	return dx
}

// groupNorm is the groups' x̂ and, for a dy, the gradient of x.
func groupNorm(o gorgonia.Op, x array, dy []float64) (xhat, dx array) {
	xhat, dx = zeros(x.shape), zeros(x.shape)
	run := len(x.x) / x.shape[0] / attrsOf(o).int("numGroups")
	for lo := 0; lo < len(x.x); lo += run {
		mean, variance, sum, dot := 0.0, 0.0, 0.0, 0.0
		for _, v := range x.x[lo : lo+run] {
			mean += v / float64(run)
		}
		for _, v := range x.x[lo : lo+run] {
			variance += (v - mean) * (v - mean) / float64(run)
		}
		inverse := 1 / math.Sqrt(variance+attrsOf(o).float("epsilon"))
		for i := lo; i < lo+run; i++ {
			if xhat.x[i] = (x.x[i] - mean) * inverse; dy != nil {
				sum, dot = sum+dy[i], dot+dy[i]*xhat.x[i]
			}
		}
		for i := lo; dy != nil && i < lo+run; i++ {
			dx.x[i] = inverse * (dy[i] - sum/float64(run) - xhat.x[i]*dot/float64(run))
		}
	}
	return xhat, dx
}
