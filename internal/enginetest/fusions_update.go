package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// moving are the nodes of one parameter's momentum step.
type moving struct{ w, v, g, lr *gorgonia.Node }

func (b *B) moving(name string) moving {
	return moving{b.Input(name+"/w", 3, 5), b.Input(name+"/v", 3, 5), b.Input(name+"/g", 3, 5), b.Scalar(name+"/lr", 0.1)}
}

func (b *B) velocity(m moving) *gorgonia.Node {
	next := b.Apply(&op.Momentum{Momentum: 0.9}, m.v, m.g, m.lr)
	b.Update(m.v, next)
	return next
}

// throughView is 2·x, computed on a view of x of another shape.
func throughView(b *B, x *gorgonia.Node) *gorgonia.Node {
	dims := x.Shape().Clone()
	flat := b.Apply(&op.Reshape{From: dims, To: []int{dims.TotalSize()}}, x)
	return b.Apply(&op.Reshape{From: flat.Shape().Clone(), To: dims}, b.Apply(&op.Scale{Factor: 2}, flat))
}

func momentumFusions() []FusionCase {
	const pass = "momentum"
	decay := func(b *B, g, w *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.WeightDecay{Rate: 0.01}, g, w) }
	nesterov := func(b *B, m moving, momentum float64) {
		b.Update(m.w, b.Apply(&op.Nesterov{Momentum: momentum}, m.w, b.velocity(m), m.g, m.lr))
	}
	return []FusionCase{
		fusion(pass, "sum", func(b *B) {
			m := b.moving("p")
			b.Update(m.w, b.Apply(&op.Add{}, m.w, b.velocity(m)))
		}, []string{"MomentumUpdate(momentum 0.9, decay 0)("}),
		fusion(pass, "sum with operands exchanged", func(b *B) {
			m := b.moving("p")
			b.Update(m.w, b.Apply(&op.Add{}, b.velocity(m), m.w))
		}, []string{"MomentumUpdate(momentum 0.9, decay 0)("}),
		fusion(pass, "decay", func(b *B) {
			m := b.moving("p")
			m.g = decay(b, m.g, m.w)
			b.Update(m.w, b.Apply(&op.Add{}, m.w, b.velocity(m)))
		}, []string{"MomentumUpdate(momentum 0.9, decay 0.01)("}, "WeightDecay"),
		fusion(pass, "Nesterov", func(b *B) { nesterov(b, b.moving("p"), 0.9) }, []string{"+nesterov"}),
		fusion(pass, "Nesterov with decay", func(b *B) {
			m := b.moving("p")
			m.g = decay(b, m.g, m.w)
			nesterov(b, m, 0.9)
		}, []string{"decay 0.01)+nesterov"}, "WeightDecay"),
		fusion(pass, "two parameters with a rate each", func(b *B) {
			for _, m := range []moving{b.moving("p"), b.moving("q")} {
				b.Update(m.w, b.Apply(&op.Add{}, m.w, b.velocity(m)))
			}
		}, []string{"MomentumUpdate"}, "Momentum(", "Add("),
		fusion(pass, "the decayed gradient is wanted", func(b *B) {
			m := b.moving("p")
			m.g = b.out(decay(b, m.g, m.w))
			b.Update(m.w, b.Apply(&op.Add{}, m.w, b.velocity(m)))
		}, []string{"decay 0)(", "WeightDecay"}),
		fusion(pass, "decay of another weight", func(b *B) {
			m := b.moving("p")
			m.g = decay(b, m.g, b.Input("other", 3, 5))
			b.Update(m.w, b.Apply(&op.Add{}, m.w, b.velocity(m)))
		}, []string{"decay 0)(", "WeightDecay"}),
		fusion(pass, "two velocities in one sum", func(b *B) {
			m, n := b.moving("p"), b.moving("q")
			b.Update(m.w, b.Apply(&op.Add{}, b.velocity(m), b.velocity(n)))
		}, []string{"MomentumUpdate", "Momentum("}),
		fusion(pass, "the new weight is wanted", func(b *B) {
			m := b.moving("p")
			b.Update(m.w, b.out(b.Apply(&op.Add{}, m.w, b.velocity(m))))
		}, []string{"MomentumUpdate"}),
		fusion(pass, "the new velocity is read elsewhere", func(b *B) {
			m := b.moving("p")
			v := b.velocity(m)
			b.Update(m.w, b.Apply(&op.Add{}, m.w, v))
			b.out(b.Apply(&op.Scale{Factor: 2}, v))
		}, nil),
		fusion(pass, "the weight is made from a view of the new velocity", func(b *B) {
			v := b.velocity(b.moving("p"))
			b.out(b.Apply(&op.Add{}, throughView(b, v), v))
		}, nil),
		fusion(pass, "Nesterov with another momentum", func(b *B) { nesterov(b, b.moving("p"), 0.8) }, nil),
		fusion(pass, "Nesterov with another rate", func(b *B) {
			m := b.moving("p")
			v := b.velocity(m)
			b.Update(m.w, b.Apply(&op.Nesterov{Momentum: 0.9}, m.w, v, m.g, b.Scalar("other", 0.2)))
		}, nil),
		fusion(pass, "Nesterov with another gradient", func(b *B) {
			m := b.moving("p")
			v := b.velocity(m)
			b.Update(m.w, b.Apply(&op.Nesterov{Momentum: 0.9}, m.w, v, b.Input("other", 3, 5), m.lr))
		}, nil),
		fusion(pass, "the velocity is doubled", func(b *B) {
			v := b.velocity(b.moving("p"))
			b.out(b.Apply(&op.Add{}, v, v))
		}, nil),
	}
}

func adamFusions() []FusionCase {
	const pass = "adam"
	type variant struct {
		beta1  float64 // of the mean; the step has 0.9
		decay  bool
		spread bool // the second moment has a gradient of its own
	}
	adam := func(b *B, o variant) (mean *gorgonia.Node) {
		w, m, v := b.Input("w", 3, 5), b.Input("m", 3, 5), b.Positive("v", 3, 5)
		g := b.Input("g", 3, 5)
		if o.decay {
			g = b.Apply(&op.WeightDecay{Rate: 0.01}, g, w)
		}
		g2 := g
		if o.spread {
			g2 = b.Input("g2", 3, 5)
		}
		m1 := b.Apply(&op.AdamMean{Beta: o.beta1}, m, g)
		v1 := b.Apply(&op.AdamSquare{Beta: 0.999}, v, g2)
		b.Update(m, m1)
		b.Update(v, v1)
		b.Update(w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, w, m1, v1, b.Scalar("lr", 0.1), b.Int("t", 2)))
		return m1
	}
	return []FusionCase{
		fusion(pass, "step", func(b *B) { adam(b, variant{beta1: 0.9}) }, []string{"AdamUpdate", "decay 0)"}, "AdamStep", "AdamMean", "AdamSquare"),
		fusion(pass, "decay", func(b *B) { adam(b, variant{beta1: 0.9, decay: true}) }, []string{"AdamUpdate", "decay 0.01)"}, "WeightDecay"),
		fusion(pass, "another beta", func(b *B) { adam(b, variant{beta1: 0.8}) }, nil),
		fusion(pass, "two gradients", func(b *B) { adam(b, variant{beta1: 0.9, spread: true}) }, nil),
		fusion(pass, "the weight is made from a view of the mean", func(b *B) {
			g := b.Input("g", 3, 5)
			m1 := b.Apply(&op.AdamMean{Beta: 0.9}, b.Input("m", 3, 5), g)
			v1 := b.Apply(&op.AdamSquare{Beta: 0.999}, b.Positive("v", 3, 5), g)
			b.out(b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, throughView(b, m1), m1, v1, b.Scalar("lr", 0.1), b.Int("t", 2)))
		}, nil),
		fusion(pass, "the mean is read elsewhere", func(b *B) {
			b.out(b.Apply(&op.Scale{Factor: 2}, adam(b, variant{beta1: 0.9})))
		}, nil),
	}
}
