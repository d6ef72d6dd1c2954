package onnx

import (
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// lrn is LRN, local response normalization across channels (Krizhevsky et al. 2012): x / (bias + alpha/size·Σ x²)^beta over size
// neighbouring channels. The mean over channels is an average pooling of the squares, channels as rows, zeros around them.
func lrn(c *call) {
	alpha, beta, bias, n := c.attrFloat("alpha", 1e-4), c.attrFloat("beta", 0.75), c.attrFloat("bias", 1), c.attrInt("size", 0)
	if !c.want(1, 1) {
		return
	}
	s := c.shape(0)
	if n < 1 || n > 1<<16 || len(s) < 3 {
		c.fail("", "wants (batch, channels, …) and a size of at least 1, has %s and %d", format(s), n)
		return
	}
	x := op.Try(c.x(0), c.err)
	if c.err != nil {
		return
	}
	squares := x.Square().Reshape(s[0], 1, s[1], size(s[2:]))
	before, after := split(n-1, false)
	squares = squares.Apply(&op.ZeroPad2D{Top: before, Bottom: after, Format: shape.NCHW}).
		Apply(&op.AvgPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{n, 1}, Strides: [2]int{1, 1}, Format: shape.NCHW}}).Reshape(s...)
	c.result(x.Mul(squares.Mul(op.Number(alpha)).Add(op.Number(bias)).Pow(op.Number(-beta))))
}

// instanceNormalization is InstanceNormalization: each channel of each image by its own mean and variance.
func instanceNormalization(c *call) {
	epsilon := c.attrFloat("epsilon", 1e-5)
	if !c.want(3, 3) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 {
		c.fail("", "wants (batch, channels, …), has %s", format(s))
		return
	}
	x, scale, shift := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err), op.Try(c.param(2), c.err)
	if c.err != nil {
		return
	}
	perChannel := append([]int{1, s[1]}, onesBehind(s)[2:]...)
	axes := []int{}
	for i := 2; i < len(s); i++ {
		axes = append(axes, i)
	}
	y, _, _ := normalized(x, axes, epsilon)
	c.result(y.Mul(scale.Reshape(perChannel...)).Add(shift.Reshape(perChannel...)))
}

// normalized has mean 0 and variance 1 over axes; it returns what x was shifted and scaled by, too.
func normalized(x op.Expr, axes []int, epsilon float64) (y, mean, inverse op.Expr) {
	mean = x.MeanKeep(axes...)
	centred := x.Sub(mean)
	inverse = centred.Square().MeanKeep(axes...).Add(op.Number(epsilon)).InverseSqrt()
	return centred.Mul(inverse), mean, inverse
}

// layerNormalization is LayerNormalization over all axes from one on.
func layerNormalization(c *call) {
	at, epsilon := c.attrInt("axis", -1), c.attrFloat("epsilon", 1e-5)
	c.ignore("stash_type")
	if !c.want(2, 3) {
		return
	}
	s := c.shape(0)
	at = c.axis(at, len(s))
	axes := []int{}
	for i := at; i < len(s); i++ {
		axes = append(axes, i)
	}
	x, scale := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err)
	if c.err != nil || len(s) == 0 {
		return
	}
	if len(s) > 1 && at == len(s)-1 && len(c.out) == 1 && c.isVector(1, s[at]) && (!c.has(2) || c.isVector(2, s[at])) {
		o, more := &op.LayerNorm{Epsilon: epsilon, NoShift: !c.has(2)}, []op.Expr{scale}
		if c.has(2) {
			more = append(more, op.Try(c.param(2), c.err))
		}
		c.result(x.Apply(o, more...))
		return
	}
	y, mean, inverse := normalized(x, axes, epsilon)
	y = y.Mul(scale)
	if c.has(2) {
		y = y.Add(op.Try(c.param(2), c.err))
	}
	c.result(y)
	c.resultAt(1, mean)
	c.resultAt(2, inverse)
}

// batchNormalization normalizes with the statistics of the file, in training too: fine-tuning takes them as they are. A model of
// package nn has them move (see Graph.Model).
func batchNormalization(c *call) {
	epsilon := c.attrFloat("epsilon", 1e-5)
	c.ignore("momentum", "is_test")
	if c.attrInt("spatial", 1) != 1 {
		c.fail("", "spatial = 0 is not supported")
	}
	if c.attrFlag("training_mode", false) {
		c.fail("export the model for inference", "training_mode is not supported")
	}
	if !c.want(5, 5) {
		return
	}
	c.set(c.op(&op.BatchNormInference{Axis: 1, Epsilon: epsilon}, c.x(0), c.param(1), c.param(2), c.statistic(3), c.statistic(4)))
}

// groupNormalization is GroupNormalization: groups of channels of each image by their own mean and variance. Scale and shift are one a
// channel since version 21, one a group before.
func groupNormalization(c *call) {
	groups, epsilon := c.attrInt("num_groups", 0), c.attrFloat("epsilon", 1e-5)
	c.ignore("stash_type")
	if !c.want(3, 3) {
		return
	}
	s := c.shape(0)
	if len(s) < 3 || groups < 1 || s[1]%groups != 0 {
		c.fail("", "num_groups %d doesn't suit %s", groups, format(s))
		return
	}
	x, scale, shift := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err), op.Try(c.param(2), c.err)
	if c.err != nil {
		return
	}
	y, _, _ := normalized(x.Reshape(s[0], groups, size(s[1:])/groups), []int{2}, epsilon)
	perChannel := append([]int{1, s[1]}, onesBehind(s)[2:]...)
	vector := func(v op.Expr) op.Expr {
		if v.Err() == nil && size(v.Shape()) == groups && groups != s[1] {
			v = v.Reshape(groups, 1).BroadcastTo(groups, s[1]/groups)
		}
		return v.Reshape(perChannel...)
	}
	c.result(y.Reshape(s...).Mul(vector(scale)).Add(vector(shift)))
}

// rmsNormalization is RMSNormalization: divided by the root of the mean of squares over all axes from one on.
func rmsNormalization(c *call) {
	at, epsilon := c.attrInt("axis", -1), c.attrFloat("epsilon", 1e-5)
	c.ignore("stash_type")
	if !c.want(2, 2) {
		return
	}
	s := c.shape(0)
	at = c.axis(at, len(s))
	axes := []int{}
	for i := at; i < len(s); i++ {
		axes = append(axes, i)
	}
	x, scale := op.Try(c.x(0), c.err), op.Try(c.param(1), c.err)
	if c.err == nil && len(s) > 0 {
		c.result(x.Mul(x.Square().MeanKeep(axes...).Add(op.Number(epsilon)).InverseSqrt()).Mul(scale))
	}
}

// meanVarianceNormalization is MeanVarianceNormalization, by default of each channel over batch and image.
func meanVarianceNormalization(c *call) {
	axes := c.attrInts("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	if !c.want(1, 1) {
		return
	}
	axes = c.axes(axes, len(c.shape(0)))
	if x := op.Try(c.x(0), c.err); c.err == nil {
		y, _, _ := normalized(x, axes, 1e-9)
		c.result(y)
	}
}
