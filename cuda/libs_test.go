//go:build gpu && cgo && linux

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Convolutions without tensor cores may have as much working memory as images and results take, within bounds.
func TestWorkspaceOf(t *testing.T) {
	const gib = 1 << 30
	layer := kernel.Convolution{N: 512, H: 32, W: 32, C: 64, OH: 32, OW: 32, K: 64, Dtype: tensor.Float32, Precision: kernel.FP32}
	with := func(change func(*kernel.Convolution)) *kernel.Convolution {
		c := layer
		change(&c)
		return &c
	}
	require.Equal(t, int64(256+64)<<20, workspaceOf(&layer, 141*gib))
	require.Equal(t, int64(256)<<20, workspaceOf(&layer, 4*gib), "a sixteenth of the device")
	require.Equal(t, int64(256)<<20, workspaceOf(&layer, 0))
	require.Equal(t, int64(256)<<20, workspaceOf(with(func(c *kernel.Convolution) { c.N = 8 }), 141*gib), "as before")
	require.Equal(t, int64(256)<<20, workspaceOf(with(func(c *kernel.Convolution) { c.Precision = kernel.TF32 }), 141*gib))
	require.Equal(t, int64(512+64)<<20, workspaceOf(with(func(c *kernel.Convolution) { c.Precision, c.Dtype = kernel.TF32, tensor.Float64 }), 141*gib))
	require.Equal(t, int64(gib), workspaceOf(with(func(c *kernel.Convolution) { c.N = 4096 }), 16*gib))
}
