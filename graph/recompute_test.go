package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// recomputations are small training steps that show what is computed again and what is not.
var recomputations = []struct {
	name  string
	with  graph.Recompute
	build func(b *enginetest.B)
	want  []string // operations that the plan must have twice
	same  bool     // nothing may change
}{
	{"batch norm and ReLU between two products", graph.RecomputeCheap, func(b *enginetest.B) {
		normalised := normal(b, dense(b, b.Input("x", 8, 8), "w1"))
		descend(b, dense(b, normalised, "w2"), "w1", "gamma", "w2")
	}, []string{"BatchNorm(axis 1"}, false},
	{"dropout", graph.RecomputeCheap, func(b *enginetest.B) {
		h := b.Apply(&op.ReLU{}, dense(b, b.Input("x", 8, 8), "w1"))
		h = b.Apply(&op.Dropout{Rate: 0.5, Seed: 1, Stream: 3}, h, b.Int("step", 7))
		descend(b, dense(b, h, "w2"), "w1", "w2")
	}, nil, false},
	{"through a view", graph.RecomputeCheap, func(b *enginetest.B) {
		h := normal(b, dense(b, b.Input("x", 8, 8), "w1"))
		h = b.Apply(&op.Reshape{From: tensor.Shape{8, 8}, To: tensor.Shape{16, 4}}, h)
		descend(b, b.Apply(&op.MatMul{}, h, parameter(b, "w2", 4, 8)), "w1", "w2")
	}, []string{"BatchNorm(axis 1"}, false},
	{"a product is not cheap", graph.RecomputeCheap, func(b *enginetest.B) {
		descend(b, dense(b, dense(b, b.Input("x", 8, 8), "w1"), "w2"), "w1", "w2")
	}, nil, true},
	{"an output is kept", graph.RecomputeCheap, func(b *enginetest.B) {
		normalised := normal(b, dense(b, b.Input("x", 8, 8), "w1"))
		b.Want("normalised", 0, normalised)
		descend(b, dense(b, normalised, "w2"), "w1", "w2")
	}, nil, true},
	{"nothing is differentiated", graph.RecomputeSegments(2), func(b *enginetest.B) {
		b.Want("y", 0, dense(b, normal(b, dense(b, b.Input("x", 8, 8), "w1")), "w2"))
	}, nil, true},
	{"two segments of two layers", graph.RecomputeSegments(2), func(b *enginetest.B) {
		h := b.Input("x", 8, 8)
		for _, w := range []string{"w1", "w2", "w3", "w4"} {
			h = b.Apply(&op.ReLU{}, dense(b, h, w))
		}
		descend(b, h, "w1", "w2", "w3", "w4")
	}, []string{"+relu(%0"}, false},
	{"three segments, a residual connection across the first two", graph.RecomputeSegments(3), func(b *enginetest.B) {
		h := b.Input("x", 8, 8)
		var early *gorgonia.Node
		for i := range 6 {
			h = b.Apply(&op.ReLU{}, dense(b, h, fmt.Sprintf("w%d", i)))
			switch i {
			case 0:
				early = h
			case 3:
				h = b.Apply(&op.Add{}, h, early)
			}
		}
		descend(b, h, "w0", "w1", "w2", "w3", "w4", "w5")
	}, nil, false},
	{"running averages move once", graph.RecomputeSegments(2), func(b *enginetest.B) {
		h := dense(b, b.Input("x", 8, 8), "w1")
		y, mean, _, err := op.BatchNormTraining(h, parameter(b, "gamma", 8), parameter(b, "beta", 8), -1, 1e-3)
		require.NoError(b.T, err)
		moving := b.Input("moving mean", 8)
		b.Update(moving, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1}, moving, mean))
		y = dense(b, b.Apply(&op.ReLU{}, y), "w2")
		descend(b, dense(b, b.Apply(&op.ReLU{}, y), "w3"), "w1", "gamma", "w2", "w3")
	}, nil, false},
}

func parameter(b *enginetest.B, name string, shape ...int) *gorgonia.Node {
	return b.Input(name, shape...)
}

func dense(b *enginetest.B, x *gorgonia.Node, name string) *gorgonia.Node {
	return b.Apply(&op.MatMul{}, x, parameter(b, name, 8, 8))
}

func normal(b *enginetest.B, x *gorgonia.Node) *gorgonia.Node {
	y, _, _, err := op.BatchNormTraining(x, parameter(b, "gamma", 8), parameter(b, "beta", 8), -1, 1e-3)
	require.NoError(b.T, err)
	return b.Apply(&op.ReLU{}, y)
}

// descend wants the mean of y and updates parameters by their gradients.
func descend(b *enginetest.B, y *gorgonia.Node, params ...string) {
	cost := b.Want("cost", 0, b.Apply(&op.Mean{}, b.Apply(&op.Mul{}, y, y)))
	var nodes gorgonia.Nodes
	for _, name := range params {
		nodes = append(nodes, b.G.ByName(name)[0])
	}
	grads, err := gorgonia.Grad(cost, nodes...)
	require.NoError(b.T, err)
	lr := b.Scalar("lr", 0.1)
	for i, w := range nodes {
		b.Update(w, b.Apply(&op.Descend{}, w, grads[i], lr))
	}
}

// Plans without and with recomputation.
func TestRecompute(t *testing.T) {
	var text strings.Builder
	for _, c := range recomputations {
		t.Run(c.name, func(t *testing.T) {
			plan := func(opts ...graph.Option) *graph.Plan {
				b := enginetest.NewB(t, tensor.Float32)
				c.build(b)
				return b.Plan(opts...)
			}
			before, after := plan(), plan(graph.WithRecompute(c.with))
			fmt.Fprintf(&text, "=== %s\n%s--- %s\n", c.name, before, c.with)
			if c.same {
				require.Equal(t, before.String(), after.String())
				text.WriteString("the same\n")
				return
			}
			text.WriteString(after.String())
			require.Greater(t, len(after.Steps), len(before.Steps))
			for _, w := range c.want {
				require.Equal(t, 2*strings.Count(before.String(), w), strings.Count(after.String(), w), w)
			}
			require.Equal(t, len(before.Assigns), len(after.Assigns))
			for _, s := range after.Steps {
				if _, ok := s.Instr.(*op.MovingAverage); ok {
					require.NotContains(t, s.Out[0].Name, "again")
				}
			}
		})
	}
	golden(t, "testdata/recompute.txt", text.String())
}

func again(s *graph.Step) bool { return strings.HasSuffix(s.Out[0].Name, " (again)") }

// What is computed again is computed right before its first reader, and not before the backward pass begins.
func TestSecondStepsRunLate(t *testing.T) {
	g, opts := trainingGraph(t, resnet(t, timesDepth(1)), 32)
	for _, r := range []graph.Recompute{graph.RecomputeCheap, graph.RecomputeSegments(6)} {
		p, err := graph.PlanFor(g, append(opts, graph.WithRecompute(r))...)
		require.NoError(t, err)
		reader := map[*graph.Value]int{}
		for i := len(p.Steps) - 1; i >= 0; i-- {
			for _, v := range p.Steps[i].In {
				reader[v] = i
			}
		}
		second := 0
		for i, s := range p.Steps {
			if !again(s) {
				continue
			}
			second++
			next := reader[s.Out[0]]
			require.Greater(t, next, i)
			for _, between := range p.Steps[i+1 : next] {
				if !again(between) {
					require.Contains(t, []string{"MomentumUpdate", "AddL2Grad", "Add"}, between.Instr.Kind(), "%s before step %d reads it", s.Instr, next)
				}
			}
		}
		require.Greater(t, second, 40, r)
	}
}

// Gorgonia's own operations are computed again like ours.
func TestRecomputeOfStockGraphs(t *testing.T) {
	results := func(r graph.Recompute) (steps int, values []any) {
		b := enginetest.NewB(t, tensor.Float32)
		h := b.Input("x", 8, 8)
		var params gorgonia.Nodes
		for i := range 3 { // a product of two products: the backward pass reads all three
			w, gate := parameter(b, fmt.Sprint("w", i), 8, 8), parameter(b, fmt.Sprint("gate", i), 8, 8)
			params = append(params, w, gate)
			h = gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Mul(h, w)), gorgonia.Must(gorgonia.Mul(h, gate))))
		}
		cost := gorgonia.Must(gorgonia.Mean(h))
		grads, err := gorgonia.Grad(cost, params...)
		require.NoError(t, err)
		wanted := append(gorgonia.Nodes{cost}, grads...)
		m := compile(t, b.G, graph.WithOutputs(wanted...), graph.WithRecompute(r))
		for _, n := range wanted {
			values = append(values, value(t, m, n))
		}
		return len(m.Plan().Steps), values
	}
	steps, want := results(graph.RecomputeOff)
	for _, r := range []graph.Recompute{graph.RecomputeCheap, graph.RecomputeSegments(2)} {
		more, got := results(r)
		require.Greater(t, more, steps, r)
		require.Equal(t, want, got, r)
	}
}

func TestMemoryBudget(t *testing.T) {
	numtest.Sequential(t)
	g, opts := trainingGraph(t, resnet(t, timesDepth(1)), 32)
	plan := func(o graph.Option) *graph.Plan {
		p, err := graph.PlanFor(g, append(opts, o)...)
		require.NoError(t, err)
		return p
	}
	off, cheap, all := plan(graph.WithRecompute(graph.RecomputeOff)), plan(graph.WithRecompute(graph.RecomputeCheap)), plan(graph.WithRecompute(graph.RecomputeSegments(0)))
	require.Less(t, cheap.PeakBytes(), off.PeakBytes())
	require.Less(t, all.PeakBytes(), cheap.PeakBytes())
	require.Less(t, 2*all.ArenaBytes, off.ArenaBytes)

	require.Equal(t, off.String(), plan(graph.WithMemoryBudget(off.PeakBytes())).String())
	require.Equal(t, off.String(), plan(graph.WithMemoryBudget(0)).String(), "no budget")
	require.Equal(t, cheap.String(), plan(graph.WithMemoryBudget(off.PeakBytes()-1)).String())
	require.Equal(t, all.PeakBytes(), plan(graph.WithMemoryBudget(all.PeakBytes())).PeakBytes())
	between := (cheap.PeakBytes() + all.PeakBytes()) / 2
	some := plan(graph.WithMemoryBudget(between))
	require.LessOrEqual(t, some.PeakBytes(), between)
	require.Less(t, len(some.Steps), len(all.Steps), "no more than needed: %s", some.Recompute)

	_, err := graph.PlanFor(g, append(opts, graph.WithMemoryBudget(all.PeakBytes()-1))...)
	var be *graph.BudgetError
	require.ErrorAs(t, err, &be)
	require.Equal(t, all.PeakBytes(), be.Least)
	require.ErrorContains(t, err, "the least is")
}

func TestParseRecompute(t *testing.T) {
	for _, r := range []graph.Recompute{graph.RecomputeOff, graph.RecomputeCheap, graph.RecomputeSegments(0), graph.RecomputeSegments(7)} {
		got, err := graph.ParseRecompute(r.String())
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	for _, s := range []string{"all", "segments:", "segments:0", "segments:-1", "segments:x", "cheap:2", "Off"} {
		_, err := graph.ParseRecompute(s)
		require.ErrorContains(t, err, "known are off, cheap, segments", s)
	}
}
