//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

// needGPU skips a test on machines without a GPU, real or simulated.
func needGPU(t testing.TB) {
	if _, err := cuda.Devices(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
}

// open opens the first GPU.
func open(t testing.TB, c cuda.Config) *cuda.Engine {
	needGPU(t)
	c.Log = func(line string) { t.Log(line) }
	e, err := cuda.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func openCPU(t testing.TB) graph.Engine {
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}
