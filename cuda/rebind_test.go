//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// An output that is bound to other memory between runs gets its results there, whichever of its two places is next.
func TestOutputsAreBoundAnew(t *testing.T) {
	e := open(t, cuda.Config{})
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("x"), gorgonia.WithValue(vector(1, 2)))
	y, err := op.Apply(&op.Scale{Factor: 2}, x)
	require.NoError(t, err)
	plan, err := graph.PlanFor(g, graph.WithEngine(e), graph.WithOutputs(y))
	require.NoError(t, err)
	p, err := e.Build(plan)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	wrap := func(values ...float32) (op.Array, graph.Buffer) {
		a := op.Array{Shape: tensor.Shape{len(values)}, Data: values}
		b, err := e.Wrap(a)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		return a, b
	}
	in, from := wrap(1, 2)
	require.NoError(t, from.Upload(in))
	require.NoError(t, p.Bind(plan.Inputs[0], from))
	for runs := range 3 {
		out, to := wrap(0, 0)
		require.NoError(t, p.Bind(plan.Outputs[0], to))
		require.NoError(t, p.Run())
		require.NoError(t, to.Download(out))
		require.Equal(t, []float32{2, 4}, out.Data, "run %d", runs)
		require.NoError(t, p.(graph.Queuer).RunNext())
		require.NoError(t, to.Download(out))
	}
}
