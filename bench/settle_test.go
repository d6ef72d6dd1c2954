package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
)

// With the weights that a training begins with, the first of these gives all images the same scores, and the second's last layer is zero.
func TestTimedInferenceTellsImagesApart(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	for _, arch := range []string{"mobilenetv2", "vit-ti4"} {
		c := Case{Arch: arch, Size: 32, Classes: 10, Batch: 2, Device: "cpu", Threads: 2, Mode: Inference}
		s, err := Prepare(e, c)
		require.NoError(t, err)
		require.NoError(t, s.Run())
		p := s.Probabilities()
		require.Len(t, p, 20)
		furthest := float32(0)
		for i := range 10 {
			require.Less(t, p[i], float32(0.999), "%s: class %d has it all", arch, i)
			furthest = max(furthest, p[i]-p[10+i], p[10+i]-p[i])
		}
		require.Greater(t, furthest, float32(1e-3), "%s: %v", arch, p)
		require.NoError(t, s.Close())
	}
}
