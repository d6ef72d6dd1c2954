package enginetest

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// netCases are small nets with every kind of step of the real ones: their plans are fused, reuse memory and update
// variables in place.
func netCases() []Case {
	return []Case{
		{Name: "residual net with momentum", Runs: 3, Build: func(b *B) { residualNet(b, shape.NHWC) }},
		{Name: "residual net with momentum NCHW", Runs: 3, Build: func(b *B) { residualNet(b, shape.NCHW) }},
	}
}

// residualNet is stem, residual block with projection, pooling and classifier, with L2 penalties and momentum.
func residualNet(b *B, f shape.Layout) {
	const n, h, w, classes = 4, 9, 9, 7
	_, _, axis := f.Axes()
	lr := b.Scalar("lr", 0.05)
	var params []*gorgonia.Node
	param := func(name string, dims ...int) *gorgonia.Node {
		p := b.Input(name, dims...)
		params = append(params, p)
		return p
	}
	conv := func(name string, x *gorgonia.Node, k, cin, cout, stride int) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int{stride, stride}, Padding: same, Format: f}}, x,
			param(name+"/kernel", k, k, cin, cout))
	}
	norm := func(name string, x *gorgonia.Node, c int) *gorgonia.Node {
		y, mean, variance, err := op.BatchNormTraining(x, param(name+"/gamma", c), param(name+"/beta", c), axis, 1e-3)
		if err != nil {
			b.T.Fatal(err)
		}
		mm, mv := b.Input(name+"/moving_mean", c), b.Positive(name+"/moving_variance", c)
		b.Update(mm, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1}, mm, mean))
		b.Update(mv, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1}, mv, variance))
		return y
	}
	x := b.Input("image", image(f, n, h, w, 3)...)
	a := b.Apply(&op.ReLU{}, norm("bn1", conv("conv1", x, 3, 3, 8, 1), 8))
	a = b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: same, Format: f}}, a)
	left := b.Apply(&op.ReLU{}, norm("bn2a", conv("conv2a", a, 1, 8, 4, 1), 4))
	left = norm("bn2b", conv("conv2b", left, 3, 4, 16, 2), 16)
	right := norm("bn2s", conv("conv2s", a, 1, 8, 16, 2), 16)
	a = b.Apply(&op.ReLU{}, b.Apply(&op.Add{}, left, right))
	c := norm("bn3", conv("conv3", a, 3, 16, 16, 1), 16)
	a = b.Apply(&op.ReLU{}, b.Apply(&op.Add{}, c, a))
	pooled := b.Apply(&op.GlobalAvgPool2D{Format: f}, a)
	kernel := param("dense/kernel", 16, classes)
	logits := b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.MatMul{}, pooled, kernel), param("dense/bias", classes))
	labels := b.Labels("labels", n, classes)
	loss := b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, logits, labels))
	b.Want("loss", numtest.Gradient, loss)
	b.Want("logits", numtest.Gradient, logits)
	cost := b.Apply(&op.Add{}, loss, b.Apply(&op.L2Penalty{Lambda: 1e-2}, kernel))
	cost = b.Apply(&op.Add{}, cost, b.Apply(&op.L2Penalty{Lambda: 1e-2}, params[0]))
	grads, err := gorgonia.Grad(cost, params...)
	if err != nil {
		b.T.Fatal(err)
	}
	for i, p := range params {
		v := b.zeros(p.Name()+"/velocity", p.Shape()...)
		next := b.Apply(&op.Momentum{Momentum: 0.9}, v, grads[i], lr)
		b.Update(v, next)
		b.Update(p, b.Apply(&op.Add{}, p, next))
	}
}

func (b *B) zeros(name string, dims ...int) *gorgonia.Node {
	return b.Filled(name, make([]float32, op.Len(tensor.Shape(dims))), dims...)
}
