package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// normed is one batch norm of a case: the result, and what its gradients are taken with respect to.
type normed struct{ y, x, gamma, beta *gorgonia.Node }

func (b *B) norm(name string, x *gorgonia.Node, epsilon float64) normed {
	n := normed{x: x, gamma: b.Input(name+"/gamma", 3), beta: b.Input(name+"/beta", 3)}
	var err error
	if n.y, _, _, err = op.BatchNormTraining(x, n.gamma, n.beta, -1, epsilon); err != nil {
		b.T.Fatal(err)
	}
	return n
}

func batchNormFusions() []FusionCase {
	const pass = "batch-norm"
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	norm := func(b *B) *gorgonia.Node { return b.norm("bn", x(b), 1e-3).y }
	z := func(b *B) *gorgonia.Node { return b.Input("z", 5, 2, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	add := func(b *B, y, z *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, y, z) }
	fused := func(s string) []string { return []string{"epsilon 0.001)" + s} }
	return []FusionCase{
		fusion(pass, "alone", func(b *B) { b.out(norm(b)) }, fused("(")),
		fusion(pass, "ReLU", func(b *B) { b.out(relu(b, norm(b))) }, fused("+relu("), "ReLU("),
		fusion(pass, "sum", func(b *B) { b.out(add(b, norm(b), z(b))) }, fused("+add("), "Add("),
		fusion(pass, "sum with operands exchanged and ReLU", func(b *B) { b.out(relu(b, add(b, z(b), norm(b)))) }, fused("+add+relu("), "Add(", "ReLU("),
		fusion(pass, "inference", func(b *B) {
			y := b.Apply(&op.BatchNormInference{Axis: 2, Epsilon: 1e-3}, x(b), b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3))
			b.out(relu(b, add(b, y, z(b))))
		}, fused("+add+relu("), "Inference"),
		fusion(pass, "two into one sum", func(b *B) {
			b.out(relu(b, add(b, norm(b), b.norm("second", z(b), 1e-3).y)))
		}, append(fused("+add+relu("), fused("(")...), "Add(", "ReLU("),
		fusion(pass, "the sum is wanted", func(b *B) { b.out(relu(b, b.out(add(b, norm(b), z(b))))) }, append(fused("+add("), "ReLU("), "+relu"),
		fusion(pass, "the ReLU's result is wanted and read again", func(b *B) {
			b.out(add(b, b.out(relu(b, norm(b))), z(b)))
		}, append(fused("+relu("), "Add("), "+add"),
		fusion(pass, "the batch norm is wanted", func(b *B) { b.out(relu(b, b.out(norm(b)))) }, append(fused("("), "ReLU("), "+relu"),
		fusion(pass, "added to itself", func(b *B) {
			y := norm(b)
			b.out(add(b, y, y))
		}, append(fused("("), "Add("), "+add"),
		fusion(pass, "read twice", func(b *B) {
			y := norm(b)
			b.out(add(b, y, relu(b, y)))
		}, append(fused("("), "Add(", "ReLU("), "+add", "+relu"),
	}
}

func batchNormGradFusions() []FusionCase {
	const pass = "batch-norm-grad"
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	// byHand are the steps of the backward pass with attributes of the caller's choice.
	byHand := func(b *B, shiftAxis int, epsilon float64) {
		dy := b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), b.Input("dr", 3, 3))
		in, mean, variance := b.Input("x", 3, 3), b.Input("mean", 3), b.Positive("variance", 3)
		dbeta := b.Apply(&op.BiasGrad{Axis: shiftAxis}, dy)
		dgamma := b.out(b.Apply(&op.BatchNormGradScale{Axis: 1, Epsilon: 1e-3}, in, mean, variance, dy))
		b.out(b.Apply(&op.BatchNormGradInput{Axis: 1, Epsilon: epsilon}, in, b.Input("gamma", 3), mean, variance, dy, dgamma, dbeta))
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
			n, z := b.norm("bn", x(b), 1e-3), b.Input("z", 5, 2, 3)
			b.Grads(relu(b, b.Apply(&op.Add{}, n.y, z)), n.x, n.gamma, n.beta, z)
		}, []string{"BatchNormSums", "ReLUGrad("}, "ReLUGrad+"),
		fusion(pass, "two batch norms share the gradient", func(b *B) {
			n, m := b.norm("bn", x(b), 1e-3), b.norm("second", b.Input("z", 5, 2, 3), 1e-3)
			b.Grads(relu(b, b.Apply(&op.Add{}, n.y, m.y)), n.x, n.gamma, n.beta, m.x, m.gamma, m.beta)
		}, []string{"BatchNormSums", "ReLUGrad("}, "ReLUGrad+"),
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
