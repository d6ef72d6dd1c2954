package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// normNet has a batch norm over the second axis of x.
type normNet struct {
	*enginetest.B
	x, y  *gorgonia.Node
	op    *gorgonia.BatchNormOp
	model gorgonia.Nodes
	read  gorgonia.Value
}

func newNormNet(t testing.TB, dt tensor.Dtype, shape ...int) *normNet {
	n := &normNet{B: enginetest.NewB(t, dt)}
	n.x = n.Input("x", shape...)
	scale, bias := n.Input("scale", shape...), n.Input("bias", shape...)
	y, gamma, beta, o, err := gorgonia.BatchNorm(n.x, scale, bias, 0.1, 1e-3)
	require.NoError(t, err)
	n.y, n.op, n.model = y, o, gorgonia.Nodes{gamma, beta}
	gorgonia.Read(y, &n.read)
	return n
}

func (n *normNet) stats(t testing.TB) []float64 {
	mean, variance := n.op.Stats()
	return numbers(t, mean.(gorgonia.Value), variance.(gorgonia.Value))
}

// Running averages after every step of training, and what an evaluating machine makes of them, are Gorgonia's.
func TestTapeRunningStatistics(t *testing.T) {
	for _, dt := range floatTypes {
		for _, shape := range [][]int{{5, 3}, {2, 3, 4, 4}} {
			t.Run(fmt.Sprintf("%v, %v", dt, shape), func(t *testing.T) {
				both(t, closeEnough(dt), func(t *testing.T, vm newVM) (all []float64) {
					n := newNormNet(t, dt, shape...)
					built(gorgonia.Grad(built(gorgonia.Sum(built(gorgonia.Square(n.y)))), n.model...))
					train := vm(n.G, gorgonia.BindDualValues(n.model...))
					defer train.Close()
					for i := range 4 {
						require.NoError(t, gorgonia.Let(n.x, n.Input(fmt.Sprint("batch ", i), shape...).Value()))
						require.NoError(t, train.RunAll())
						train.Reset()
						all = append(append(all, numbers(t, n.read)...), n.stats(t)...)
					}
					all = append(all, numbers(t, grad(t, n.model[0]), grad(t, n.model[1]))...)
					eval := vm(n.G, gorgonia.EvalMode())
					defer eval.Close()
					require.NoError(t, eval.RunAll())
					return append(append(all, numbers(t, n.read)...), n.stats(t)...)
				})
			})
		}
	}
}

// A machine that trains and one that evaluates share statistics and take turns; a second one that trains goes on with them,
// where gorgonia.NewTapeMachine begins anew.
func TestTapeSharedStatistics(t *testing.T) {
	n := newNormNet(t, tensor.Float64, 5, 3)
	train, eval := tape(t, n.G), tape(t, n.G, gorgonia.EvalMode())
	require.NoError(t, eval.RunAll())
	untrained := numbers(t, n.read)
	require.Equal(t, []float64{0, 0, 0, 1, 1, 1}, n.stats(t), "where nothing was trained: mean 0, variance 1")
	require.NoError(t, train.RunAll())
	trained := n.stats(t)
	require.NotEqual(t, []float64{0, 0, 0, 1, 1, 1}, trained)
	require.NoError(t, eval.RunAll())
	require.NotEqual(t, untrained, numbers(t, n.read))
	require.Equal(t, trained, n.stats(t), "evaluation does not move them")

	another := tape(t, n.G)
	require.Equal(t, trained, n.stats(t))
	require.NoError(t, another.RunAll())
	mean, _ := n.op.Stats()
	for i, m := range numbers(t, mean.(gorgonia.Value)) {
		require.Greater(t, math.Abs(m), math.Abs(trained[i]), "nearer to the batch's")
	}

	stock := gorgonia.NewTapeMachine(n.G)
	defer stock.Close()
	require.NotEqual(t, trained, n.stats(t), "if Gorgonia's machine keeps them now, docs/gorgonia.md must change")
}

// dropNet drops elements of x and has the gradient of the sum.
func dropNet(t testing.TB, dt tensor.Dtype, rate float64, size int) (b *enginetest.B, x, y, dx *gorgonia.Node) {
	b = enginetest.NewB(t, dt)
	x = b.Positive("x", size)
	y = built(gorgonia.Dropout(x, rate))
	grads := built(gorgonia.Grad(built(gorgonia.Sum(y)), x))
	return b, x, y, grads[0]
}

func TestTapeDropout(t *testing.T) {
	const size, runs = 20_000, 3
	for _, dt := range floatTypes {
		for _, rate := range []float64{0.1, 0.5, 0.8} {
			t.Run(fmt.Sprintf("%v, %v", dt, rate), func(t *testing.T) {
				masks := func(opts ...gorgonia.VMOpt) (masks [][]float64) {
					b, x, y, dx := dropNet(t, dt, rate, size)
					m := tape(t, b.G, append(opts, graph.Keep(y))...)
					for range runs {
						require.NoError(t, m.RunAll())
						in, out, slope := numbers(t, x.Value()), numbers(t, y.Value()), numbers(t, dx.Value())
						dropped := 0
						for i := range in {
							if slope[i] == 0 {
								dropped++
							} else if math.Abs(slope[i]-1/(1-rate)) > 1e-5 {
								t.Fatalf("the gradient of element %d is %v", i, slope[i])
							}
							if math.Abs(in[i]*slope[i]-out[i]) > 1e-5 {
								t.Fatalf("element %d: forward %v of %v, gradient %v", i, out[i], in[i], slope[i])
							}
						}
						require.InDelta(t, rate*size, dropped, 5*math.Sqrt(size*rate*(1-rate)))
						masks = append(masks, slope)
					}
					require.NotEqual(t, masks[0], masks[1], "every run drops others")
					return masks
				}
				seeded := masks(graph.WithSeed(7))
				require.Equal(t, seeded, masks(graph.WithSeed(7)))
				require.NotEqual(t, seeded[0], masks(graph.WithSeed(8))[0])
				require.NotEqual(t, masks()[0], masks()[0], "seeded by the clock")
			})
		}
	}
}

// Two dropouts of one graph drop different elements.
func TestTapeDropoutsAreIndependent(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	ones := gorgonia.NewVector(b.G, tensor.Float64, gorgonia.WithShape(1000), gorgonia.WithName("ones"), gorgonia.WithInit(gorgonia.Ones()))
	others := gorgonia.NewVector(b.G, tensor.Float64, gorgonia.WithShape(1000), gorgonia.WithName("others"), gorgonia.WithInit(gorgonia.Ones()))
	y, z := built(gorgonia.Dropout(ones, 0.5)), built(gorgonia.Dropout(others, 0.5))
	require.NoError(t, tape(t, b.G, graph.WithSeed(3)).RunAll())
	same := 0
	for i, v := range numbers(t, y.Value()) {
		if v == numbers(t, z.Value())[i] {
			same++
		}
	}
	require.InDelta(t, 500, same, 5*math.Sqrt(250))
}

func TestTapeDropoutInEvalMode(t *testing.T) {
	b, x, y, dx := dropNet(t, tensor.Float32, 0.5, 100)
	m := tape(t, b.G, gorgonia.EvalMode(), graph.Keep(y))
	require.NoError(t, m.RunAll())
	require.Equal(t, x.Value().Data(), y.Value().Data())
	require.Equal(t, slices.Repeat([]float64{1}, 100), numbers(t, dx.Value()))
}

// Random nodes have the moments of their distributions, and new numbers in every run.
func TestTapeRandomNodes(t *testing.T) {
	const size = 40_000
	for name, c := range map[string]struct {
		node           func(g *gorgonia.ExprGraph, dt tensor.Dtype, a, b float64, shape ...int) *gorgonia.Node
		a, b           float64
		mean, variance float64
	}{
		"uniform":  {gorgonia.UniformRandomNode, -1, 3, 1, 16. / 12},
		"gaussian": {gorgonia.GaussianRandomNode, 2, 0.5, 2, 0.25},
		"binomial": {gorgonia.BinomialRandomNode, 10, 0.3, 3, 2.1},
	} {
		for _, dt := range floatTypes {
			t.Run(fmt.Sprintf("%s, %v", name, dt), func(t *testing.T) {
				draw := func(seed uint64) (draws [][]float64) {
					g := gorgonia.NewGraph()
					r := c.node(g, dt, c.a, c.b, size/4, 4)
					s := c.node(g, dt, c.a, c.b)
					var read, scalar gorgonia.Value
					gorgonia.Read(built(gorgonia.Add(r, r)), &read)
					gorgonia.Read(s, &scalar)
					m := tape(t, g, graph.WithSeed(seed))
					for range 2 {
						require.NoError(t, m.RunAll())
						xs := numbers(t, read)
						mean, square := 0.0, 0.0
						for _, x := range xs {
							mean += x / 2 / size
							square += x * x / 4 / size
						}
						require.InDelta(t, c.mean, mean, 6*math.Sqrt(c.variance/size))
						require.InDelta(t, c.variance, square-mean*mean, 0.05*c.variance)
						draws = append(draws, append(xs, numbers(t, scalar)...))
					}
					return draws
				}
				one := draw(1)
				require.NotEqual(t, one[0][:10], one[1][:10])
				require.Equal(t, one, draw(1))
				require.NotEqual(t, one[0][:10], draw(2)[0][:10])
			})
		}
	}
}
