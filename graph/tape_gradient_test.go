package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

func grad(t testing.TB, n *gorgonia.Node) gorgonia.Value {
	t.Helper()
	v, err := n.Grad()
	require.NoError(t, err)
	return v
}

// Gradients add up from run to run until someone zeroes them.
func TestTapeGradientsAccumulate(t *testing.T) {
	for name, opt := range map[string]func(n *tapeNet) gorgonia.VMOpt{
		"of named nodes": func(n *tapeNet) gorgonia.VMOpt { return gorgonia.BindDualValues(n.weights...) },
		"of all nodes":   func(*tapeNet) gorgonia.VMOpt { return gorgonia.BindDualValues() },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, 1e-12, func(t *testing.T, vm newVM) (all []float64) {
				n := perceptron(t, tensor.Float64)
				m := vm(n.G, opt(n))
				defer m.Close()
				require.NoError(t, m.RunAll())
				first := numbers(t, grad(t, n.weights[0]))
				m.Reset()
				require.NoError(t, m.RunAll())
				second := numbers(t, grad(t, n.weights[0]))
				require.InDelta(t, 2*first[0], second[0], 1e-12)
				for _, w := range n.weights {
					d := grad(t, w).(*tensor.Dense)
					all = append(all, numbers(t, d)...)
					d.Zero()
				}
				m.Reset()
				require.NoError(t, m.RunAll())
				require.Equal(t, first, numbers(t, grad(t, n.weights[0])))
				return all
			})
		})
	}
}

// Only the nodes that BindDualValues names get one.
func TestTapeGradientsOfSomeNodes(t *testing.T) {
	both(t, 1e-12, func(t *testing.T, vm newVM) []float64 {
		n := perceptron(t, tensor.Float64)
		m := vm(n.G, gorgonia.BindDualValues(n.weights[1]), gorgonia.BindDualValues(n.weights[3]))
		defer m.Close()
		for range 2 {
			require.NoError(t, m.RunAll())
			m.Reset()
		}
		// of the others Grad returns what the last run computed
		return numbers(t, grad(t, n.weights[0]), grad(t, n.weights[1]), grad(t, n.weights[2]), grad(t, n.weights[3]))
	})
}

// Without BindDualValues Node.Grad is the value of the gradient's node, of the last run.
func TestTapeGradientsUnbound(t *testing.T) {
	both(t, 1e-12, func(t *testing.T, vm newVM) []float64 {
		n := perceptron(t, tensor.Float64)
		m := vm(n.G)
		defer m.Close()
		for range 2 {
			require.NoError(t, m.RunAll())
			m.Reset()
		}
		return numbers(t, grad(t, n.weights[0]), grad(t, n.weights[3]), n.grads[0].Value(), n.grads[3].Value())
	})
}

// A weight used twice gets the sum; two weights may share one gradient.
func TestTapeSharedGradients(t *testing.T) {
	for _, dt := range floatTypes {
		both(t, closeEnough(dt), func(t *testing.T, vm newVM) []float64 {
			b := enginetest.NewB(t, dt)
			x, w, v, u := b.Input("x", 3, 3), b.Input("w", 3, 3), b.Input("v", 3, 3), b.Input("u", 3, 3)
			h := built(gorgonia.Mul(built(gorgonia.Tanh(built(gorgonia.Mul(x, w)))), w))
			sum := built(gorgonia.Add(v, u)) // the gradients of v and u are one node
			cost := built(gorgonia.Sum(built(gorgonia.HadamardProd(h, sum))))
			grads := built(gorgonia.Grad(cost, w, v, u))
			require.Same(t, grads[1], grads[2])
			m := vm(b.G, gorgonia.BindDualValues(w, v, u))
			defer m.Close()
			for range 2 {
				require.NoError(t, m.RunAll())
				m.Reset()
			}
			require.NotSame(t, grad(t, v), grad(t, u), "a solver zeroes them one by one")
			return numbers(t, grad(t, w), grad(t, v), grad(t, u))
		})
	}
}

// The gradient of a sum is a constant.
func TestTapeConstantGradients(t *testing.T) {
	both(t, 0, func(t *testing.T, vm newVM) []float64 {
		b := enginetest.NewB(t, tensor.Float64)
		x, s := b.Scalar("x", 2), b.Scalar("s", 3)
		cost := built(gorgonia.Add(x, s))
		built(gorgonia.Grad(cost, x, s))
		m := vm(b.G, gorgonia.BindDualValues(x, s))
		defer m.Close()
		for range 3 {
			require.NoError(t, m.RunAll())
			m.Reset()
		}
		return numbers(t, grad(t, x), grad(t, s))
	})
}

// A gradient that the program made itself is added to, in the program's memory.
func TestTapeGradientOfTheProgram(t *testing.T) {
	both(t, 1e-12, func(t *testing.T, vm newVM) []float64 {
		n := perceptron(t, tensor.Float64)
		w := n.weights[1]
		own := tensor.New(tensor.WithShape(1, 5), tensor.WithBacking([]float64{1, 2, 3, 4, 5}))
		gorgonia.WithGrad(own)(w)
		m := vm(n.G, gorgonia.BindDualValues(n.weights...))
		defer m.Close()
		require.NoError(t, m.RunAll())
		require.Same(t, own, grad(t, w))
		return numbers(t, own)
	})
}

// Weights in memory that is not their own alone: a part of a larger tensor, and a scalar in a tensor.
func TestTapeGradientsOfViews(t *testing.T) {
	g := gorgonia.NewGraph()
	whole := tensor.New(tensor.WithShape(3, 4), tensor.WithBacking([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
	part, err := whole.Slice(gorgonia.S(0, 3), gorgonia.S(1, 3))
	require.NoError(t, err)
	w := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(3, 2), gorgonia.WithName("w"), gorgonia.WithValue(part))
	s := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("s"), gorgonia.WithValue(2.0))
	require.NoError(t, gorgonia.Let(s, tensor.New(tensor.FromScalar(2.0))))
	cost := built(gorgonia.Mul(s, built(gorgonia.Sum(built(gorgonia.Square(w))))))
	built(gorgonia.Grad(cost, w, s))
	m := tape(t, g, gorgonia.BindDualValues(w, s))
	for range 2 {
		require.NoError(t, m.RunAll())
	}
	require.Equal(t, []float64{8, 16, 40, 48, 72, 80}, grad(t, w).Data())
	require.Equal(t, []float64{2 * (1 + 4 + 25 + 36 + 81 + 100)}, numbers(t, grad(t, s)))
	require.NoError(t, gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.125)).Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{w})))
	require.Equal(t, []float64{0, 0, 0, 3, 4, 0, 0, 7, 8, 0, 0, 11}, whole.Data(), "the solver steps in the tensor itself")
}

// Gradients of nodes that are not inputs stay with the gradients' nodes. Gorgonia's machine adds them up as well.
func TestTapeGradientsOfResults(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x := b.Input("x", 2, 2)
	h := built(gorgonia.Square(x))
	cost := built(gorgonia.Sum(built(gorgonia.Square(h))))
	built(gorgonia.Grad(cost, x))
	m := tape(t, b.G, gorgonia.BindDualValues(x, h))
	for range 2 {
		require.NoError(t, m.RunAll())
	}
	want := numbers(t, h.Value())
	for i := range want {
		want[i] *= 2
	}
	require.InDeltaSlice(t, want, numbers(t, grad(t, h)), 1e-12)

	all := tape(t, b.G, gorgonia.BindDualValues()) // does not keep what nobody named
	require.NoError(t, all.RunAll())
	absent, ok := grad(t, h).(*graph.ValueNotKept)
	require.True(t, ok, "%T", grad(t, h))
	require.Contains(t, absent.Error(), "graph.Keep")
}
