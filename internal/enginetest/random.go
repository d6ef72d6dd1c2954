package enginetest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Random is a case whose graph is drawn at random: up to size operations of all sorts over images and matrices, wired
// to anything that fits, with gradients, optimizers, exchanged variables and outputs in places where nobody would put
// them. The same seed and size give the same graph.
func Random(seed uint64, size int) Case {
	return Case{Name: fmt.Sprintf("random graph %d", seed), Runs: 2, Build: func(b *B) {
		r := &randomGraph{B: b, rng: rand.New(rand.NewPCG(seed, 0)), params: map[*gorgonia.Node][]*gorgonia.Node{}}
		r.pool = []*gorgonia.Node{b.Input("image", 2, 5, 4, 3), b.Input("matrix", 4, 6)}
		for range 1 + r.rng.IntN(size) {
			r.grow()
		}
		r.train()
		for range 1 + r.rng.IntN(3) {
			r.want(r.pick(r.pool))
		}
		if r.rng.IntN(3) == 0 {
			p, q := b.Input("exchanged p", 7), b.Input("exchanged q", 7)
			b.Update(p, q)
			b.Update(q, p)
		}
	}}
}

type randomGraph struct {
	*B
	rng    *rand.Rand
	pool   []*gorgonia.Node                    // tensors to build on
	params map[*gorgonia.Node][]*gorgonia.Node // trainable inputs that a tensor of the pool depends on
	count  int
}

func (r *randomGraph) pick(from []*gorgonia.Node) *gorgonia.Node { return from[r.rng.IntN(len(from))] }

func (r *randomGraph) name(what string) string {
	r.count++
	return fmt.Sprintf("%s %d", what, r.count)
}

// fits returns the tensors of the pool with the shape of x, itself included.
func (r *randomGraph) fits(x *gorgonia.Node) (all []*gorgonia.Node) {
	for _, n := range r.pool {
		if n.Shape().Eq(x.Shape()) {
			all = append(all, n)
		}
	}
	return all
}

// grow adds the result of a random operation to the pool.
func (r *randomGraph) grow() {
	x := r.pick(r.pool)
	c := x.Shape()[x.Dims()-1]
	var y *gorgonia.Node
	in := []*gorgonia.Node{x}
	var fresh []*gorgonia.Node
	param := func(what string, dims ...int) *gorgonia.Node {
		p := r.Input(r.name(what), dims...)
		fresh = append(fresh, p)
		return p
	}
	choices := 12
	if x.Dims() == 4 {
		choices = 16
	}
	switch r.rng.IntN(choices) {
	case 0, 1:
		y = r.Apply(&op.ReLU{}, x)
	case 2, 3:
		z := r.pick(r.fits(x))
		in = append(in, z)
		y = r.Apply(&op.Add{}, x, z)
	case 4:
		z := r.pick(r.fits(x))
		in = append(in, z)
		y = r.Apply(&op.Scale{Factor: 0.25}, r.Apply(&op.Mul{}, x, z))
	case 5:
		y = r.Apply(&op.BiasAdd{Axis: -1}, x, param("bias", c))
	case 6, 7:
		var mean *gorgonia.Node
		var err error
		if y, mean, _, err = op.BatchNormTraining(x, param("gamma", c), param("beta", c), -1, 1e-2); err != nil {
			r.T.Fatal(err)
		}
		moving := r.Input(r.name("moving mean"), c)
		r.Update(moving, r.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1}, moving, mean))
	case 8:
		y = r.Apply(&op.BatchNormInference{Axis: -1, Epsilon: 1e-2}, x, param("gamma", c), param("beta", c),
			r.Input(r.name("mean"), c), r.Positive(r.name("variance"), c))
	case 9:
		y = r.Apply(&op.Dropout{Rate: 0.3, Seed: 5, Stream: uint32(r.count)}, x, r.Int(r.name("step"), r.rng.IntN(9)))
	case 10, 11:
		if x.Dims() == 4 {
			flat, err := op.Flatten(x)
			if err != nil {
				r.T.Fatal(err)
			}
			y = flat
			break
		}
		y = r.Apply(&op.MatMul{}, r.Apply(&op.Scale{Factor: 0.3}, x), param("kernel", c, c))
	case 12, 13:
		conv := &op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}
		y = r.Apply(conv, r.Apply(&op.Scale{Factor: 0.2}, x), param("kernel", 3, 3, c, c))
	case 14:
		attrs := op.PoolAttrs{Pool: [2]int{2, 3}, Strides: [2]int{1, 1}, Padding: same}
		if r.rng.IntN(2) == 0 {
			y = r.Apply(&op.MaxPool2D{PoolAttrs: attrs}, x)
		} else {
			y = r.Apply(&op.AvgPool2D{PoolAttrs: attrs}, x)
		}
	case 15:
		y = r.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, x)
	}
	if r.rng.IntN(4) == 0 { // more chains of the sort that passes look for
		y = r.Apply(&op.ReLU{}, y)
	}
	r.pool = append(r.pool, y)
	seen := map[*gorgonia.Node]bool{}
	for _, p := range r.params[y] { // an equal operation was applied before
		seen[p] = true
	}
	for _, n := range in {
		fresh = append(fresh, r.params[n]...)
	}
	for _, p := range fresh {
		if !seen[p] {
			seen[p] = true
			r.params[y] = append(r.params[y], p)
		}
	}
}

// train differentiates a tensor of the pool and updates what it depends on, each parameter in its own way.
func (r *randomGraph) train() {
	y := r.pick(r.pool)
	params := r.params[y]
	if len(params) == 0 {
		return
	}
	weights := r.Input("upstream", y.Shape().Clone()...)
	cost := r.Apply(&op.Mean{}, r.Apply(&op.Mul{}, y, weights))
	for i, p := range params {
		if i%2 == 0 {
			cost = r.Apply(&op.Add{}, cost, r.Apply(&op.L2Penalty{Lambda: 0.01}, p))
		}
	}
	r.want(cost)
	grads, err := gorgonia.Grad(cost, params...)
	if err != nil {
		r.T.Fatal(err)
	}
	lr := r.Scalar("lr", 0.1)
	for i, p := range params {
		r.optimize(p, grads[i], lr)
		if r.rng.IntN(4) == 0 {
			g := grads[i]
			if i%2 == 1 {
				// Without a penalty it may be 0 but for rounding, as that of a bias before a batch norm: such a number has
				// no size of its own that an error could be measured by.
				g = r.Apply(&op.Add{}, g, p)
			}
			r.want(g)
		}
		if r.rng.IntN(4) == 0 {
			r.want(p)
		}
	}
}

func (r *randomGraph) optimize(p, g, lr *gorgonia.Node) {
	if r.rng.IntN(2) == 0 {
		g = r.Apply(&op.WeightDecay{Rate: 0.01}, g, p)
	}
	state := func(what string) *gorgonia.Node { return r.Positive(r.name(what), p.Shape().Clone()...) }
	switch r.rng.IntN(4) {
	case 0:
		r.Update(p, r.Apply(&op.Descend{}, p, g, lr))
	case 1, 2:
		v := state("velocity")
		next := r.Apply(&op.Momentum{Momentum: 0.9}, v, g, lr)
		r.Update(v, next)
		if r.rng.IntN(2) == 0 {
			r.Update(p, r.Apply(&op.Add{}, p, next))
		} else {
			r.Update(p, r.Apply(&op.Nesterov{Momentum: 0.9}, p, next, g, lr))
		}
		if r.rng.IntN(4) == 0 {
			r.want(next)
		}
	case 3:
		m, v := state("m"), state("v")
		m1 := r.Apply(&op.AdamMean{Beta: 0.9}, m, g)
		v1 := r.Apply(&op.AdamSquare{Beta: 0.99}, v, g)
		r.Update(m, m1)
		r.Update(v, v1)
		r.Update(p, r.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-3}, p, m1, v1, lr, r.Int(r.name("t"), 3)))
	}
}

func (r *randomGraph) want(n *gorgonia.Node) { r.Want(r.name("output"), numtest.Gradient, n) }
