package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// vectors are nodes of 3 numbers in a new graph, with values.
func vectors(names ...string) (*gorgonia.ExprGraph, map[string]*gorgonia.Node, map[string]*tensor.Dense) {
	g, nodes, values := gorgonia.NewGraph(), map[string]*gorgonia.Node{}, map[string]*tensor.Dense{}
	for i, name := range names {
		v := float32(i + 1)
		values[name] = tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{v, 10 * v, 100 * v}))
		nodes[name] = gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName(name), gorgonia.WithValue(values[name]))
	}
	return g, nodes, values
}

// TestVariablesOfAnotherMachine: of a resident input that another machine updates, nothing is kept.
func TestVariablesOfAnotherMachine(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	g, nodes, values := vectors("w", "x")
	twice, err := op.Of(nodes["w"]).Mul(op.Number(2)).Node() // of w alone: computed once, were w only resident
	require.NoError(t, err)
	y, err := op.Of(twice).Add(op.Of(nodes["x"])).Node()
	require.NoError(t, err)
	reader, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y), graph.WithResident(nodes["w"]), graph.WithVariables(nodes["w"]))
	require.NoError(t, err)
	defer reader.Close()

	other, own, _ := vectors("w")
	require.NoError(t, gorgonia.Let(own["w"], values["w"]))
	next, err := op.Of(own["w"]).Add(op.Number(1)).Node()
	require.NoError(t, err)
	writer, err := graph.Compile(other, graph.WithEngine(e), graph.WithUpdates(op.Update{Target: own["w"], New: next}))
	require.NoError(t, err)
	defer writer.Close()
	for i := range 3 {
		require.NoError(t, reader.RunAll())
		v, err := reader.Value(y)
		require.NoError(t, err)
		require.Equal(t, []float32{4 + 2*float32(i), 40 + 2*float32(i), 400 + 2*float32(i)}, v.Data())
		require.NoError(t, writer.RunAll())
	}
	require.Contains(t, reader.Plan().String(), "variable")
}

// TestUpdatesSince: steps that only updates need run when their inputs are there, instead of after all that was made before.
func TestUpdatesSince(t *testing.T) {
	for _, since := range []bool{false, true} {
		g, nodes := gorgonia.NewGraph(), map[string]*gorgonia.Node{}
		for _, name := range []string{"w", "v", "x"} {
			nodes[name] = gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 2), gorgonia.WithName(name))
		}
		square := func(n *gorgonia.Node) *gorgonia.Node { // stands for a gradient
			s, err := op.Apply(&op.MatMul{}, n, n)
			require.NoError(t, err)
			return s
		}
		first := square(nodes["x"])
		second := square(first)
		third := square(second)
		marker := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("lr"), gorgonia.WithValue(gorgonia.NewF32(1)))
		var updates []op.Update
		for name, grad := range map[string]*gorgonia.Node{"w": first, "v": third} {
			n, err := op.Of(nodes[name]).Sub(op.Of(grad).Mul(op.Of(marker))).Node()
			require.NoError(t, err)
			updates = append(updates, op.Update{Target: nodes[name], New: n})
		}
		opts := []graph.Option{graph.WithEngine(graph.Null{}), graph.WithUpdates(updates...)}
		if since {
			opts = append(opts, graph.WithUpdatesSince(marker))
		}
		p, err := graph.PlanFor(g, opts...)
		require.NoError(t, err)
		at := map[*gorgonia.Node]int{}
		for i, s := range p.Steps {
			for _, o := range s.Out {
				at[o.Node] = i
			}
		}
		var w *gorgonia.Node
		for _, u := range updates {
			if u.Target == nodes["w"] {
				w = u.New
			}
		}
		require.Equal(t, since, at[w] < at[second], p.String())
	}
}
