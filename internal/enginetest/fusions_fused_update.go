package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// fusedUpdateFusions are updates with what surrounds them in a training step.
func fusedUpdateFusions() []FusionCase {
	const fused = "+l2(lambda 0.1)+penalty(lambda 0.1)"
	penalty := func(b *B, w *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.L2Penalty{Lambda: 0.1}, w) }
	loss := func(b *B, w *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, w, b.Input(w.Name()+"/r", w.Shape()...)))
	}
	grad := func(b *B, cost, w *gorgonia.Node) *gorgonia.Node {
		grads, err := gorgonia.Grad(cost, w)
		if err != nil {
			b.T.Fatal(err)
		}
		return grads[0]
	}
	sum := func(b *B, x, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, x, y) }
	// step is a momentum step on the gradient of cost, g if it is given.
	step := func(b *B, m moving, cost *gorgonia.Node) moving {
		if cost != nil {
			m.g = grad(b, cost, m.w)
		}
		b.Update(m.w, sum(b, m.w, b.velocity(m)))
		return m
	}
	all := []FusionCase{
		fusion("", "momentum", func(b *B) {
			m := b.moving("p")
			cost := sum(b, loss(b, m.w), penalty(b, m.w))
			step(b, m, cost)
			b.out(cost)
		}, []string{"MomentumUpdate(momentum 0.9, decay 0)" + fused}, "AddL2Grad", "L2Penalty("),
		fusion("", "Nesterov with decay", func(b *B) {
			m := b.moving("p")
			cost := sum(b, loss(b, m.w), penalty(b, m.w))
			m.g = b.Apply(&op.WeightDecay{Rate: 0.01}, grad(b, cost, m.w), m.w)
			b.Update(m.w, b.Apply(&op.Nesterov{Momentum: 0.9}, m.w, b.velocity(m), m.g, m.lr))
			b.out(cost)
		}, []string{"decay 0.01)+nesterov" + fused}, "AddL2Grad", "L2Penalty("),
		fusion("", "Adam", func(b *B) {
			w, m, v := b.Input("w", 3, 5), b.Input("m", 3, 5), b.Positive("v", 3, 5)
			cost := sum(b, loss(b, w), penalty(b, w))
			g := grad(b, cost, w)
			m1, v1 := b.Apply(&op.AdamMean{Beta: 0.9}, m, g), b.Apply(&op.AdamSquare{Beta: 0.999}, v, g)
			b.Update(m, m1)
			b.Update(v, v1)
			b.Update(w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, w, m1, v1, b.Scalar("lr", 0.1), b.Int("t", 2)))
			b.out(cost)
		}, []string{"AdamUpdate(", fused}, "AddL2Grad", "L2Penalty("),
		fusion("", "penalties of two parameters", func(b *B) {
			p, q := b.moving("p"), b.moving("q")
			cost := sum(b, sum(b, loss(b, p.w), loss(b, q.w)), sum(b, penalty(b, p.w), penalty(b, q.w)))
			grads, err := gorgonia.Grad(cost, p.w, q.w)
			if err != nil {
				b.T.Fatal(err)
			}
			p.g, q.g = grads[0], grads[1]
			step(b, p, nil)
			step(b, q, nil)
			b.out(cost)
		}, []string{"MomentumUpdate(momentum 0.9, decay 0)" + fused}, "AddL2Grad", "L2Penalty("),
		fusion("", "the penalty itself is wanted, and the new weight", func(b *B) {
			m := b.moving("p")
			l2 := b.out(penalty(b, m.w))
			m.g = grad(b, sum(b, loss(b, m.w), l2), m.w)
			b.Update(m.w, b.out(sum(b, m.w, b.velocity(m))))
		}, []string{fused}, "AddL2Grad", "L2Penalty("),
		fusion("", "nobody wants the penalty", func(b *B) {
			m := b.moving("p")
			step(b, m, sum(b, loss(b, m.w), penalty(b, m.w)))
		}, []string{"+l2(lambda 0.1)("}, "AddL2Grad"),
		fusion("", "the penalty scales a gradient", func(b *B) {
			p, q := b.moving("p"), b.moving("q")
			l2 := penalty(b, p.w)
			step(b, p, sum(b, loss(b, p.w), l2))
			step(b, q, b.Apply(&op.Mul{}, loss(b, q.w), l2))
			b.out(l2)
		}, []string{"+l2(lambda 0.1)(", "L2Penalty("}),
		fusion("", "the penalty is an update", func(b *B) {
			m := b.moving("p")
			l2 := penalty(b, m.w)
			step(b, m, sum(b, loss(b, m.w), l2))
			b.Update(b.Scalar("last penalty", 0), l2)
		}, []string{"+l2(lambda 0.1)(", "L2Penalty("}),
		fusion("", "the gradient is wanted", func(b *B) {
			m := b.moving("p")
			cost := sum(b, loss(b, m.w), penalty(b, m.w))
			b.out(cost)
			b.out(step(b, m, cost).g)
		}, nil),
		fusion("", "the penalty of another weight", func(b *B) {
			m := b.moving("p")
			m.g = sum(b, m.g, b.Apply(&op.L2PenaltyGrad{Lambda: 0.1}, b.Input("other", 3, 5), b.Scalar("s", 0.5)))
			step(b, m, nil)
		}, nil),
		fusion("", "a penalty of nothing", func(b *B) {
			m := b.moving("p")
			m.g = sum(b, m.g, b.Apply(&op.L2PenaltyGrad{}, m.w, b.Scalar("s", 0.5)))
			step(b, m, nil)
		}, nil),
	}
	all = append(all, append(gradientFusions(), filterFusions()...)...)
	for i := range all {
		c := &all[i]
		c.Pass, c.Name, c.After = "update", "update"+c.Name, []string{"l2", "momentum", "adam"}
	}
	return all
}

// gradientFusions are updates with the product that makes their gradient, which has to be a large one.
func gradientFusions() []FusionCase {
	const in, out = 521, 509
	type layer struct{ x, w, v, lr *gorgonia.Node }
	dense := func(b *B) layer {
		return layer{b.Input("x", 3, in), b.Input("w", in, out), b.Input("v", in, out), b.Scalar("lr", 0.1)}
	}
	loss := func(b *B, y *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, y, b.Input("r", y.Shape()...)))
	}
	grad := func(b *B, cost *gorgonia.Node, l layer) *gorgonia.Node {
		grads, err := gorgonia.Grad(cost, l.w)
		if err != nil {
			b.T.Fatal(err)
		}
		return grads[0]
	}
	step := func(b *B, l layer, g *gorgonia.Node) {
		v := b.Apply(&op.Momentum{Momentum: 0.9}, l.v, g, l.lr)
		b.Update(l.v, v)
		b.Update(l.w, b.Apply(&op.Add{}, l.w, v))
	}
	const product = "MatMul(transA true, transB false)+MomentumUpdate(momentum 0.9, decay 0)"
	return []FusionCase{
		fusion("", "of a dense layer", func(b *B) {
			l := dense(b)
			step(b, l, grad(b, b.out(loss(b, b.Apply(&op.MatMul{}, l.x, l.w))), l))
		}, []string{product + "("}, "MatMul(transA true, transB false)("),
		fusion("", "of a dense layer with a penalty", func(b *B) {
			l := dense(b)
			cost := b.Apply(&op.Add{}, loss(b, b.Apply(&op.MatMul{}, l.x, l.w)), b.Apply(&op.L2Penalty{Lambda: 1e-4}, l.w))
			step(b, l, grad(b, b.out(cost), l))
		}, []string{product + "+l2(lambda 0.0001)+penalty(lambda 0.0001)("}, "AddL2Grad", "L2Penalty("),
		fusion("", "of a dense layer whose input has a gradient", func(b *B) {
			l := dense(b)
			before := b.Input("w0", 4, in)
			x := b.Apply(&op.MatMul{}, b.Input("x0", 3, 4), before)
			grads, err := gorgonia.Grad(loss(b, b.Apply(&op.MatMul{}, x, l.w)), l.w, before)
			if err != nil {
				b.T.Fatal(err)
			}
			step(b, l, grads[0])
			b.out(grads[1])
		}, []string{product + "("}),
		fusion("", "of a dense layer, by Adam with decay", func(b *B) {
			l := dense(b)
			g := grad(b, loss(b, b.Apply(&op.MatMul{}, l.x, l.w)), l)
			g = b.Apply(&op.WeightDecay{Rate: 0.01}, g, l.w)
			m1, v1 := b.Apply(&op.AdamMean{Beta: 0.9}, l.v, g), b.Apply(&op.AdamSquare{Beta: 0.999}, b.Positive("s", in, out), g)
			b.Update(l.v, m1)
			b.Update(l.w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, l.w, m1, v1, l.lr, b.Int("t", 2)))
		}, []string{"+AdamUpdate("}),
		fusion("", "the gradient of a dense layer is wanted", func(b *B) {
			l := dense(b)
			step(b, l, b.out(grad(b, loss(b, b.Apply(&op.MatMul{}, l.x, l.w)), l)))
		}, nil),
		fusion("", "of a dense layer that is used twice", func(b *B) {
			l := dense(b)
			y := b.Apply(&op.Add{}, b.Apply(&op.MatMul{}, l.x, l.w), b.Apply(&op.MatMul{}, b.Input("x2", 3, in), l.w))
			step(b, l, grad(b, loss(b, y), l))
		}, nil),
		fusion("", "of a small dense layer", func(b *B) {
			l := layer{b.Input("x", 3, 7), b.Input("w", 7, 5), b.Input("v", 7, 5), b.Scalar("lr", 0.1)}
			step(b, l, grad(b, loss(b, b.Apply(&op.MatMul{}, l.x, l.w)), l))
		}, nil),
		fusion("", "the gradient is made of the weight", func(b *B) {
			l := layer{nil, b.Input("w", 513, 513), b.Input("v", 513, 513), b.Scalar("lr", 0.1)}
			step(b, l, b.Apply(&op.MatMul{}, l.w, b.Filled("one", make([]float32, 513*513), 513, 513)))
		}, nil),
	}
}
