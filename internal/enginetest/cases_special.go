package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// specialCases are NaN and infinities where operations say what becomes of them.
func specialCases() []Case {
	var all []Case
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
		attrs := op.PoolAttrs{Pool: [2]int{3, 2}, Strides: [2]int{2, 1}, Padding: same, Format: f}
		all = append(all, Case{Name: fmt.Sprintf("max pool NaN %v", f), Build: func(b *B) {
			x := b.Filled("x", spoiled(2*7*6*3, map[int]float32{0: nan, 5: nan, 60: nan, 61: -inf, 100: inf, 101: nan, 107: nan, 251: nan}), image(f, 2, 7, 6, 3)...)
			y := b.Apply(&op.MaxPool2D{PoolAttrs: attrs}, x)
			b.Grads(b.Want("y", numtest.Elementwise, y), x)
		}}, Case{Name: fmt.Sprintf("average pool NaN %v", f), Build: func(b *B) {
			x := b.Filled("x", spoiled(2*7*6*3, map[int]float32{0: nan, 100: inf, 251: -inf}), image(f, 2, 7, 6, 3)...)
			b.Want("y", numtest.Reduction, b.Apply(&op.AvgPool2D{PoolAttrs: attrs}, x))
			b.Want("means", numtest.Reduction, b.Apply(&op.GlobalAvgPool2D{Format: f}, x))
		}})
	}
	for _, classes := range []int{9, 300, 5000} { // one -Inf, one +Inf, a NaN, nothing but -Inf; the last two rows are ordinary
		rows := func() []float32 {
			at := map[int]float32{3: -inf, classes + 4: inf, 2*classes + 5: nan}
			for i := range classes {
				at[3*classes+i] = -inf
			}
			return spoiled(6*classes, at)
		}
		all = append(all, Case{Name: fmt.Sprintf("softmax of infinities and NaN, %d classes", classes), Build: func(b *B) {
			x := b.Filled("x", rows(), 6, classes)
			b.Want("y", numtest.Reduction, b.Apply(&op.Softmax{}, x))
			b.Want("logarithms", numtest.Reduction, b.Apply(&op.LogSoftmax{}, x))
		}})
		for _, c := range []struct {
			where  string
			labels []int
		}{{"at", []int{3, 4, 5, 0, 1, classes - 1}}, {"beside", []int{2, 3, 4, 1, 0, classes - 2}}} {
			all = append(all, Case{Name: fmt.Sprintf("losses %s infinities and NaN, %d classes", c.where, classes), Build: func(b *B) {
				x, labels := b.Filled("x", rows(), 6, classes), b.LabelsOf("labels", slices.Clone(c.labels)...)
				losses := b.Want("losses", numtest.Reduction, b.Apply(&op.SoftmaxCrossEntropy{}, x, labels))
				b.Want("probabilities", numtest.Reduction, b.Apply(&op.CrossEntropy{}, x, labels))
				for _, k := range []int{1, 5, classes + 1} {
					b.Want(fmt.Sprint("top ", k), numtest.Elementwise, b.Apply(&op.TopKCorrect{K: k}, x, labels))
				}
				b.Grads(losses, x)
			}})
		}
	}
	all = append(all, Case{Name: "batch norm of a channel with NaN", Build: func(b *B) {
		x := b.Filled("x", spoiled(8*5*7, map[int]float32{9: nan}), 8, 5, 7) // channel 2
		y, _, _, err := op.BatchNormTraining(x, b.Input("gamma", 7), b.Input("beta", 7), -1, 1e-3)
		if err != nil {
			b.T.Fatal(err)
		}
		b.Want("y", numtest.Reduction, b.Apply(&op.ReLU{}, y))
	}})
	return all
}

// spoiled are n ordinary numbers with some replaced.
func spoiled(n int, at map[int]float32) []float32 {
	x := make([]float32, n)
	numtest.FillUniform("spoiled", 1, 3, x)
	for i, v := range at {
		x[i] = v
	}
	return x
}
