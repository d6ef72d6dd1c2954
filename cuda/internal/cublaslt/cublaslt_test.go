//go:build gpu && cgo && linux

package cublaslt

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// library is the cuBLASLt of the machine.
func library(t *testing.T) *Library {
	t.Helper()
	l, err := Load(0)
	if err != nil {
		t.Skip("no cuBLASLt to test with: set STHENO_CUBLASLT_PATH. ", err)
	}
	return l
}

func TestLibraryHasAVersion(t *testing.T) {
	l := library(t)
	require.Regexp(t, `^1\d\.\d+\.\d+$`, l.Version())
	require.Regexp(t, `^/`, l.Path())
}

// TestPlanWithoutADevice proves that the descriptors of a product are what the library wants, as far as that goes without a
// device: a handle that is not initialised is refused only when an algorithm is chosen.
func TestPlanWithoutADevice(t *testing.T) {
	l := library(t)
	for _, g := range []*kernel.Gemm{
		{Dtype: tensor.Float32, M: 3, N: 4, K: 5},
		{Dtype: tensor.Float32, M: 3, N: 4, K: 5, TransA: true, TransB: true, Bias: &kernel.Pointer{}, Precision: kernel.BF16},
		{Dtype: tensor.Float64, M: 3, N: 4, K: 5, Batch: 7, StrideA: 15, StrideB: 20, StrideC: 12},
	} {
		m, err := (&Handle{lib: l}).Plan(g, 1<<20)
		require.ErrorContains(t, err, "cublasLtMatmulAlgoGetHeuristic")
		require.ErrorContains(t, err, "CUBLAS_STATUS_")
		require.Nil(t, m)
	}
}
