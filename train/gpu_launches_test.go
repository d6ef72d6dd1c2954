//go:build gpu && cgo && linux

package train_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
)

// TestGPUGraphLaunchesDoNotGrow launches the CUDA graph of a training step 10,000 times, as a trainer does: the next batch is fed and its
// step started while the one before is computed.
func TestGPUGraphLaunchesDoNotGrow(t *testing.T) {
	launches := 10000
	if testing.Short() {
		launches = 20
	}
	t.Setenv("STHENO_CUDA_GRAPH", "")
	e := gpu(t, cuda.Config{Log: func(line string) {
		if strings.Contains(line, "without a CUDA graph") {
			t.Error(line)
		}
	}})
	s, err := newGPUStep(t, e, "simplecnn", 8)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	feed := func(step int) { require.NoError(t, s.Feed(s.images, s.labels, 1e-4, step)) }
	step := 0
	feed(step)
	require.NoError(t, s.StartNext())
	launch := func() float64 {
		step++
		feed(step)
		require.NoError(t, s.StartNext())
		r, err := s.Wait()
		require.NoError(t, err)
		return r.Loss
	}
	var first, last float64
	for range 5 { // the graph is made on the second
		first = launch()
	}
	requireNoGrowth(t, e, launches, func() {
		for range launches {
			last = launch()
		}
	})
	require.Less(t, last, first, "the loss: every launch is a step")
}

// requireNoGrowth says that a number of steps leaves memory as it is: the GPU's, the host's and Go's. Each has some room for what drivers
// and the runtime do once.
func requireNoGrowth(t *testing.T, e *cuda.Engine, steps int, run func()) {
	t.Helper()
	_, held := e.Memory()
	free, resident, heap := e.Device().Free, residentBytes(t), liveBytes()
	run()
	_, heldAfter := e.Memory()
	require.Equal(t, held, heldAfter, "bytes of device memory that the engine holds")
	t.Logf("%d steps: free device memory %+d bytes, resident memory %+d bytes, heap %+d bytes", steps, e.Device().Free-free, residentBytes(t)-resident, liveBytes()-heap)
	require.Less(t, free-e.Device().Free, int64(4<<20), "device memory that is gone; other programs on the GPU count too")
	require.Less(t, residentBytes(t)-resident, int64(16<<20), "host memory")
	require.Less(t, liveBytes()-heap, int64(256<<10), "Go's heap")
}
