package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// FusionCase is a graph made for one pass of the compiler.
type FusionCase struct {
	Case
	Pass  string
	After []string // passes that have run before
	Want  []string // operations of the plan after the pass; none means that the pass must leave the plan alone
	Lack  []string // operations that it must not have made
}

// Viewed says whether the pass runs behind the one that makes reshapes views.
func (c FusionCase) Viewed() bool {
	switch c.Pass {
	case "dead", "fold", "algebra", "conv", "rectify", "softmax", "affine", "layout", "padding", "cse", "attention", "view":
		return false
	}
	return true
}

// FusionCases holds, for every pass that fuses, each form of its pattern and the near misses that must stay as they
// are.
func FusionCases() []FusionCase {
	var all []FusionCase
	all = append(all, deadFusions()...)
	all = append(all, foldFusions()...)
	all = append(all, algebraFusions()...)
	all = append(all, convFusions()...)
	all = append(all, rectifyFusions()...)
	all = append(all, softmaxFusions()...)
	all = append(all, affineFusions()...)
	all = append(all, layoutFusions()...)
	all = append(all, paddingFusions()...)
	all = append(all, cseFusions()...)
	all = append(all, attentionFusions()...)
	all = append(all, viewFusions()...)
	all = append(all, poolFusions()...)
	all = append(all, poolBiasFusions()...)
	all = append(all, reluBiasFusions()...)
	all = append(all, poolReLUGradFusions()...)
	all = append(all, convReLUGradFusions()...)
	all = append(all, l2Fusions()...)
	all = append(all, normFusions()...)
	all = append(all, biasFusions()...)
	all = append(all, residualFusions()...)
	all = append(all, statsFusions()...)
	all = append(all, convStatsFusions()...)
	all = append(all, batchNormFusions()...)
	all = append(all, batchNormGradFusions()...)
	all = append(all, layerNormGradFusions()...)
	all = append(all, batchNormMaskFusions()...)
	all = append(all, batchNormJoinFusions()...)
	all = append(all, batchNormBoundFusions()...)
	all = append(all, momentumFusions()...)
	all = append(all, adamFusions()...)
	all = append(all, fusedUpdateFusions()...)
	all = append(all, penaltyFusions()...)
	all = append(all, scoreFusions()...)
	all = append(all, loopFusions()...)
	return append(all, afterFusions()...)
}

// fusion makes a case; want and lack are operations of the plan.
func fusion(pass, name string, build func(b *B), want []string, lack ...string) FusionCase {
	return FusionCase{Case: Case{Name: pass + ": " + name, Build: build, Runs: 2}, Pass: pass, Want: want, Lack: lack}
}

// out wants a node.
func (b *B) out(n *gorgonia.Node) *gorgonia.Node {
	return b.Want(n.Name(), numtest.Gradient, n)
}

func viewFusions() []FusionCase {
	to := func(b *B, x *gorgonia.Node, dims ...int) *gorgonia.Node {
		return b.Apply(&op.Reshape{From: x.Shape().Clone(), To: dims}, x)
	}
	double := func(b *B, x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Scale{Factor: 2}, x) }
	gone := []string{"arena"} // any plan has that line: what matters is what it lacks
	return []FusionCase{
		fusion("view", "of an intermediate", func(b *B) {
			b.out(double(b, to(b, double(b, b.Input("x", 2, 6)), 3, 4)))
		}, gone, "Copy"),
		fusion("view", "of a view", func(b *B) {
			b.out(double(b, to(b, to(b, double(b, b.Input("x", 2, 6)), 3, 4), 12)))
		}, gone, "Copy"),
		fusion("view", "of an input, which is wanted as well", func(b *B) {
			x := b.out(b.Input("x", 2, 6))
			b.out(double(b, to(b, x, 12)))
		}, gone, "Copy(%0) f32(12)"),
		fusion("view", "of an updated variable", func(b *B) {
			w := b.Input("w", 2, 6)
			b.out(double(b, to(b, w, 12)))
			b.Update(w, double(b, w))
		}, gone, "Copy"),
		fusion("view", "is an output", func(b *B) { b.out(to(b, b.Input("x", 2, 6), 12)) }, nil),
		fusion("view", "is an update", func(b *B) {
			b.Update(b.Input("w", 12), to(b, b.Input("x", 2, 6), 12))
		}, nil),
		fusion("view", "there and back is an update of its own variable", func(b *B) {
			w := b.Input("w", 2, 6)
			b.Update(w, to(b, to(b, double(b, w), 12), 2, 6))
		}, gone),
	}
}

func l2Fusions() []FusionCase {
	parts := func(b *B) (g, l2 *gorgonia.Node) {
		g = b.Apply(&op.Scale{Factor: 2}, b.Input("g", 3, 5))
		return g, b.Apply(&op.L2PenaltyGrad{Lambda: 0.1}, b.Input("w", 3, 5), b.Scalar("s", 0.5))
	}
	return []FusionCase{
		fusion("l2", "gradient first", func(b *B) {
			g, l2 := parts(b)
			b.out(b.Apply(&op.Add{}, g, l2))
		}, []string{"AddL2Grad(lambda 0.1)"}, "Add("),
		fusion("l2", "penalty first", func(b *B) {
			g, l2 := parts(b)
			b.out(b.Apply(&op.Add{}, l2, g))
		}, []string{"AddL2Grad(lambda 0.1)"}, "Add("),
		fusion("l2", "through Gorgonia's own sum of gradients", func(b *B) {
			w := b.Input("w", 3, 5)
			data := b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, w, b.Input("r", 3, 5)))
			b.CostGrads(b.Apply(&op.Add{}, data, b.Apply(&op.L2Penalty{Lambda: 0.1}, w)), w)
		}, []string{"AddL2Grad"}),
		fusion("l2", "two penalties of one weight", func(b *B) {
			w := b.Input("w", 3, 5)
			b.CostGrads(b.Apply(&op.Add{}, b.Apply(&op.L2Penalty{Lambda: 0.1}, w), b.Apply(&op.L2Penalty{Lambda: 0.2}, w)), w)
		}, []string{"AddL2Grad"}),
		fusion("l2", "weight used twice", func(b *B) {
			w := b.Input("w", 3, 3)
			data := b.Apply(&op.Sum{}, b.Apply(&op.MatMul{}, b.Apply(&op.MatMul{}, b.Input("x", 2, 3), w), w))
			b.CostGrads(b.Apply(&op.Add{}, data, b.Apply(&op.L2Penalty{Lambda: 0.1}, w)), w)
		}, []string{"AddL2Grad"}),
		fusion("l2", "the penalty's gradient is wanted", func(b *B) {
			g, l2 := parts(b)
			b.out(b.Apply(&op.Add{}, g, b.out(l2)))
		}, nil),
		fusion("l2", "the penalty's gradient is read twice", func(b *B) {
			g, l2 := parts(b)
			b.out(b.Apply(&op.Add{}, g, l2))
			b.out(b.Apply(&op.Scale{Factor: 3}, l2))
		}, nil),
		fusion("l2", "added to itself", func(b *B) {
			_, l2 := parts(b)
			b.out(b.Apply(&op.Add{}, l2, l2))
		}, nil),
		fusion("l2", "multiplied", func(b *B) {
			g, l2 := parts(b)
			b.out(b.Apply(&op.Mul{}, g, l2))
		}, nil),
	}
}

func biasFusions() []FusionCase {
	conv := func(b *B, f shape.Layout) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same, Format: f}}, b.Input("x", 2, 4, 4, 4), b.Input("w", 3, 3, 4, 4))
	}
	bias := func(b *B, y *gorgonia.Node, axis int) *gorgonia.Node {
		return b.Apply(&op.BiasAdd{Axis: axis}, y, b.Input("bias", 4))
	}
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	mul := func(b *B) *gorgonia.Node { return b.Apply(&op.MatMul{}, b.Input("x", 4, 3), b.Input("w", 3, 4)) }
	return []FusionCase{
		fusion("bias", "convolution, bias, ReLU", func(b *B) { b.out(relu(b, bias(b, conv(b, shape.NHWC), -1))) }, []string{"+bias+relu"}),
		fusion("bias", "the same in NCHW", func(b *B) { b.out(relu(b, bias(b, conv(b, shape.NCHW), 1))) }, []string{"+bias+relu"}),
		fusion("bias", "convolution, bias", func(b *B) { b.out(bias(b, conv(b, shape.NHWC), 3)) }, []string{"+bias("}),
		fusion("bias", "convolution, ReLU", func(b *B) { b.out(relu(b, conv(b, shape.NHWC))) }, []string{"+relu("}, "+bias"),
		fusion("bias", "matmul, bias, ReLU", func(b *B) { b.out(relu(b, bias(b, mul(b), -1))) }, []string{"+bias+relu"}),
		fusion("bias", "matmul, ReLU", func(b *B) { b.out(relu(b, mul(b))) }, []string{"+relu("}),
		fusion("bias", "the sum is wanted", func(b *B) { b.out(relu(b, b.out(bias(b, mul(b), 1)))) }, []string{"+bias(", "ReLU("}, "+relu"),
		fusion("bias", "the sum is read twice", func(b *B) {
			y := bias(b, mul(b), 1)
			b.out(b.Apply(&op.Mul{}, y, relu(b, y)))
		}, []string{"+bias(", "ReLU("}, "+relu"),
		fusion("bias", "two biases", func(b *B) {
			b.out(relu(b, b.Apply(&op.BiasAdd{Axis: 1}, bias(b, mul(b), 1), b.Input("second", 4))))
		}, []string{"+bias(", "BiasAdd"}, "+relu"),
		fusion("bias", "the product is wanted", func(b *B) { b.out(bias(b, b.out(mul(b)), 1)) }, nil),
		fusion("bias", "the convolution is an update", func(b *B) {
			y := conv(b, shape.NHWC)
			b.Update(b.Input("state", 2, 4, 4, 4), y)
			b.out(relu(b, y))
		}, nil),
		fusion("bias", "bias over rows", func(b *B) { b.out(bias(b, mul(b), 0)) }, nil),
		fusion("bias", "bias over the width of an NHWC image", func(b *B) { b.out(relu(b, bias(b, conv(b, shape.NHWC), 2))) }, nil),
		fusion("bias", "bias over the last axis of an NCHW image", func(b *B) { b.out(bias(b, conv(b, shape.NCHW), -1)) }, nil),
		fusion("bias", "a view of the convolution", func(b *B) {
			y := conv(b, shape.NHWC)
			flat, err := op.Flatten(y)
			if err != nil {
				b.T.Fatal(err)
			}
			b.out(b.Apply(&op.Scale{Factor: 2}, flat))
			b.out(relu(b, y))
		}, nil),
		fusion("bias", "two readers of the convolution", func(b *B) {
			y := conv(b, shape.NHWC)
			b.out(b.Apply(&op.Add{}, y, relu(b, y)))
		}, nil),
	}
}

func convStatsFusions() []FusionCase {
	conv := func(b *B, a op.ConvAttrs, x ...int) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: a}, b.Input("x", x...), b.Input("w", 3, 3, 2, 5))
	}
	stats := func(b *B, x *gorgonia.Node, axis int) {
		b.out(b.Apply(&op.BatchVariance{Axis: axis}, x, b.out(b.Apply(&op.BatchMean{Axis: axis}, x))))
	}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	first := op.ConvAttrs{Format: shape.NCHW}
	all := []FusionCase{
		fusion("conv-stats", "of a convolution that a batch norm reads as well", func(b *B) {
			y := conv(b, same, 2, 5, 6, 2)
			stats(b, y, 3)
			b.out(b.Apply(&op.ReLU{}, y))
		}, []string{"+stats"}, "BatchStats"),
		fusion("conv-stats", "of one that is an output", func(b *B) {
			stats(b, b.out(conv(b, same, 2, 5, 6, 2)), -1)
		}, []string{"+stats"}, "BatchStats"),
		fusion("conv-stats", "channels first", func(b *B) { stats(b, conv(b, first, 2, 2, 5, 6), 1) }, []string{"+stats"}, "BatchStats"),
		fusion("conv-stats", "behind a bias", func(b *B) {
			stats(b, b.Apply(&op.BiasAdd{Axis: 3}, conv(b, same, 2, 5, 6, 2), b.Input("b", 5)), 3)
		}, []string{"+bias+stats"}, "BatchStats"),
		fusion("conv-stats", "twice of one convolution", func(b *B) {
			y := conv(b, same, 2, 5, 6, 2)
			stats(b, y, 3)
			stats(b, y, -1)
		}, []string{"+stats"}),
		fusion("conv-stats", "of another axis", func(b *B) { stats(b, conv(b, same, 2, 5, 6, 2), 1) }, nil),
		fusion("conv-stats", "of what a ReLU leaves", func(b *B) {
			stats(b, b.Apply(&op.ReLU{}, conv(b, same, 2, 5, 6, 2)), 3)
		}, nil),
		fusion("conv-stats", "of something else", func(b *B) {
			b.out(conv(b, same, 2, 5, 6, 2))
			stats(b, b.Input("z", 4, 5), 1)
		}, nil),
	}
	for i := range all {
		all[i].After = []string{"bias", "batch-stats"}
	}
	return all
}

func statsFusions() []FusionCase {
	return []FusionCase{
		fusion("batch-stats", "mean and variance", func(b *B) {
			x := b.Input("x", 5, 3)
			b.out(b.Apply(&op.BatchVariance{Axis: -1}, x, b.out(b.Apply(&op.BatchMean{Axis: 1}, x))))
		}, []string{"BatchStats(axis 1)"}),
		fusion("batch-stats", "two variances around one mean", func(b *B) {
			x := b.Input("x", 5, 3)
			mean := b.out(b.Apply(&op.BatchMean{Axis: 1}, x))
			b.out(b.Apply(&op.BatchVariance{Axis: -1}, x, mean))
			b.out(b.Apply(&op.BatchVariance{Axis: 1}, x, mean))
		}, []string{"BatchStats(axis 1)", "BatchVariance"}),
		fusion("batch-stats", "other axes", func(b *B) {
			x := b.Input("x", 4, 4)
			b.out(b.Apply(&op.BatchVariance{Axis: 1}, x, b.Apply(&op.BatchMean{Axis: 0}, x)))
		}, nil),
		fusion("batch-stats", "mean of something else", func(b *B) {
			b.out(b.Apply(&op.BatchVariance{Axis: 1}, b.Input("x", 4, 3), b.Apply(&op.BatchMean{Axis: 1}, b.Input("z", 4, 3))))
		}, nil),
		fusion("batch-stats", "given mean", func(b *B) {
			b.out(b.Apply(&op.BatchVariance{Axis: 1}, b.Input("x", 4, 3), b.Input("mean", 3)))
		}, nil),
	}
}
