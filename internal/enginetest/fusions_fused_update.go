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
	for i := range all {
		c := &all[i]
		c.Pass, c.Name, c.After = "update", "update"+c.Name, []string{"l2", "momentum", "adam"}
	}
	return all
}
