package weights

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// 128 MiB, about VGG-16 on 32×32 images. Saving includes the digest and the flush
// to the disk; the figure is the disk's as much as ours.
func BenchmarkCheckpoint(b *testing.B) {
	data := make([]float32, 32<<20)
	for i := range data {
		data[i] = float32(i)
	}
	c := &Checkpoint{Tensors: []Tensor{{Name: "model/a", Shape: []int{len(data)}, Data: data}}}
	path := filepath.Join(b.TempDir(), "c.safetensors")
	b.Run("save", func(b *testing.B) {
		b.SetBytes(int64(4 * len(data)))
		for b.Loop() {
			require.NoError(b, SaveCheckpoint(path, c))
		}
	})
	b.Run("load", func(b *testing.B) {
		b.SetBytes(int64(4 * len(data)))
		for b.Loop() {
			_, err := LoadCheckpoint(path)
			require.NoError(b, err)
		}
	})
	b.Run("write without digest", func(b *testing.B) {
		b.SetBytes(int64(4 * len(data)))
		for b.Loop() {
			require.NoError(b, WriteSafetensors(path, &File{Tensors: c.Tensors}))
		}
	})
}
