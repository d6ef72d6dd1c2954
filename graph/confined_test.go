package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
)

// confined is an engine that wants its buffers to be brought up to date together.
type confined struct {
	graph.Engine
	calls int
}

func (c *confined) Together(do func() error) error {
	c.calls++
	return do()
}

// A run brings all inputs in one call, and all outputs in another.
func TestBuffersAreBroughtTogether(t *testing.T) {
	inner, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, inner.Close()) }()
	e := &confined{Engine: inner}
	g := gorgonia.NewGraph()
	a := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("a"), gorgonia.WithShape(3))
	b := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("b"), gorgonia.WithShape(3))
	sum, difference := gorgonia.Must(gorgonia.Add(a, b)), gorgonia.Must(gorgonia.Sub(a, b))
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(sum, difference))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, gorgonia.Let(a, tensor.New(tensor.WithBacking([]float32{1, 2, 3}))))
	require.NoError(t, gorgonia.Let(b, tensor.New(tensor.WithBacking([]float32{10, 20, 30}))))
	e.calls = 0
	for run := range 3 {
		require.NoError(t, m.RunAll())
		require.Equal(t, []float32{11, 22, 33}, sum.Value().Data())
		require.Equal(t, []float32{-9, -18, -27}, difference.Value().Data())
		require.Equal(t, 2*(run+1), e.calls)
	}
	require.NoError(t, m.Feed())
	require.NoError(t, m.Start())
	require.NoError(t, m.Wait())
	require.Equal(t, 8, e.calls)
}
