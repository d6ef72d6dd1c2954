package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// primitiveCases are the primitives of package op and what layers, losses and optimizers make of them, forward and backward.
func primitiveCases() []Case {
	var all []Case
	add := func(name string, build func(b *B)) { all = append(all, Case{Name: "primitive " + name, Build: build}) }
	for fn := range op.UnaryFns {
		add(fn.String(), func(b *B) {
			x := b.Positive("x", 7, 33)
			y := b.Want("y", numtest.Elementwise, b.node(op.Of(x).Unary(fn)))
			if y.Op().(op.Op).DiffWRT(1)[0] {
				b.Grads(y, x)
			}
		})
	}
	shapes := [][2][]int{{{3, 5}, {3, 5}}, {{2, 3, 5}, {5}}, {{3, 1}, {4, 1, 5}}, {{}, {3, 5}}, {{1, 1}, {3}}, {{2, 1, 70, 1}, {3, 1, 33}}}
	for fn := range op.BinaryFns {
		for _, s := range shapes {
			add(fmt.Sprintf("%v %v %v", fn, s[0], s[1]), func(b *B) {
				x, z := b.positive("x", s[0]...), b.positive("z", s[1]...)
				b.differentiate(op.Of(x).Binary(fn, op.Of(z)), x, z)
			})
		}
		add(fmt.Sprintf("%v numbers", fn), func(b *B) {
			x := b.Positive("x", 3, 5)
			b.differentiate(op.Number(1.25).Binary(fn, op.Of(x)), x)
			b.differentiate(op.Of(x).Exp().Binary(fn, op.Number(0.75)), x)
		})
	}
	for fn := range op.ReduceFns {
		for _, axes := range [][]int{nil, {0}, {-1}, {1}, {0, 2}, {2, 1}, {0, 1, 2}} {
			add(fmt.Sprintf("%v %v", fn, axes), func(b *B) {
				x := b.Input("x", 5, 7, 9)
				b.Grads(b.Want("y", numtest.Reduction, b.node(op.Of(x).Reduce(fn, axes...))), x)
				z := b.Input("z", 5, 1, 3)
				b.Grads(b.Want("kept", numtest.Reduction, b.node(op.Of(z).ReduceKeep(fn, axes...))), z)
			})
		}
	}
	for _, trans := range [][2]bool{{}, {true, false}, {false, true}, {true, true}} {
		for _, g := range [][]int{{2, 3, 5, 4}, {1, 1, 1, 3}, {12, 17, 9, 33}} {
			add(fmt.Sprintf("batched matmul %v %v", g, trans), func(b *B) {
				of := func(name string, rows, columns int, trans bool) *gorgonia.Node {
					if trans {
						rows, columns = columns, rows
					}
					return b.Input(name, g[0], 2, rows, columns)
				}
				x, y := of("x", g[1], g[3], trans[0]), of("y", g[3], g[2], trans[1])
				b.Grads(b.Want("z", numtest.Reduction, b.node(op.Of(x).BatchMatMul(op.Of(y), trans[0], trans[1]))), x, y)
			})
		}
	}
	return append(append(all, movingCases()...), composedCases()...)
}

// movingCases move elements.
func movingCases() []Case {
	moves := func(name string, build func(x op.Expr) op.Expr, dims ...int) Case {
		return Case{Name: "primitive " + name, Build: func(b *B) {
			x := b.Input("x", dims...)
			b.Grads(b.Want("y", numtest.Elementwise, b.node(build(op.Of(x)))), x)
		}}
	}
	gather := func(axis, n int, dims, indices []int) Case {
		return Case{Name: fmt.Sprintf("primitive gather %d %v %v", axis, dims, indices), Build: func(b *B) {
			x, list := b.Input("x", dims...), make([]int, op.Len(indices))
			numtest.FillLabels("indices", 1, n, list)
			b.Grads(b.Want("y", numtest.Elementwise, b.node(op.Of(x).Gather(axis, op.Of(b.Ints("indices", list, indices...))))), x)
		}}
	}
	return []Case{
		moves("stretch a row", func(x op.Expr) op.Expr { return x.BroadcastTo(4, 3, 5) }, 5),
		moves("stretch a column", func(x op.Expr) op.Expr { return x.BroadcastTo(4, 3, 5) }, 3, 1),
		moves("stretch both ways", func(x op.Expr) op.Expr { return x.BroadcastTo(4, 3, 5).Exp() }, 4, 1, 5),
		moves("stretch one element", func(x op.Expr) op.Expr { return x.BroadcastTo(4, 3) }, 1),
		moves("stretch a sum", func(x op.Expr) op.Expr { return x.Sum().BroadcastTo(4, 3) }, 2, 2),
		moves("join", func(x op.Expr) op.Expr { return op.Join(1, x, x.Exp(), x.Slice(1, 0, 1)) }, 3, 4, 5),
		moves("join one", func(x op.Expr) op.Expr { return op.Join(-1, x) }, 3, 4),
		moves("stack", func(x op.Expr) op.Expr { return op.Stack(1, x, x.Neg()) }, 3, 4),
		moves("slice", func(x op.Expr) op.Expr { return x.Slice(1, 1, -1) }, 3, 7, 5),
		moves("slice one", func(x op.Expr) op.Expr { return x.Slice(0, -1, op.ToEnd) }, 3, 7),
		moves("slice with steps", func(x op.Expr) op.Expr { return x.Stride(1, 0, op.ToEnd, 2).Stride(-1, 1, op.ToEnd, 3) }, 3, 7, 6),
		moves("flip", func(x op.Expr) op.Expr { return x.Flip(1) }, 3, 7, 5),
		moves("slice backwards", func(x op.Expr) op.Expr { return x.Stride(-1, 5, 0, -2) }, 3, 7),
		moves("slice all axes", func(x op.Expr) op.Expr {
			return x.Apply(&op.Slice{Starts: []int{1, -1, 0}, Stops: []int{3, op.ToStart, 9}, Steps: []int{1, -3, 4}})
		}, 4, 7, 10),
		moves("split and swap", func(x op.Expr) op.Expr { s := x.Split(-1, 2); return op.Join(-1, s[1], s[0]) }, 3, 8),
		moves("stop", func(x op.Expr) op.Expr { return x.StopGradient().Add(x) }, 3, 8),
		gather(0, 5, []int{5, 3}, []int{9}), gather(0, 11, []int{11, 6}, []int{4, 7}), gather(1, 5, []int{3, 5, 2}, []int{4}),
		gather(-1, 5, []int{3, 5}, []int{2, 2}), gather(0, 5, []int{5, 3}, []int{1}), gather(0, 600, []int{600, 64}, []int{32, 40}),
		{Name: "primitive full", Build: func(b *B) {
			x := op.Of(b.Input("x", 3))
			for i, dims := range [][]int{{}, {4}, {3, 5}, {1, 1}, {70, 80}} {
				b.Want(fmt.Sprint(i), numtest.Elementwise, b.node(x.Full(0.1, dims...)))
			}
			k, err := op.Const(b.Input("z", 2), 3)
			if err != nil {
				b.T.Fatal(err)
			}
			b.Want("sum", numtest.Reduction, b.node(x.Add(op.Of(k)).Mul(x.Full(2, 4, 3)).Mul(x.Full(0.125, 70, 80).Sum())))
		}},
	}
}

// composedCases are expressions as layers, losses and optimizers have.
func composedCases() []Case {
	return []Case{
		{Name: "primitive layer normalisation", Build: func(b *B) {
			x, gamma, beta := b.Input("x", 6, 17), b.Input("gamma", 17), b.Input("beta", 17)
			d := op.Of(x).Sub(op.Of(x).MeanKeep(-1))
			y := d.Mul(d.Square().MeanKeep(-1).Add(op.Number(1e-3)).InverseSqrt()).Mul(op.Of(gamma)).Add(op.Of(beta))
			b.Grads(b.Want("y", numtest.Gradient, b.node(y)), x, gamma, beta)
		}},
		{Name: "primitive softmax of channels", Build: func(b *B) {
			x := b.Input("x", 3, 5, 7)
			e := op.Of(x).Sub(op.Of(x).MaxKeep(1).StopGradient()).Exp()
			b.Grads(b.Want("y", numtest.Reduction, b.node(e.Div(e.SumKeep(1)))), x)
		}},
		{Name: "primitive gelu", Build: func(b *B) {
			x := b.Input("x", 9, 40)
			y := op.Of(x).Mul(op.Of(x).Mul(op.Number(0.7071067811865476)).Erf().Add(op.Number(1))).Mul(op.Number(0.5))
			b.Grads(b.Want("y", numtest.Gradient, b.node(y)), x) // 1 + erf(x) cancels far left
		}},
		{Name: "primitive where and clip", Build: func(b *B) {
			x, z := b.Input("x", 9, 4), b.Input("z", 4)
			y := op.Where(op.Of(x).Greater(op.Of(z)), op.Of(x).Clip(-0.5, 0.5), op.Of(z).Square())
			b.Grads(b.Want("y", numtest.Elementwise, b.node(y)), x, z)
		}},
		{Name: "primitive optimizer", Runs: 3, Build: func(b *B) {
			w, v, g, lr := b.Input("w", 4, 3), b.Positive("v", 4, 3), b.Input("g", 4, 3), b.Scalar("lr", 0.1)
			next := op.Of(v).Mul(op.Number(0.9)).Add(op.Of(g).Square().Mul(op.Number(0.1)))
			b.Update(v, b.node(next))
			b.Update(w, b.node(op.Of(w).Sub(op.Of(lr).Mul(op.Of(g)).Div(next.Sqrt().Add(op.Number(1e-7))))))
		}},
		{Name: "primitive noise", Build: func(b *B) {
			x, step := b.Input("x", 5, 33), op.Of(b.Int("step", 3))
			// The mean keeps the sum away from 0, where it would magnify the rounding of logarithm and cosine.
			noise := op.Of(x).Random(op.Gaussian, 4, 0.5, 7, 1<<33, step, 5, 33)
			b.Grads(b.Want("y", numtest.Elementwise, b.node(op.Of(x).Mul(noise))), x)
			b.Want("uniform", numtest.Elementwise, b.node(op.Of(x).Random(op.Uniform, -1, 3, 7, 2, step, 4, 1, 3)))
			b.Want("binomial", numtest.Elementwise, b.node(op.Of(x).Random(op.Binomial, 20, 0.25, 7, 3, step, 70)))
		}},
		{Name: "primitive embedding of floats", Build: func(b *B) {
			table, x := b.Input("table", 9, 6), b.Filled("x", []float32{0, 8.9, 3, 3.5, 1, 0.25}, 2, 3)
			b.Grads(b.Want("y", numtest.Elementwise, b.node(op.Of(table).Gather(0, op.Of(x).Apply(&op.Truncate{})))), table)
		}},
		{Name: "primitive local response", Build: func(b *B) { // sums over neighbours by a band of ones
			x, ones := b.Input("x", 2, 3, 4, 7), make([]float32, 7*7)
			for i := range ones {
				if d := i/7 - i%7; -2 <= d && d <= 2 {
					ones[i] = 1
				}
			}
			sum := op.Try(op.Apply(&op.Conv2D{}, b.node(op.Of(x).Square()), b.Filled("band", ones, 1, 1, 7, 7)))
			root := sum.Mul(op.Number(0.5)).Add(op.Number(2)).InverseSqrt()
			b.Grads(b.Want("y", numtest.Gradient, b.node(op.Of(x).Mul(root.Mul(root.Sqrt())))), x)
		}},
		{Name: "primitive scalars", Build: func(b *B) {
			x, z := b.Scalar("x", 0.5), b.Scalar("z", 2)
			b.Grads(b.Want("y", numtest.Elementwise, b.node(op.Of(x).Pow(op.Of(z)).Add(op.Of(x).Exp().Sum()).Maximum(op.Number(1)))), x, z)
		}},
	}
}

// positive is Positive, of scalars too.
func (b *B) positive(name string, dims ...int) *gorgonia.Node {
	if len(dims) == 0 {
		return b.Scalar(name, 0.5+float32(seedOf(name)%64)/64)
	}
	return b.Positive(name, dims...)
}

func (b *B) node(e op.Expr) *gorgonia.Node {
	b.T.Helper()
	n, err := e.Node()
	if err != nil {
		b.T.Fatal(err)
	}
	return n
}

// differentiate wants an expression and its gradients by those of the inputs that have one.
func (b *B) differentiate(e op.Expr, in ...*gorgonia.Node) {
	b.T.Helper()
	y := b.Want("y", numtest.Elementwise, b.node(e))
	var wrt []*gorgonia.Node
	for i, d := range y.Op().(op.Op).DiffWRT(len(in)) {
		if d && i < len(in) {
			wrt = append(wrt, in[i])
		}
	}
	if len(wrt) > 0 {
		r := b.Positive("upstream", append(tensor.ScalarShape(), y.Shape()...)...)
		if y.IsScalar() {
			b.CostGrads(y, wrt...)
			return
		}
		b.CostGrads(b.node(op.Of(y).Mul(op.Of(r)).Sum()), wrt...)
	}
}
