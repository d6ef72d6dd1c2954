package enginetest

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// wiringCases are graphs whose values come from, go to and are shared between unusual places.
func wiringCases() []Case {
	return []Case{
		{Name: "weight shared by two convolutions", Build: func(b *B) {
			// Gorgonia sums the two gradients of w with its own addition.
			x, w := b.Input("x", 2, 6, 5, 4), b.Input("w", 3, 3, 4, 4)
			conv := func(x *gorgonia.Node) *gorgonia.Node {
				return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, x, w)
			}
			b.Grads(conv(b.Apply(&op.ReLU{}, conv(x))), x, w)
		}},
		{Name: "batch norm shared by two layers", Runs: 2, Build: func(b *B) {
			x, gamma, beta := b.Input("x", 4, 5, 3), b.Input("gamma", 3), b.Input("beta", 3)
			y := x
			for range 2 {
				var err error
				if y, _, _, err = op.BatchNormTraining(y, gamma, beta, -1, 1e-2); err != nil {
					b.T.Fatal(err)
				}
				y = b.Apply(&op.ReLU{}, y)
			}
			b.Grads(y, gamma, beta)
		}},
		{Name: "batch statistics in the cost", Build: func(b *B) {
			// Their own gradients, which batch norm's makes needless elsewhere.
			x := b.Input("x", 4, 5, 3)
			mean := b.Apply(&op.BatchMean{Axis: -1}, x)
			variance := b.Apply(&op.BatchVariance{Axis: -1}, x, mean)
			b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.Add{}, mean, variance)), x)
		}},
		{Name: "every intermediate wanted", Build: func(b *B) {
			x, w, bias := b.Input("x", 5, 6), b.Input("w", 6, 7), b.Input("bias", 7)
			y := b.Want("product", numtest.Reduction, b.Apply(&op.MatMul{}, x, w))
			y = b.Want("sum", numtest.Reduction, b.Apply(&op.BiasAdd{Axis: 1}, y, bias))
			y = b.Want("relu", numtest.Reduction, b.Apply(&op.ReLU{}, y))
			b.Grads(y, x, w, bias)
		}},
		{Name: "inputs and constants wanted", Runs: 2, Build: func(b *B) {
			x := b.Want("x", numtest.Elementwise, b.Input("x", 3, 4))
			k := b.Want("constant", numtest.Elementwise, b.constant(1.5, -2, 3, 0.25))
			y := b.Apply(&op.BiasAdd{Axis: -1}, x, k)
			b.Want("y", numtest.Elementwise, y)
			b.Want("y again", numtest.Elementwise, y)
			b.Update(b.Input("state", 4), k)
		}},
		{Name: "step of dropout that counts itself", Runs: 3, Build: func(b *B) {
			step := b.Int("step", 4)
			two := b.G.AddNode(gorgonia.NewConstant(2)) // 1 would be taken for the float 1 that Grad starts from: constants merge by name
			next, err := gorgonia.Add(step, two)
			if err != nil {
				b.T.Fatal(err)
			}
			b.Update(step, next)
			x := b.Input("x", 9, 7)
			b.Grads(b.Want("y", numtest.Elementwise, b.Apply(&op.Dropout{Rate: 0.5, Seed: 1}, x, step)), x)
		}},
		{Name: "operations of Gorgonia between ours", Build: func(b *B) {
			x, w := b.Input("x", 5, 6), b.Input("w", 6, 7)
			h, err := gorgonia.Tanh(b.Apply(&op.MatMul{}, x, w))
			if err != nil {
				b.T.Fatal(err)
			}
			b.Grads(b.Want("y", numtest.Gradient, b.Apply(&op.ReLU{}, h)), x, w)
		}},
		{Name: "nothing but scalars", Runs: 3, Build: func(b *B) {
			w, v, lr := b.Scalar("w", 2), b.Scalar("v", 0.5), b.Scalar("lr", 0.1)
			g := b.Want("g", numtest.Elementwise, b.Apply(&op.Mul{}, w, w))
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, g, lr)
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Add{}, w, next))
		}},
	}
}

// constant is a vector that is part of the graph.
func (b *B) constant(x ...float64) *gorgonia.Node {
	var data any = x
	if b.Dt == tensor.Float32 {
		narrow := make([]float32, len(x))
		for i, v := range x {
			narrow[i] = float32(v)
		}
		data = narrow
	}
	return b.G.AddNode(gorgonia.NewConstant(tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(data))))
}
