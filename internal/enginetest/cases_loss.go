package enginetest

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func lossCases() []Case {
	var all []Case
	for _, c := range []struct {
		n, classes int
		scale      float32
	}{{5, 10, 1}, {1, 100, 1}, {17, 100, 1e4}, {64, 1000, 1}, {3, 2, 100}} {
		all = append(all, Case{Name: fmt.Sprintf("softmax cross entropy %dx%d scale %g", c.n, c.classes, c.scale), Build: func(b *B) {
			x := b.Input("logits", c.n, c.classes)
			logits := b.Apply(&op.Scale{Factor: float64(c.scale)}, x)
			labels := b.Labels("labels", c.n, c.classes)
			losses := b.Want("losses", numtest.Reduction, b.Apply(&op.SoftmaxCrossEntropy{}, logits, labels))
			loss := b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, losses))
			b.Want("top 1", numtest.Elementwise, b.Apply(&op.TopKCorrect{K: 1}, logits, labels))
			b.Want("top 5", numtest.Elementwise, b.Apply(&op.TopKCorrect{K: 5}, logits, labels))
			b.CostGrads(loss, x)
		}}, Case{Name: fmt.Sprintf("softmax %dx%d scale %g", c.n, c.classes, c.scale), Build: func(b *B) {
			x := b.Input("logits", c.n, c.classes)
			logits := b.Apply(&op.Scale{Factor: float64(c.scale)}, x)
			y := b.Want("y", numtest.Gradient, b.Apply(&op.Softmax{}, logits))
			if c.scale <= 100 { // beyond, a rounding of a logit already changes the tiny gradients by more than any tolerance
				b.Grads(y, x)
			}
		}}, Case{Name: fmt.Sprintf("log softmax %dx%d scale %g", c.n, c.classes, c.scale), Build: func(b *B) {
			x := b.Input("logits", c.n, c.classes)
			logits := b.Apply(&op.Scale{Factor: float64(c.scale)}, x)
			b.Grads(b.Want("y", numtest.Gradient, b.Apply(&op.LogSoftmax{}, logits)), x)
		}})
	}
	for _, c := range []struct{ n, classes int }{{5, 10}, {1, 100}, {300, 7}} {
		all = append(all, Case{Name: fmt.Sprintf("cross entropy of probabilities %dx%d", c.n, c.classes), Build: func(b *B) {
			x, labels := b.Input("logits", c.n, c.classes), b.Labels("labels", c.n, c.classes)
			losses := b.Want("losses", numtest.Reduction, b.Apply(&op.CrossEntropy{}, b.Apply(&op.Softmax{}, x), labels))
			b.CostGrads(b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, losses)), x)
		}})
	}
	all = append(all, Case{Name: "mean of many, weighted", Build: func(b *B) { // too many for a gradient that is known to be folded
		x := b.Input("x", 40, 50)
		b.CostGrads(b.Want("cost", numtest.Reduction, b.Apply(&op.Mul{}, b.Apply(&op.Mean{}, x), b.Scalar("weight", 3))), x)
	}}, Case{Name: "cross entropy of given probabilities", Build: func(b *B) { // no softmax in front, with which it would be one
		x, labels := b.Positive("p", 7, 9), b.Labels("labels", 7, 9)
		losses := b.Want("losses", numtest.Reduction, b.Apply(&op.CrossEntropy{}, x, labels))
		b.CostGrads(b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, losses)), x)
	}}, Case{Name: "L2 penalty", Build: func(b *B) {
		w, v := b.Input("w", 13, 7), b.Input("v", 5)
		p := b.Apply(&op.Add{}, b.Apply(&op.L2Penalty{Lambda: 1e-2}, w), b.Apply(&op.L2Penalty{Lambda: 0.5}, v))
		data := b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, w, b.Input("r", 13, 7)))
		b.CostGrads(b.Want("cost", numtest.Gradient, b.Apply(&op.Add{}, data, p)), w, v)
	}})
	return all
}
