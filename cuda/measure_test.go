//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Whichever call of the driver fails while ways are measured, nothing is left behind but what could not be freed, and the next try
// measures.
func TestMeasuringFails(t *testing.T) {
	needSimulator(t)
	if !inChild(t, "STHENO_CUDA_CACHE="+t.TempDir()) {
		return
	}
	cuda.Patient(t)
	b := enginetest.NewB(t, tensor.Float32)
	a := b.Input("a", 16, 16)
	b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, a, a))
	b.Want("conv", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 1, 4, 4, 4), b.Input("w", 3, 3, 4, 8)))
	b.Want("pointwise", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 1, 4, 4, 4), b.Input("v", 1, 1, 4, 8)))
	plan := b.Plan()
	life := func() (line string, err error) {
		if err := os.RemoveAll(filepath.Join(os.Getenv(cache.Env), "ways")); err != nil {
			return "", err
		}
		e, err := cuda.New(cuda.Config{Tuning: "measure", Log: func(l string) { line = l }})
		if err != nil {
			return "", err
		}
		p, err := e.Build(plan)
		if err == nil {
			err = p.Close()
		}
		return line, errors.Join(err, e.Close())
	}
	_, err := life()
	require.NoError(t, err)
	before := hold(t)
	t.Setenv("STHENO_SIM_FAIL_CALL", "1000000")
	_, err = life()
	require.NoError(t, err)
	calls := sim.Calls()
	require.Greater(t, calls, 100)
	freeing := regexp.MustCompile("Destroy|Free|Unload|Release")
	failed, stride := 0, 3
	if testing.Short() {
		stride = 11
	}
	for n := 1; n <= calls; n += stride {
		t.Setenv("STHENO_SIM_FAIL_CALL", fmt.Sprint(n))
		_, err := life()
		t.Setenv("STHENO_SIM_FAIL_CALL", "")
		if err != nil {
			failed++
		}
		if freeing.MatchString(sim.Message()) { // it is told, and stays
			before, _ = sim.Live()
			continue
		}
		requireLive(t, before, fmt.Sprintf("call %d of %d, %s: %v", n, calls, sim.Message(), err))
	}
	require.Greater(t, failed, 3)
	line, err := life()
	require.NoError(t, err)
	require.Contains(t, line, "measured those of inference in")
}

// A way that loses the context is told as such: the process cannot go on.
func TestMeasuringLosesTheContext(t *testing.T) {
	needSimulator(t)
	if !inChild(t, "STHENO_CUDA_CACHE=off") {
		return
	}
	e, err := cuda.New(cuda.Config{Tuning: "measure", Nondeterministic: true}) // the engine that is allowed by that fails
	require.NoError(t, err)
	b := enginetest.NewB(t, tensor.Float32)
	b.Want("conv", numtest.Reduction, b.Apply(&op.Conv2D{}, b.Input("x", 2, 6, 6, 4), b.Input("w", 3, 3, 4, 8)))
	_, err = e.Build(b.Plan())
	require.ErrorContains(t, err, "cuda: measuring: ")
	require.ErrorContains(t, err, "the GPU's context is lost")
	require.Error(t, e.Close())
}
