//go:build gpu && cgo && linux

package cublaslt

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// An algorithm can be had again by its choice, out of a text.
func TestWaysAreTakenAgain(t *testing.T) {
	if _, err := driver.Devices(); err != nil {
		t.Skip("needs a GPU, or the simulated one: ", err)
	}
	l := library(t)
	d, err := driver.Open(0, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	const working = 32 << 20
	require.NoError(t, d.Do(func() error {
		h, err := l.New()
		require.NoError(t, err)
		defer h.Close()
		g := &kernel.Gemm{Dtype: tensor.Float32, Precision: kernel.TF32, M: 256, N: 512, K: 384, Bias: &kernel.Pointer{}}
		first, err := h.Plan(g, working)
		require.NoError(t, err)
		all, err := h.Ways(g, working, 8)
		require.NoError(t, err)
		require.Greater(t, len(all), 1)
		require.LessOrEqual(t, len(all), 8)
		require.Equal(t, first.Choice(), all[0].Choice())
		require.Equal(t, []int64{4 * 256 * 384, 4 * 384 * 512, 4 * 256 * 512, 4 * 512}, first.Bytes())
		for _, m := range all {
			text, err := json.Marshal(m.Choice())
			require.NoError(t, err)
			var read Choice
			require.NoError(t, json.Unmarshal(text, &read))
			again, err := h.Take(g, working, read)
			require.NoError(t, err)
			require.Equal(t, m.Choice(), again.Choice())
			require.Equal(t, m.Workspace, again.Workspace)
			require.True(t, again.Measured)
			require.NoError(t, again.Close())
			require.NoError(t, m.Close())
		}
		_, err = h.Take(g, working, Choice{[8]uint64{^uint64(0), ^uint64(0)}})
		require.Error(t, err)
		if first.Workspace > 0 {
			_, err = h.Take(g, first.Workspace-1, first.Choice())
			require.ErrorContains(t, err, "bytes of working memory")
		}
		return first.Close()
	}))
}

func TestProblemsTell(t *testing.T) {
	h := &Handle{}
	base := kernel.Gemm{Dtype: tensor.Float32, M: 256, N: 512, K: 384, Bias: &kernel.Pointer{}}
	text := func(g kernel.Gemm) string {
		s, err := h.Problem(&g, 1)
		require.NoError(t, err)
		return s
	}
	seen := map[string]bool{text(base): true}
	base.Bias = &kernel.Pointer{}
	require.True(t, seen[text(base)], "the same")
	require.NotContains(t, text(base), "0x")
	for name, change := range map[string]func(g *kernel.Gemm){
		"type":       func(g *kernel.Gemm) { g.Dtype = tensor.Float64 },
		"precision":  func(g *kernel.Gemm) { g.Precision = kernel.BF16 },
		"storage":    func(g *kernel.Gemm) { g.RoundedAB = true },
		"rows":       func(g *kernel.Gemm) { g.M++ },
		"columns":    func(g *kernel.Gemm) { g.N++ },
		"depth":      func(g *kernel.Gemm) { g.K++ },
		"transposed": func(g *kernel.Gemm) { g.TransA = true },
		"and b":      func(g *kernel.Gemm) { g.TransB = true },
		"alignment":  func(g *kernel.Gemm) { g.C.Offset = 16 },
		"bias":       func(g *kernel.Gemm) { g.Bias = nil },
		"batch":      func(g *kernel.Gemm) { g.Batch, g.StrideA, g.StrideB, g.StrideC = 2, 256*384, 384*512, 256*512 },
	} {
		g := base
		change(&g)
		require.False(t, seen[text(g)], name)
		seen[text(g)] = true
	}
}
