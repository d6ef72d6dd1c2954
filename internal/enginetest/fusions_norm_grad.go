package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// normGradByHand are the steps of the backward pass of a batch norm of x with attributes of the caller's choice.
func (b *B) normGradByHand(dy, x, gamma, mean, variance *gorgonia.Node, shiftAxis int, epsilon float64) {
	dbeta := b.Apply(&op.BiasGrad{Axis: shiftAxis}, dy)
	dgamma := b.out(b.Apply(&op.BatchNormGradScale{Axis: 1, Epsilon: 1e-3}, x, mean, variance, dy))
	b.out(b.Apply(&op.BatchNormGradInput{Axis: 1, Epsilon: epsilon}, x, gamma, mean, variance, dy, dgamma, dbeta))
}

func batchNormGradFusions() []FusionCase {
	const pass = "batch-norm-grad"
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	z := func(b *B) *gorgonia.Node { return b.Input("z", 5, 2, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	add := func(b *B, y, z *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, y, z) }
	byHand := func(b *B, shiftAxis int, epsilon float64) {
		dy := b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), b.Input("dr", 3, 3))
		b.normGradByHand(dy, b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("mean", 3), b.Positive("variance", 3), shiftAxis, epsilon)
	}
	// twice reads y in two ways, so that its gradient is a sum.
	twice := func(b *B, y *gorgonia.Node) *gorgonia.Node {
		return add(b, b.Apply(&op.Mul{}, y, b.Input("r", 5, 2, 3)), b.Apply(&op.Scale{Factor: 2}, y))
	}
	return []FusionCase{
		fusion(pass, "without ReLU", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(n.y, n.x, n.gamma, n.beta)
		}, []string{"BatchNormSums"}, "ReLUGrad"),
		fusion(pass, "through a ReLU", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.x, n.gamma, n.beta)
		}, []string{"ReLUGrad+BatchNormSums", "ReLUGrad+BatchNormGradInput"}, "ReLUGrad("),
		fusion(pass, "the gradient of x is not wanted", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.gamma, n.beta)
		}, []string{"ReLUGrad+BatchNormSums"}, "BatchNormGradInput", "ReLUGrad("),
		fusion(pass, "inference", func(b *B) {
			gamma, beta := b.Input("gamma", 3), b.Input("beta", 3)
			y := b.Apply(&op.BatchNormInference{Axis: 2, Epsilon: 1e-3}, x(b), gamma, beta, b.Input("mean", 3), b.Positive("variance", 3))
			b.Grads(relu(b, y), gamma, beta)
		}, []string{"ReLUGrad+BatchNormSums"}, "ReLUGrad("),
		fusion(pass, "the residual path reads the masked gradient", func(b *B) {
			n, z := b.norm("bn", x(b), 1e-3), z(b)
			b.Grads(relu(b, add(b, n.y, z)), n.x, n.gamma, n.beta, z)
		}, []string{"BatchNormSums", "ReLUGrad("}, "ReLUGrad+"),
		fusion(pass, "two batch norms share the gradient", func(b *B) {
			n, m := b.norm("bn", x(b), 1e-3), b.norm("second", z(b), 1e-3)
			b.Grads(relu(b, add(b, n.y, m.y)), n.x, n.gamma, n.beta, m.x, m.gamma, m.beta)
		}, []string{"BatchNormSums", "ReLUGrad("}, "ReLUGrad+"),
		fusion(pass, "the masked gradient is a sum that the residual path reads", func(b *B) {
			n, z := b.norm("bn", x(b), 1e-3), z(b)
			b.Grads(twice(b, relu(b, add(b, n.y, z))), n.x, n.gamma, n.beta, z)
		}, []string{"Add+ReLUGrad+BatchNormSums"}, " ReLUGrad("),
		fusion(pass, "two batch norms share a sum", func(b *B) {
			n, m := b.norm("bn", x(b), 1e-3), b.norm("second", z(b), 1e-3)
			b.Grads(twice(b, relu(b, add(b, n.y, m.y))), n.x, n.gamma, n.beta, m.x, m.gamma, m.beta)
		}, []string{"Add+ReLUGrad+BatchNormSums", "BatchNormGradScale"}, " ReLUGrad("),
		fusion(pass, "the masked sum is wanted", func(b *B) {
			dy := b.out(b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), add(b, b.Input("p", 3, 3), b.Input("q", 3, 3))))
			b.normGradByHand(dy, b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("mean", 3), b.Positive("variance", 3), 1, 1e-3)
		}, []string{"Add+ReLUGrad+BatchNormSums"}, " ReLUGrad("),
		fusion(pass, "the sum is wanted", func(b *B) {
			sum := b.out(add(b, b.Input("p", 3, 3), b.Input("q", 3, 3)))
			dy := b.out(b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), sum))
			b.normGradByHand(dy, b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("mean", 3), b.Positive("variance", 3), 1, 1e-3)
		}, []string{" BatchNormSums", " ReLUGrad("}, "Add+"),
		fusion(pass, "another epsilon", func(b *B) { byHand(b, 1, 1e-2) }, []string{"BatchNormSums", "ReLUGrad("}, "ReLUGrad+"),
		fusion(pass, "by hand", func(b *B) { byHand(b, -1, 1e-3) }, []string{"ReLUGrad+BatchNormSums", "ReLUGrad+BatchNormGradInput"}, "ReLUGrad("),
		fusion(pass, "sum over another axis", func(b *B) { byHand(b, 0, 1e-3) }, nil),
		fusion(pass, "x is made from the sum of the gradient", func(b *B) {
			dy := b.Input("dy", 4, 3)
			in := b.Apply(&op.BiasAdd{Axis: 1}, b.Input("x", 4, 3), b.Apply(&op.BiasGrad{Axis: 1}, dy))
			b.out(b.Apply(&op.BatchNormGradScale{Axis: 1, Epsilon: 1e-3}, in, b.Input("mean", 3), b.Positive("variance", 3), dy))
		}, nil),
	}
}

func batchNormMaskFusions() []FusionCase {
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	fusion := func(name string, build func(b *B), want []string, lack ...string) FusionCase {
		f := fusion("batch-norm-mask", name, build, want, lack...)
		f.After = []string{"cse", "batch-norm-grad", "batch-norm"}
		return f
	}
	// rectified are a batch norm with a ReLU, and the backward pass behind them, both by hand.
	rectified := func(b *B, otherGamma, otherMean bool) {
		x, gamma, beta, mean, variance := b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3)
		y := b.out(relu(b, b.Apply(&op.BatchNorm{Axis: 1, Epsilon: 1e-3}, x, gamma, beta, mean, variance)))
		dy := b.Apply(&op.ReLUGrad{}, y, b.Input("dr", 3, 3))
		if otherGamma {
			gamma = b.Input("other gamma", 3)
		}
		if otherMean {
			mean = b.Input("other mean", 3)
		}
		b.normGradByHand(dy, x, gamma, mean, variance, 1, 1e-3)
	}
	return []FusionCase{
		fusion("of a batch norm", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.x, n.gamma, n.beta)
		}, []string{"BatchNormReLUSums", "BatchNormReLUGradInput"}, "ReLUGrad+"),
		fusion("the gradient of x is not wanted", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.gamma, n.beta)
		}, []string{"BatchNormReLUSums"}, "ReLUGrad+"),
		fusion("inference", func(b *B) {
			gamma, beta := b.Input("gamma", 3), b.Input("beta", 3)
			y := b.Apply(&op.BatchNormInference{Axis: 2, Epsilon: 1e-3}, x(b), gamma, beta, b.Input("mean", 3), b.Positive("variance", 3))
			b.Grads(relu(b, y), gamma, beta)
		}, []string{"BatchNormReLUSums"}, "ReLUGrad+"),
		fusion("by hand", func(b *B) { rectified(b, false, false) }, []string{"BatchNormReLUSums", "BatchNormReLUGradInput"}, "ReLUGrad+"),
		fusion("another gamma", func(b *B) { rectified(b, true, false) }, []string{"BatchNormReLUSums", "ReLUGrad+BatchNormGradInput"}),
		fusion("another mean", func(b *B) { rectified(b, false, true) }, nil),
		fusion("a residual lies between", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, b.Apply(&op.Add{}, n.y, b.Input("z", 5, 2, 3))), n.x, n.gamma, n.beta)
		}, nil),
		fusion("the ReLU's result is given", func(b *B) {
			dy := b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), b.Input("dr", 3, 3))
			b.normGradByHand(dy, b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("mean", 3), b.Positive("variance", 3), 1, 1e-3)
		}, nil),
	}
}
