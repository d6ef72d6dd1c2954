package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Random graphs: fused kernels in reused memory against single reference loops in float64.
func TestRandomGraphs(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	defer e.Close()
	graphs := uint64(300)
	if testing.Short() {
		graphs = 50
	}
	for seed := range graphs {
		c := enginetest.Random(seed, 12)
		t.Run(c.Name, func(t *testing.T) { c.RequireClose(t, e, tensor.Float32, tensor.Float64) })
	}
}
