package keras_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// predict runs a model on samples, batch at a time; their number must be a multiple of batch.
func predict(t *testing.T, m *nn.Model, x []float32, batch int) [][]float32 {
	t.Helper()
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	g := gorgonia.NewGraph()
	shape := append(tensor.Shape{batch}, m.InputShape()...)
	in := make([]float32, shape.TotalSize())
	node := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(in))))
	net, err := m.Build(g, nn.BuildConfig{Input: node})
	require.NoError(t, err)
	machine, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	var out [][]float32
	require.Zero(t, len(x)%len(in))
	for ; len(x) > 0; x = x[len(in):] {
		copy(in, x)
		require.NoError(t, machine.RunAll())
		v, err := machine.Value(net.Output)
		require.NoError(t, err)
		y := append([]float32{}, v.Data().([]float32)...)
		for size := len(y) / batch; len(y) > 0; y = y[size:] {
			out = append(out, y[:size])
		}
	}
	return out
}

// predictAll returns all outputs for all inputs.
func predictAll(t *testing.T, m *nn.Model, x ...*tensor.Dense) []*tensor.Dense {
	t.Helper()
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: x[0].Shape()[0]})
	require.NoError(t, err)
	for i, in := range net.Inputs {
		require.NoError(t, gorgonia.Let(in, x[i]))
	}
	machine, err := graph.Compile(net.Graph, graph.WithEngine(e), graph.WithOutputs(net.Outputs...), graph.WithResident(net.Nodes()...))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	var out []*tensor.Dense
	for _, y := range net.Outputs {
		v, err := machine.Value(y)
		require.NoError(t, err)
		out = append(out, v.(*tensor.Dense).Clone().(*tensor.Dense))
	}
	return out
}

// best is the index of the largest score.
func best(scores []float32) int {
	at := 0
	for i, s := range scores {
		if s > scores[at] {
			at = i
		}
	}
	return at
}
