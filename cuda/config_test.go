//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// A mistake in the configuration is told apart from a machine that has no GPU.
func TestConfigErrors(t *testing.T) {
	for _, c := range []cuda.Config{{Precision: "fp8"}, {Tuning: "auto"}, {Without: []string{"nccl"}}} {
		_, err := cuda.New(c)
		require.ErrorIs(t, err, cuda.ErrConfig)
	}
	_, err := graph.Open("cuda:x", graph.Config{})
	require.ErrorIs(t, err, cuda.ErrConfig)
	t.Setenv("STHENO_CUDA_WITHOUT", "cuDNN,cublas")
	_, err = cuda.New(cuda.Config{})
	require.ErrorIs(t, err, cuda.ErrConfig)
	require.ErrorContains(t, err, `STHENO_CUDA_WITHOUT names a library "cublas"`)
	t.Setenv("STHENO_CUDA_WITHOUT", " cuDNN , cuBLASLt ")
	needGPU(t)
	open(t, cuda.Config{})
	_, err = cuda.New(cuda.Config{Device: 99})
	require.Error(t, err)
	require.False(t, errors.Is(err, cuda.ErrConfig), "another machine may have it")
}

// A cache that cannot be written is one line in the log, not a failure, however many kernels there are.
func TestCacheThatCannotBeWritten(t *testing.T) {
	needGPU(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, folder := range []string{file, "/proc/self/fdinfo"} { // where no file can be made, even by root
		t.Setenv("STHENO_CUDA_CACHE", folder)
		n := 0
		e, err := cuda.New(cuda.Config{Log: func(line string) {
			if strings.Contains(line, "compiled kernels cannot be kept") {
				n++
			}
		}})
		require.NoError(t, err)
		b := enginetest.NewB(t, tensor.Float32)
		x := b.Apply(&op.ReLU{}, b.Input("x", 5, 5))
		b.Want("y", 0, b.Apply(&op.Softmax{}, b.Apply(&op.MatMul{}, x, x)))
		m := b.Compile(e)
		require.NoError(t, m.RunAll())
		require.NoError(t, m.Close())
		require.NoError(t, e.Close())
		require.Equal(t, 1, n)
	}
}
