//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// open opens the first GPU, real or simulated.
func open(t testing.TB, c cuda.Config) *cuda.Engine {
	if _, err := cuda.Devices(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	c.Log = func(line string) { t.Log(line) }
	e, err := cuda.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) graph.Engine { return open(t, cuda.Config{}) }, floatTypes...)
}

func TestConformanceWithoutPasses(t *testing.T) {
	enginetest.RunWithoutPasses(t, func(t *testing.T) graph.Engine { return open(t, cuda.Config{}) }, floatTypes...)
}

func TestOps(t *testing.T) { enginetest.RunOps(t, open(t, cuda.Config{}), floatTypes...) }
