package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func updateCases() []Case {
	var all []Case
	for _, decay := range []float64{0, 0.01} {
		grad := func(b *B, w *gorgonia.Node) *gorgonia.Node {
			g := b.Input("g", 7, 37)
			if decay == 0 {
				return g
			}
			return b.Apply(&op.WeightDecay{Rate: decay}, g, w)
		}
		all = append(all, Case{Name: fmt.Sprintf("descend decay %g", decay), Runs: 3, Build: func(b *B) {
			w := b.Input("w", 7, 37)
			b.Update(w, b.Apply(&op.Descend{}, w, grad(b, w), b.Scalar("lr", 0.1)))
		}}, Case{Name: fmt.Sprintf("momentum decay %g", decay), Runs: 3, Build: func(b *B) {
			w, v := b.Input("w", 7, 37), b.Input("v", 7, 37)
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, grad(b, w), b.Scalar("lr", 0.1))
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Add{}, w, next))
		}}, Case{Name: fmt.Sprintf("nesterov decay %g", decay), Runs: 3, Build: func(b *B) {
			w, v, lr := b.Input("w", 7, 37), b.Input("v", 7, 37), b.Scalar("lr", 0.1)
			g := grad(b, w)
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, g, lr)
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Nesterov{Momentum: 0.9}, w, next, g, lr))
		}}, Case{Name: fmt.Sprintf("adam decay %g", decay), Runs: 3, Build: func(b *B) {
			w, m, v := b.Input("w", 7, 37), b.Input("m", 7, 37), b.Positive("v", 7, 37)
			g := grad(b, w)
			m1 := b.Apply(&op.AdamMean{Beta: 0.9}, m, g)
			v1 := b.Apply(&op.AdamSquare{Beta: 0.999}, v, g)
			b.Update(m, m1)
			b.Update(v, v1)
			b.Update(w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, w, m1, v1, b.Scalar("lr", 0.1), b.Int("t", 2)))
		}})
	}
	all = append(all, manyUpdates()...)
	all = append(all, Case{Name: "updates take effect together", Runs: 3, Build: func(b *B) {
		// a and b change places; c counts on the old value of a, which is updated in place if that is still sound.
		p, q, c := b.Input("p", 5), b.Input("q", 5), b.Input("c", 5)
		b.Update(p, q)
		b.Update(q, p)
		b.Update(c, b.Apply(&op.Add{}, c, p))
		b.Want("c before", numtest.Elementwise, b.Apply(&op.Scale{Factor: 2}, c))
	}})
	return all
}

// manyUpdates are steps of many parameters of different sizes that share a learning rate: engines may do them together.
func manyUpdates() []Case {
	each := func(b *B, do func(name func(string) string, dims []int)) {
		for i := range 130 {
			dims := []int{1 + i%7, 1 + i%5}
			if i%40 == 3 {
				dims = []int{4096 * (i%3 + 1), 1 + i%2}
			}
			do(func(s string) string { return fmt.Sprintf("%s%d", s, i) }, dims)
		}
	}
	return []Case{{Name: "momentum of many parameters", Runs: 3, Build: func(b *B) {
		lr := b.Scalar("lr", 0.1)
		each(b, func(name func(string) string, dims []int) {
			w, v := b.Input(name("w"), dims...), b.Input(name("v"), dims...)
			g := b.Apply(&op.WeightDecay{Rate: 0.01}, b.Input(name("g"), dims...), w)
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, g, lr)
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Nesterov{Momentum: 0.9}, w, next, g, lr))
		})
	}}, {Name: "adam of many parameters", Runs: 3, Build: func(b *B) {
		lr, t := b.Scalar("lr", 0.1), b.Int("t", 2)
		each(b, func(name func(string) string, dims []int) {
			w, m, v := b.Input(name("w"), dims...), b.Input(name("m"), dims...), b.Positive(name("v"), dims...)
			g := b.Input(name("g"), dims...)
			m1 := b.Apply(&op.AdamMean{Beta: 0.9}, m, g)
			v1 := b.Apply(&op.AdamSquare{Beta: 0.999}, v, g)
			b.Update(m, m1)
			b.Update(v, v1)
			b.Update(w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, w, m1, v1, lr, t))
		})
	}}, {Name: "momentum with penalties of many parameters", Runs: 3, Build: func(b *B) {
		lr, scale := b.Scalar("lr", 0.1), b.Scalar("scale", 0.5)
		i := 0
		each(b, func(name func(string) string, dims []int) {
			w, v, g := b.Input(name("w"), dims...), b.Input(name("v"), dims...), b.Input(name("g"), dims...)
			if i++; i%3 > 0 { // the others have none
				g = b.Apply(&op.Add{}, g, b.Apply(&op.L2PenaltyGrad{Lambda: 0.01 * float64(i%3)}, w, scale))
			}
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, g, lr)
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Add{}, w, next))
		})
	}}, {Name: "sums of gradients with penalties of many parameters", Runs: 3, Build: func(b *B) {
		scale := b.Scalar("scale", 0.5)
		each(b, func(name func(string) string, dims []int) {
			w, sum := b.Input(name("w"), dims...), b.Input(name("sum"), dims...)
			b.Update(sum, b.Apply(&op.Add{}, b.Input(name("g"), dims...), b.Apply(&op.L2PenaltyGrad{Lambda: 0.01}, w, scale)))
		})
	}}, {Name: "descent and running averages of many parameters", Runs: 3, Build: func(b *B) {
		lr := b.Scalar("lr", 0.1)
		each(b, func(name func(string) string, dims []int) {
			w, g := b.Input(name("w"), dims...), b.Input(name("g"), dims...)
			b.Update(w, b.Apply(&op.Descend{}, w, g, lr))
		})
		each(b, func(name func(string) string, dims []int) {
			mean := b.Input(name("mean"), dims...)
			b.Update(mean, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1 + float64(len(mean.Name()))/16}, mean, b.Input(name("batch"), dims...)))
		})
	}}}
}
