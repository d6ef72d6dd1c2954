package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// scoreFusions are what steps make of a net's scores.
func scoreFusions() []FusionCase {
	// scores are computed, so that their gradient is.
	scores := func(b *B, n, classes int) (x, scores, labels *gorgonia.Node) {
		x = b.Input("x", n, classes)
		return x, b.Apply(&op.Scale{Factor: 2}, x), b.Labels("labels", n, classes)
	}
	top := func(b *B, k int, scores, labels *gorgonia.Node) {
		b.Want(fmt.Sprint("top ", k), numtest.Elementwise, b.Apply(&op.TopKCorrect{K: k}, scores, labels))
	}
	losses := func(b *B, scores, labels *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.SoftmaxCrossEntropy{}, scores, labels)
	}
	mean := func(b *B, losses *gorgonia.Node) *gorgonia.Node {
		return b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, losses))
	}
	all := []FusionCase{
		fusion("scores", "of an evaluation", func(b *B) {
			_, s, labels := scores(b, 9, 4)
			mean(b, losses(b, s, labels))
			top(b, 1, s, labels)
			top(b, 3, s, labels)
		}, []string{"SoftmaxCrossEntropy+mean+TopKCorrect(k 1)+TopKCorrect(k 3)"}, "Mean"),
		fusion("scores", "the losses are wanted", func(b *B) {
			x, s, labels := scores(b, 9, 4)
			b.CostGrads(mean(b, b.Want("losses", numtest.Reduction, losses(b, s, labels))), x)
		}, []string{"SoftmaxCrossEntropy+grad", "Mean"}),
		fusion("scores", "counts alone", func(b *B) {
			_, s, labels := scores(b, 9, 4)
			for k := range 6 {
				top(b, k+1, s, labels)
			}
		}, []string{"TopKCorrect(k 1)+TopKCorrect(k 2)+TopKCorrect(k 3)+TopKCorrect(k 4)", "TopKCorrect(k 5)", "TopKCorrect(k 6)"}),
		fusion("scores", "the gradient of losses that are weighted comes later", func(b *B) {
			x, s, labels := scores(b, 9, 4)
			weighted := b.Apply(&op.Mul{}, losses(b, s, labels), b.Positive("weights", 9))
			b.CostGrads(mean(b, weighted), x)
			top(b, 1, s, labels)
		}, []string{"SoftmaxCrossEntropy+TopKCorrect(k 1)", "SoftmaxCrossEntropyGrad"}),
		fusion("scores", "two losses with one gradient", func(b *B) {
			x := b.Input("x", 9, 4)
			loss := func(name string, factor float64) *gorgonia.Node {
				s := b.Apply(&op.Scale{Factor: factor}, x)
				return b.Apply(&op.Mean{}, losses(b, s, b.Labels(name, 9, 4)))
			}
			b.CostGrads(b.Want("loss", numtest.Reduction, b.Apply(&op.Add{}, loss("labels", 2), loss("others", 3))), x)
		}, []string{"SoftmaxCrossEntropy+mean+grad"}, "= Mean(", "SoftmaxCrossEntropyGrad"),
		fusion("scores", "other labels", func(b *B) {
			_, s, labels := scores(b, 9, 4)
			b.Want("losses", numtest.Reduction, losses(b, s, labels))
			top(b, 1, s, b.Labels("others", 9, 4))
		}, nil),
		fusion("scores", "one count", func(b *B) {
			_, s, labels := scores(b, 9, 4)
			top(b, 1, s, labels)
		}, nil),
		fusion("scores", "no scores", func(b *B) {
			_, s, labels := scores(b, 9, 4)
			b.Want("losses", numtest.Reduction, b.Apply(&op.CrossEntropy{}, b.Apply(&op.Softmax{}, s), labels))
		}, nil),
	}
	for _, c := range []struct{ n, classes int }{{1, 1}, {9, 4}, {300, 10}, {64, 100}, {7, 1000}, {3, 5000}} {
		all = append(all, fusion("scores", fmt.Sprintf("of a training step, %d×%d", c.n, c.classes), func(b *B) {
			x, s, labels := scores(b, c.n, c.classes)
			b.CostGrads(mean(b, losses(b, s, labels)), x)
			top(b, 1, s, labels)
			top(b, 5, s, labels)
		}, []string{"SoftmaxCrossEntropy+mean+grad+TopKCorrect(k 1)+TopKCorrect(k 5)"}, "= Mean(", "SoftmaxCrossEntropyGrad"))
	}
	return all
}
