//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"os"
	"path/filepath"
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
	for _, c := range []cuda.Config{{Precision: "fp8"}, {Without: []string{"nccl"}}} {
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

// A cache that cannot be written is one line in the log, not a failure.
func TestCacheThatCannotBeWritten(t *testing.T) {
	needGPU(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	t.Setenv("STHENO_CUDA_CACHE", file)
	var lines []string
	e, err := cuda.New(cuda.Config{Log: func(line string) { lines = append(lines, line) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	b := enginetest.NewB(t, tensor.Float32)
	b.Want("y", 0, b.Apply(&op.ReLU{}, b.Input("x", 5)))
	m := b.Compile(e)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	require.Contains(t, lines[len(lines)-1], "compiled kernels cannot be kept")
}
