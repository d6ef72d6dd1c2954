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
