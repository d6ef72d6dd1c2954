//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// kernelOf is the kernel of a step of the counter.
func kernelOf(t *testing.T, e *cuda.Engine) string {
	m, _ := counter(t, e, vector(1, 2), vector(3, 4))
	p, err := e.Build(m.Plan())
	require.NoError(t, err)
	name := p.(graph.KernelTeller).Kernels()[0]
	require.NoError(t, p.Close())
	require.NoError(t, m.Close())
	return name
}

// A kernel that fails loses the context: the run says what happened and what to do, and so does all that comes later, without
// hanging. Closing works.
func TestKernelFails(t *testing.T) {
	needSimulator(t)
	for name, c := range map[string]struct {
		at       string
		env      []string
		profiled bool
	}{
		"in the first run":           {"1", nil, false},
		"in a CUDA graph":            {"4", nil, false},
		"kernel by kernel":           {"4", []string{"STHENO_CUDA_GRAPH=0"}, false},
		"while every step is waited": {"3", []string{"STHENO_CUDA_SYNC=1"}, false},
		"in a profile":               {"3", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			if !inChild(t, c.env...) {
				return
			}
			e, err := cuda.New(cuda.Config{})
			require.NoError(t, err)
			kernel := kernelOf(t, e)
			w := vector(1, 2, 3)
			m, _ := counter(t, e, w, vector(1, 1, 1)) // which is closed at the end, again
			other, _ := reader(t, e, vector(1, 2, 3))
			require.NoError(t, other.RunAll())
			require.NoError(t, os.Setenv("STHENO_SIM_FAULT", kernel+":"+c.at))
			clear := func(err error) {
				t.Helper()
				require.ErrorContains(t, err, "CUDA_ERROR_ILLEGAL_ADDRESS")
				require.ErrorContains(t, err, "the GPU's context is lost, and this process cannot use it any more: start it again")
			}
			if c.profiled {
				require.NoError(t, m.StartProfile())
			}
			for range 10 {
				if err = m.RunAll(); err != nil {
					break
				}
			}
			clear(err)
			var step *graph.StepError
			if os.Getenv("STHENO_CUDA_SYNC") == "1" {
				require.ErrorAs(t, err, &step)
				require.Equal(t, 0, step.Step)
			} else {
				require.False(t, errors.As(err, &step), "nobody knows which: %v", err)
				require.Equal(t, 1, strings.Count(err.Error(), "to learn which step failed, run with STHENO_CUDA_SYNC=1"), "%v", err)
			}
			for range 2 {
				clear(m.RunAll())
				clear(m.Start())
				clear(other.RunAll())
				clear(other.Refresh())
				_, err = cuda.New(cuda.Config{})
				clear(err)
				_, err = cuda.Devices()
				clear(err)
				_, err = e.Build(m.Plan())
				clear(err)
				_, err = e.Wrap(op.Array{Shape: []int{1 << 20}, Data: make([]float32, 1<<20)})
				clear(err)
			}
			used, held := e.Memory()
			require.LessOrEqual(t, used, held)
			require.Equal(t, "cuda:0", e.Name())
			require.Positive(t, e.Device().Memory)
			clear(m.Close()) // its variable is lost
			require.NoError(t, m.Close())
			require.Error(t, other.Close())
			clear(e.Close())
			require.NoError(t, e.Close())
			require.ErrorContains(t, other.RunAll(), "closed")
		})
	}
}
