package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// augmentStep stands for a step that has the operands of an augmentation.
func augmentStep(dt tensor.Dtype, n, images int, a Augmentation) *graph.Step {
	return stepOf(&graph.Copy{}, valueOf(dt, n, a.Height, a.Width, a.Channels), valueOf(tensor.Uint8, images, a.Height, a.Width, a.Channels),
		valueOf(tensor.Int, n), valueOf(tensor.Int), valueOf(tensor.Float32, 256, a.Channels))
}

func TestAugmentation(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, a := range []Augmentation{{Height: 32, Width: 32, Channels: 3, PadCrop: 4, HorizontalFlip: true, Seed: 1 << 40}, {Height: 224, Width: 200, Channels: 1}} {
			l, err := a.Batch(dt, 7)
			require.NoError(t, err)
			checkLaunches(t, builderFor(FP32), augmentStep(dt, 7, 9, a), []Command{l})
		}
	}
	for want, a := range map[string]Augmentation{"at least one pixel": {Height: 32, Width: 32}, "fewer than an image's side": {Height: 8, Width: 4, Channels: 3, PadCrop: 4}} {
		_, err := a.Batch(tensor.Float32, 1)
		require.ErrorContains(t, err, want)
	}
}
