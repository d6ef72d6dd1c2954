//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

// TestIdle: of runs that are watched, as many as there is room for, the engine tells how long they and the times between them were.
func TestIdle(t *testing.T) {
	e := open(t, cuda.Config{})
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithShape(8, 8), gorgonia.WithInit(gorgonia.Ones()))
	y, err := gorgonia.Mul(x, x)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
	require.NoError(t, err)
	idle, err := e.Idle() // nobody watches
	require.NoError(t, err)
	require.Zero(t, idle)
	for _, runs := range []int{0, 1, 5, 200} {
		require.NoError(t, e.WatchIdle())
		for range runs {
			require.NoError(t, m.RunAll())
		}
		idle, err := e.Idle()
		require.NoError(t, err)
		require.Equal(t, max(0, min(runs, 128)-1), idle.Runs)
		require.GreaterOrEqual(t, idle.Share(), 0.0)
		require.LessOrEqual(t, idle.Share(), 1.0)
		require.Equal(t, runs > 1, idle.Waiting+idle.Busy > 0)
	}
	require.NoError(t, e.WatchIdle())
	require.NoError(t, m.Close())
	require.NoError(t, e.Close()) // also of one that is watched
	_, err = e.Idle()
	require.Error(t, err)
}
