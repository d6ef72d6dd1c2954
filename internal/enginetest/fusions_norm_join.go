package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Joining is an engine whose plans have batch norms in one step wherever a plan can, and so the gradients between two convolutions and
// those of max poolings behind a ReLU.
type Joining struct{ graph.Engine }

// JoinsReLUGrad implements graph.ReLUGradJoiner.
func (Joining) JoinsReLUGrad(*graph.Step) bool { return true }

// JoinsPoolGrad implements graph.PoolGradJoiner.
func (Joining) JoinsPoolGrad(*graph.Step) bool { return true }

// JoinsNorm implements graph.NormJoiner.
func (Joining) JoinsNorm(*graph.Step) bool { return true }

// batchNormJoinFusions are for an engine that is [Joining].
func batchNormJoinFusions() []FusionCase {
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	z := func(b *B) *gorgonia.Node { return b.Input("z", 5, 2, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	add := func(b *B, y, z *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, y, z) }
	stats := func(b *B, x *gorgonia.Node) (mean, variance *gorgonia.Node) {
		mean = b.Apply(&op.BatchMean{Axis: -1}, x)
		return mean, b.Apply(&op.BatchVariance{Axis: -1}, x, mean)
	}
	norm := func(b *B, x, mean, variance *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.BatchNorm{Axis: -1, Epsilon: 1e-3}, x, b.Input("gamma", 3), b.Input("beta", 3), mean, variance)
	}
	// twice reads y in two ways, so that its gradient is a sum.
	twice := func(b *B, y *gorgonia.Node) *gorgonia.Node {
		return add(b, b.Apply(&op.Mul{}, y, b.Input("r", 5, 2, 3)), b.Apply(&op.Scale{Factor: 2}, y))
	}
	// backward is the backward pass of a batch norm by hand, with the sums and what the gradient of the input reads of them.
	backward := func(b *B, epsilon float64, of func(dgamma, dbeta, gamma *gorgonia.Node) (*gorgonia.Node, *gorgonia.Node, *gorgonia.Node)) {
		x, dy, mean, variance := b.Input("x", 4, 3), b.Input("dy", 4, 3), b.Input("mean", 3), b.Positive("variance", 3)
		dbeta := b.out(b.Apply(&op.BiasGrad{Axis: 1}, dy))
		dgamma := b.out(b.Apply(&op.BatchNormGradScale{Axis: 1, Epsilon: 1e-3}, x, mean, variance, dy))
		dgamma, dbeta, gamma := of(dgamma, dbeta, b.Input("gamma", 3))
		b.out(b.Apply(&op.BatchNormGradInput{Axis: 1, Epsilon: epsilon}, x, gamma, mean, variance, dy, dgamma, dbeta))
	}
	const forward, two = "BatchStats+BatchNorm(axis 2, epsilon 0.001)", " BatchStats("
	all := []FusionCase{
		fusion("", "alone", func(b *B) { b.out(b.norm("bn", x(b), 1e-3).y) }, []string{forward + "("}, two),
		fusion("", "ReLU", func(b *B) { b.out(relu(b, b.norm("bn", x(b), 1e-3).y)) }, []string{forward + "+relu("}, two),
		fusion("", "sum", func(b *B) { b.out(add(b, b.norm("bn", x(b), 1e-3).y, z(b))) }, []string{forward + "+add("}, two),
		fusion("", "sum and ReLU", func(b *B) { b.out(relu(b, add(b, b.norm("bn", x(b), 1e-3).y, z(b)))) }, []string{forward + "+add+relu("}, two),
		fusion("", "two into one sum", func(b *B) {
			b.out(relu(b, add(b, b.norm("bn", x(b), 1e-3).y, b.norm("second", z(b), 1e-3).y)))
		}, []string{forward + "+add+relu(", forward + "("}, two),
		fusion("", "one behind the other", func(b *B) {
			b.out(b.norm("second", b.norm("bn", x(b), 1e-3).y, 1e-3).y)
		}, []string{forward + "("}, two),
		fusion("", "the statistics are wanted", func(b *B) {
			x := x(b)
			mean, variance := stats(b, x)
			b.out(norm(b, x, b.out(mean), b.out(variance)))
		}, []string{forward + "("}, two),
		fusion("", "a variable follows the mean", func(b *B) {
			x := x(b)
			mean, variance := stats(b, x)
			b.out(norm(b, x, mean, variance))
			moving := b.Input("moving", 3)
			b.Update(moving, b.Apply(&op.MovingAverage{Momentum: 0.9}, moving, mean))
		}, []string{forward + "("}, two),
		fusion("", "two batch norms with the same statistics", func(b *B) {
			x := x(b)
			mean, variance := stats(b, x)
			b.out(norm(b, x, mean, variance))
			b.out(relu(b, b.Apply(&op.BatchNorm{Axis: -1, Epsilon: 1e-3}, x, b.Input("other gamma", 3), b.Input("other beta", 3), mean, variance)))
		}, []string{forward + "(", " BatchNorm(axis 2, epsilon 0.001)+relu("}, two),
		fusion("", "of something else", func(b *B) {
			mean, variance := stats(b, x(b))
			b.out(norm(b, z(b), mean, variance))
		}, nil),
		fusion("", "another mean", func(b *B) {
			x := x(b)
			b.out(norm(b, x, b.Input("mean", 3), b.out(b.Apply(&op.BatchVariance{Axis: -1}, x, b.out(b.Apply(&op.BatchMean{Axis: -1}, x))))))
		}, nil),
		fusion("", "another axis", func(b *B) {
			x := b.Input("x", 3, 3)
			mean, variance := stats(b, x)
			b.out(b.Apply(&op.BatchNorm{Axis: 0, Epsilon: 1e-3}, x, b.Input("gamma", 3), b.Input("beta", 3), mean, variance))
		}, nil),
		fusion("", "the sum waits for the statistics", func(b *B) {
			x := x(b)
			mean, variance := stats(b, x)
			b.out(add(b, norm(b, x, mean, variance), b.Apply(&op.BiasAdd{Axis: 2}, z(b), mean)))
		}, nil),
		fusion("", "each waits for the other", func(b *B) { // either can be one step, not both
			x, z := x(b), z(b)
			mean, variance := stats(b, x)
			m, v := stats(b, z)
			b.out(add(b, norm(b, x, mean, variance), b.Apply(&op.BiasAdd{Axis: 2}, b.Input("r", 5, 2, 3), m)))
			b.out(add(b, b.Apply(&op.BatchNorm{Axis: 2, Epsilon: 1e-3}, z, b.Input("other gamma", 3), b.Input("other beta", 3), m, v),
				b.Apply(&op.BiasAdd{Axis: 2}, b.Input("s", 5, 2, 3), mean)))
		}, []string{forward + "+add(", two, " BatchNorm(axis 2, epsilon 0.001)+add("}),
		fusion("", "gradients", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(n.y, n.x, n.gamma, n.beta)
		}, []string{" BatchNormBackward(axis 2, epsilon 0.001)("}, "Sums", "GradInput"),
		fusion("", "gradients through a ReLU", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.x, n.gamma, n.beta)
		}, []string{forward + "+relu(", " BatchNormReLUBackward("}, "Sums", "GradInput"),
		fusion("", "gradients through a ReLU, of x alone", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.x)
		}, []string{forward + "+relu(", " BatchNormReLUBackward("}, "Sums", "GradInput"),
		fusion("", "the gradient of x is not wanted", func(b *B) {
			n := b.norm("bn", x(b), 1e-3)
			b.Grads(relu(b, n.y), n.gamma, n.beta)
		}, []string{forward + "+relu(", "BatchNormReLUSums"}, "Backward"),
		fusion("", "the residual path reads the masked gradient", func(b *B) {
			n, z := b.norm("bn", x(b), 1e-3), z(b)
			b.Grads(relu(b, add(b, n.y, z)), n.x, n.gamma, n.beta, z)
		}, []string{forward + "+add+relu(", " ReLUGrad(", " BatchNormBackward("}, "Sums", "GradInput"),
		fusion("", "the masked gradient is a sum that the residual path reads", func(b *B) {
			n, z := b.norm("bn", x(b), 1e-3), z(b)
			b.Grads(twice(b, relu(b, add(b, n.y, z))), n.x, n.gamma, n.beta, z)
		}, []string{" Add+ReLUGrad+BatchNormBackward("}, "Sums", "GradInput"),
		fusion("", "two batch norms share a sum", func(b *B) {
			n, m := b.norm("bn", x(b), 1e-3), b.norm("second", z(b), 1e-3)
			b.Grads(twice(b, relu(b, add(b, n.y, m.y))), n.x, n.gamma, n.beta, m.x, m.gamma, m.beta)
		}, []string{" Add+ReLUGrad+BatchNormBackward(", "-dbeta("}, "Sums", "GradInput", "GradScale"),
		fusion("", "the ReLU's result is given", func(b *B) {
			dy := b.Apply(&op.ReLUGrad{}, b.Input("y", 3, 3), b.Input("dr", 3, 3))
			b.normGradByHand(dy, b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("mean", 3), b.Positive("variance", 3), 1, 1e-3)
		}, []string{" ReLUGrad+BatchNormBackward("}, "Sums", "GradInput"),
		fusion("", "another gamma", func(b *B) { // whose mask is read, while that of the sums is computed again
			x, gamma, beta, mean, variance := b.Input("x", 3, 3), b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3)
			y := b.out(relu(b, b.Apply(&op.BatchNorm{Axis: 1, Epsilon: 1e-3}, x, gamma, beta, mean, variance)))
			b.normGradByHand(b.Apply(&op.ReLUGrad{}, y, b.Input("dr", 3, 3)), x, b.Input("other gamma", 3), mean, variance, 1, 1e-3)
		}, nil),
		fusion("", "another sum of the gradient", func(b *B) {
			backward(b, 1e-3, func(dgamma, dbeta, gamma *gorgonia.Node) (_, _, _ *gorgonia.Node) {
				return dgamma, b.Input("other", 3), gamma
			})
		}, nil),
		fusion("", "another epsilon", func(b *B) {
			backward(b, 1e-2, func(dgamma, dbeta, gamma *gorgonia.Node) (_, _, _ *gorgonia.Node) { return dgamma, dbeta, gamma })
		}, nil),
		fusion("", "gamma waits for the sums", func(b *B) {
			backward(b, 1e-3, func(dgamma, dbeta, gamma *gorgonia.Node) (_, _, _ *gorgonia.Node) {
				return dgamma, dbeta, add(b, gamma, dgamma)
			})
		}, nil),
	}
	for i := range all {
		all[i].Pass, all[i].Name = "batch-norm-join", "batch-norm-join: "+all[i].Name[len(": "):]
		all[i].After = []string{"cse", "batch-stats", "batch-norm-grad", "batch-norm", "batch-norm-mask"}
	}
	return all
}
