package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// frozenCases have weights that stay the same from run to run, which engines may take over in a form of their own.
func frozenCases() []Case {
	all := []Case{
		{Name: "residual net in inference", Runs: 3, Build: func(b *B) { inferenceNet(b, shape.NHWC) }},
		{Name: "residual net in inference NCHW", Runs: 3, Build: func(b *B) { inferenceNet(b, shape.NCHW) }},
		{Name: "evaluation with penalties", Runs: 3, Build: evaluation},
		{Name: "weights shared by two readers", Runs: 2, Build: func(b *B) {
			w := b.Apply(&op.Scale{Factor: 0.5}, b.Weight("w", 6, 6))
			x := b.Input("x", 3, 6)
			h := b.Apply(&op.MatMul{}, x, w)
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{TransB: true}, h, w))
			b.Want("sum", numtest.Reduction, b.Apply(&op.Add{}, b.Apply(&op.MatMul{}, x, h3(b, w)), h))
		}},
		{Name: "weights that are reshaped", Runs: 2, Build: func(b *B) {
			w := b.Weight("w", 2, 3, 5)
			flat := b.Apply(&op.Reshape{From: w.Shape().Clone(), To: []int{6, 5}}, w)
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, b.Input("x", 4, 6), flat))
		}},
		{Name: "a result of weights alone is wanted", Runs: 2, Build: func(b *B) {
			w := b.Weight("w", 4, 5)
			doubled := b.Want("doubled", numtest.Elementwise, b.Apply(&op.Scale{Factor: 2}, w))
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, b.Input("x", 3, 4), doubled))
		}},
		{Name: "a filter made of weights, with batch statistics", Runs: 3, Build: func(b *B) {
			w := b.Apply(&op.Scale{Factor: 0.5}, b.Weight("w", 3, 3, 4, 6))
			y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, b.Input("x", 2, 5, 6, 4), w)
			mean := b.Want("mean", numtest.Reduction, b.Apply(&op.BatchMean{Axis: 3}, y))
			b.Want("variance", numtest.Reduction, b.Apply(&op.BatchVariance{Axis: 3}, y, mean))
			b.Want("y", numtest.Reduction, b.Apply(&op.ReLU{}, y))
		}},
		{Name: "weights on the left", Runs: 2, Build: func(b *B) {
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, b.Weight("w", 4, 6), b.Input("x", 6, 3)))
		}},
		{Name: "nothing but weights", Runs: 2, Build: func(b *B) {
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, b.Weight("w", 4, 6), b.Weight("v", 6, 3)))
		}},
	}
	for _, c := range []struct {
		name             string
		n, h, w, cin, k  int
		cout, stride, gr int
	}{
		{"3x3", 2, 7, 9, 5, 3, 6, 1, 1}, {"1x1", 2, 5, 5, 16, 1, 40, 1, 1}, {"1x1 stride 2", 1, 8, 7, 16, 1, 8, 2, 1}, {"groups", 2, 6, 5, 8, 3, 6, 1, 2},
		{"depthwise", 2, 6, 5, 8, 3, 8, 1, 8}, {"map of one pixel", 1, 1, 1, 40, 3, 70, 1, 1}, {"map of one pixel, batch 9", 9, 1, 1, 40, 3, 70, 1, 1},
		{"map of four pixels, batch 6", 6, 2, 2, 64, 3, 36, 1, 1}, {"map of four pixels", 1, 2, 2, 64, 3, 36, 1, 1}, {"stem", 1, 9, 9, 3, 7, 16, 2, 1},
	} {
		for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
			all = append(all, Case{Name: fmt.Sprintf("frozen conv2d %s %v", c.name, f), Runs: 2, Build: func(b *B) {
				y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int{c.stride, c.stride}, Groups: c.gr, Padding: same, Format: f}},
					b.Input("x", image(f, c.n, c.h, c.w, c.cin)...), b.Weight("w", c.k, c.k, c.cin/c.gr, c.cout))
				_, _, axis := f.Axes()
				y = b.Apply(&op.BiasAdd{Axis: axis}, y, b.Weight("bias", c.cout))
				y = b.Apply(&op.Add{}, y, b.Input("z", y.Shape().Clone()...))
				b.Want("y", numtest.Reduction, b.Apply(&op.ReLU{}, y))
			}})
		}
	}
	for _, s := range [][3]int{{1, 1, 1}, {1, 300, 70}, {16, 64, 100}, {70, 33, 17}} {
		for _, trans := range []bool{false, true} {
			all = append(all, Case{Name: fmt.Sprintf("frozen dense %v transposed %t", s, trans), Runs: 2, Build: func(b *B) {
				w := b.Weight("w", s[1], s[2])
				if trans {
					w = b.Weight("wt", s[2], s[1])
				}
				y := b.Apply(&op.MatMul{TransB: trans}, b.Input("x", s[0], s[1]), w)
				y = b.Apply(&op.BiasAdd{Axis: 1}, y, b.Weight("bias", s[2]))
				b.Want("y", numtest.Reduction, b.Apply(&op.ReLU{}, b.Apply(&op.Add{}, y, b.Input("z", s[0], s[2]))))
			}})
		}
	}
	return all
}

func h3(b *B, w *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Scale{Factor: 3}, w) }

// inferenceNet is stem with a border of zeros, residual blocks with and without projection, pooling and classifier.
func inferenceNet(b *B, f shape.Layout) {
	_, _, axis := f.Axes()
	conv := func(name string, x *gorgonia.Node, k, cin, cout, stride int, p shape.Padding) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int{stride, stride}, Padding: p, Format: f}}, x, b.Weight(name+"/kernel", k, k, cin, cout))
	}
	norm := func(name string, x *gorgonia.Node, c int) *gorgonia.Node {
		return b.inferred(name, x, axis, c, b.Resident)
	}
	relu := func(x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, x) }
	x := b.Apply(&op.ZeroPad2D{Top: 3, Bottom: 3, Left: 3, Right: 3, Format: f}, b.Input("image", image(f, 3, 12, 12, 3)...))
	a := relu(norm("bn1", b.Apply(&op.BiasAdd{Axis: axis}, conv("conv1", x, 7, 3, 8, 2, valid), b.Weight("conv1/bias", 8)), 8))
	a = b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: same, Format: f}}, a)
	left := relu(norm("bn2a", conv("conv2a", a, 1, 8, 4, 1, valid), 4))
	left = norm("bn2b", conv("conv2b", left, 3, 4, 16, 2, same), 16)
	right := norm("bn2s", conv("conv2s", a, 1, 8, 16, 2, valid), 16)
	a = relu(b.Apply(&op.Add{}, left, right))
	c := norm("bn3b", conv("conv3b", relu(norm("bn3a", conv("conv3a", a, 3, 16, 16, 1, same), 16)), 3, 16, 16, 1, same), 16)
	a = relu(b.Apply(&op.Add{}, c, a))
	pooled := b.Apply(&op.GlobalAvgPool2D{Format: f}, a)
	dense := b.inferred("bn4", b.Apply(&op.MatMul{}, pooled, b.Weight("dense/kernel", 16, 7)), 1, 7, b.Resident)
	b.Want("probabilities", numtest.Gradient, b.Apply(&op.Softmax{}, dense))
}

// evaluation is a loss with penalties on weights, which are the same in every run.
func evaluation(b *B) {
	w, v := b.Weight("w", 3, 3, 3, 8), b.Weight("v", 8, 5)
	y := b.Apply(&op.ReLU{}, b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, b.Input("x", 2, 5, 5, 3), w))
	logits := b.Apply(&op.MatMul{}, b.Apply(&op.GlobalAvgPool2D{}, y), v)
	loss := b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, logits, b.Labels("labels", 2, 5)))
	for _, p := range []*gorgonia.Node{w, v} {
		loss = b.Apply(&op.Add{}, loss, b.Apply(&op.L2Penalty{Lambda: 1e-2}, p))
	}
	b.Want("loss", numtest.Reduction, loss)
}
