package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// batchNormBoundFusions are bounds of ReLUs behind batch norms.
func batchNormBoundFusions() []FusionCase {
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	least := func(b *B, most float64, y *gorgonia.Node) *gorgonia.Node { // as nn has it
		return b.node(op.Number(most).Minimum(op.Of(y).ReLU()))
	}
	fusion := func(name string, build func(b *B), want []string, lack ...string) FusionCase {
		f := fusion("batch-norm-bound", name, build, want, lack...)
		f.After = []string{"algebra", "cse", "batch-norm-grad", "batch-norm", "batch-norm-mask"}
		return f
	}
	inference := func(b *B) *gorgonia.Node {
		return b.Apply(&op.BatchNormInference{Axis: 2, Epsilon: 1e-3}, x(b), b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3))
	}
	// byHand are a batch norm with a bounded ReLU and the backward pass behind them.
	byHand := func(b *B, wanted, other bool) {
		x, gamma, beta, mean, variance := b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3)
		y := b.Apply(&op.ReLU{}, b.Apply(&op.BatchNorm{Axis: 1, Epsilon: 1e-3}, x, gamma, beta, mean, variance))
		b.out(b.node(op.Of(y).Minimum(op.Number(0.5))))
		most := 0.5
		if other {
			most = 0.25
		}
		d := b.node(op.Number(1).Sub(op.Number(most).LessEqual(op.Of(y))).When(op.Of(b.Input("dr", 3, 3))))
		if wanted {
			b.out(d)
		}
		b.normGradByHand(b.Apply(&op.ReLUGrad{}, y, d), x, gamma, mean, variance, 1, 1e-3)
	}
	backward := []string{"+relu(most 0.5)(", "BatchNormReLU(most 0.5)Sums(", "BatchNormReLU(most 0.5)GradInput("}
	return []FusionCase{
		fusion("in inference", func(b *B) { b.out(least(b, 6, inference(b))) }, []string{"+relu6("}, "Binary("),
		fusion("behind a residual", func(b *B) {
			b.out(least(b, 0.5, b.Apply(&op.Add{}, inference(b), b.Input("z", 5, 2, 3))))
		}, []string{"+add+relu(most 0.5)("}, "Binary("),
		fusion("the number second", func(b *B) {
			b.out(b.node(op.Of(inference(b)).ReLU().Minimum(op.Number(0.5))))
		}, []string{"+relu(most 0.5)("}, "Binary("),
		fusion("in training", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(b.out(least(b, 0.5, n.y)), n.x, n.gamma, n.beta)
		}, backward, "Binary(", "ReLUGrad"),
		fusion("in training, without the gradient of x", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(b.out(least(b, 0.5, n.y)), n.gamma, n.beta)
		}, backward[:2], "Binary(", "ReLUGrad"),
		fusion("in training, where two gradients come together", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			y := least(b, 0.5, n.y)
			b.CostGrads(b.node(op.Of(y).Square().Add(op.Of(y).Exp()).Mean()), n.x, n.gamma, n.beta)
		}, backward, "ReLUGrad("),
		fusion("a bound of 0", func(b *B) { b.out(least(b, 0, inference(b))) }, nil),
		fusion("a bound for each channel", func(b *B) {
			b.out(b.node(op.Of(inference(b)).ReLU().Minimum(op.Of(b.Input("most", 3)))))
		}, nil),
		fusion("the ReLU's result is wanted", func(b *B) {
			y := b.out(b.Apply(&op.ReLU{}, inference(b)))
			b.out(b.node(op.Of(y).Minimum(op.Number(6))))
		}, nil),
		fusion("the ReLU's result is read twice", func(b *B) {
			y := b.Apply(&op.ReLU{}, inference(b))
			b.out(b.node(op.Of(y).Minimum(op.Number(6))))
			b.out(b.Apply(&op.Scale{Factor: 2}, y))
		}, nil),
		fusion("two bounds of one ReLU", func(b *B) {
			y := b.Apply(&op.ReLU{}, inference(b))
			b.out(b.node(op.Of(y).Minimum(op.Number(6))))
			b.out(b.node(op.Of(y).Minimum(op.Number(0.5))))
		}, nil),
		fusion("by hand", func(b *B) { byHand(b, false, false) }, backward, "Binary(", "ReLUGrad"),
		fusion("the masked gradient is wanted", func(b *B) { byHand(b, true, false) }, nil),
		fusion("the mask of another bound", func(b *B) { byHand(b, false, true) }, nil),
		fusion("the gradient has the bound's place too", func(b *B) { // of min(ReLU, 0.5), to whose first operand it goes where they are equal
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(b.node(op.Of(n.y).ReLU().Minimum(op.Number(0.5))), n.gamma, n.beta)
		}, nil),
	}
}
