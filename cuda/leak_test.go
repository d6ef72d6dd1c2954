//go:build gpu && cgo && linux

package cuda_test

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// heap is what Go has in use, and resident what the whole process has in memory, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // what cleanups of the first let go of
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int(s.HeapAlloc)
}

func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// doesNotGrow does something some times, then many times more, after which nothing may be there that was not before.
func doesNotGrow(t *testing.T, warm, times int, f func()) {
	t.Helper()
	for range warm {
		f()
	}
	live, simulated := sim.Live()
	h, r := heap(), resident(t)
	for range times {
		f()
	}
	now, _ := sim.Live()
	require.Equal(t, live, now, "what the driver has")
	require.Less(t, heap(), h+256<<10, "Go's heap")
	if simulated { // what a real driver keeps for itself is not ours
		require.Less(t, resident(t), r+32<<20, "memory of the process")
	}
}

// residualNet compiles a training step of the suite's residual net.
func residualNet(t testing.TB, e graph.Engine) (*graph.Machine, *enginetest.B) {
	for _, c := range enginetest.Cases() {
		if c.Name == "residual net with momentum" {
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			return b.Compile(e), b
		}
	}
	t.Fatal("the suite has no residual net any more")
	return nil, nil
}

func TestStepsLeakNothing(t *testing.T) {
	e := open(t, cuda.Config{})
	m, _ := residualNet(t, e)
	defer func() { require.NoError(t, m.Close()) }()
	times := 1000
	if testing.Short() {
		times = 50
	}
	i := 0
	doesNotGrow(t, 10, times, func() {
		i++
		require.NoError(t, m.Feed())
		require.NoError(t, m.Start())
		require.NoError(t, m.Feed())
		require.NoError(t, m.Wait())
		require.NoError(t, m.RunAll())
		if i%10 == 0 {
			require.NoError(t, m.Sync())
			require.NoError(t, m.Refresh())
		}
	})
}

func TestMachinesLeakNothing(t *testing.T) {
	e := open(t, cuda.Config{})
	doesNotGrow(t, 5, 50, func() {
		m, err := trainingStep(e)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, m.RunAll())
		}
		require.NoError(t, m.Close())
	})
}

func TestEnginesLeakNothing(t *testing.T) {
	needGPU(t)
	doesNotGrow(t, 5, 20, func() { require.NoError(t, life()) })
}

// Machines that are closed after their engine leave nothing, neither on the device nor in C memory.
func TestEnginesClosedFirstLeakNothing(t *testing.T) {
	needGPU(t)
	doesNotGrow(t, 5, 20, func() {
		e, err := cuda.New(cuda.Config{})
		require.NoError(t, err)
		m, err := trainingStep(e)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, m.RunAll())
		}
		require.NoError(t, e.Close())
		require.ErrorContains(t, m.Close(), "closed", "its variable is lost")
	})
}

// A steady run allocates nothing in Go, whatever it brings to the device and back.
func TestStepsAllocateNothing(t *testing.T) {
	for _, graphs := range []string{"1", "0"} {
		t.Setenv("STHENO_CUDA_GRAPH", graphs)
		e := open(t, cuda.Config{})
		m, _ := residualNet(t, e)
		for range 5 {
			require.NoError(t, m.RunAll())
		}
		require.Zero(t, testing.AllocsPerRun(50, func() {
			if err := m.RunAll(); err != nil {
				t.Error(err)
			}
		}), "CUDA graphs: %s", graphs)
		require.NoError(t, m.Close())
	}
}
