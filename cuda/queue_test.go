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

// counting is a machine that adds x to a sum, and returns twice the old sum.
func counting(t *testing.T, e graph.Engine) (m *graph.Machine, x []float32, twice gorgonia.Value, sum *tensor.Dense) {
	g := gorgonia.NewGraph()
	in, sum := vector(0, 0), vector(0, 0)
	a := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("x"), gorgonia.WithValue(in))
	b := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("sum"), gorgonia.WithValue(sum))
	total, err := op.Apply(&op.Add{}, b, a)
	require.NoError(t, err)
	y, err := op.Apply(&op.Scale{Factor: 2}, b)
	require.NoError(t, err)
	m, err = graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y), graph.WithUpdates(op.Update{Target: b, New: total}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	twice, err = m.Value(y)
	require.NoError(t, err)
	return m, in.Data().([]float32), twice, sum
}

// Results come in the order of the runs, whether a run is put behind another or not, and as a CUDA graph or not.
func TestRunsBehindRuns(t *testing.T) {
	m, x, twice, sum := counting(t, open(t, cuda.Config{}))
	require.True(t, m.Queues())
	total, n := float32(0), 0
	feed := func() {
		n++
		x[0], x[1] = float32(n), 0
		require.NoError(t, m.Feed())
	}
	wait := func(run int) {
		require.NoError(t, m.Wait())
		require.Equal(t, float32((run-1)*run), twice.Data().([]float32)[0], "run %d", run)
	}
	feed()
	require.NoError(t, m.StartNext()) // as Start: none is under way
	for range 12 {
		feed()
		require.NoError(t, m.StartNext())
		wait(n - 1)
	}
	feed()
	require.NoError(t, m.StartNext())
	require.ErrorContains(t, m.StartNext(), "two runs of the machine are under way")
	require.NoError(t, m.Sync(), "it has what both runs made of it")
	for i := range n {
		total += float32(i + 1)
	}
	require.Equal(t, total, sum.Data().([]float32)[0])
	wait(n - 1)
	wait(n)
	require.NoError(t, m.Wait(), "there is none")
	wait(n)
	// RunAll waits for all that is under way, and returns its own results.
	feed()
	require.NoError(t, m.StartNext())
	feed()
	require.NoError(t, m.StartNext())
	feed()
	require.NoError(t, m.RunAll())
	require.Equal(t, float32((n-1)*n), twice.Data().([]float32)[0])
	// So does Start of a run that nobody waited for, and results that nobody takes are in nobody's way.
	for range 3 {
		feed()
		require.NoError(t, m.Start())
	}
	wait(n)
	feed()
	require.NoError(t, m.Start())
	feed()
	require.NoError(t, m.StartNext()) // closed with two under way
}

// Who looks at runs gets them one by one.
func TestProfiledRunsAreNotQueued(t *testing.T) {
	m, _, _, _ := counting(t, open(t, cuda.Config{}))
	require.NoError(t, m.StartProfile())
	require.False(t, m.Queues())
	require.NoError(t, m.StartNext())
	require.ErrorContains(t, m.StartNext(), "must be taken with Wait")
	require.NoError(t, m.Wait())
	m.StopProfile()
	require.True(t, m.Queues())
}
