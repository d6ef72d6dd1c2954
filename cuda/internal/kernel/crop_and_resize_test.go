package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/augment"
)

func cropAndResizeStep(o *op.CropAndResize, dt tensor.Dtype, n, pixels, channels int) *graph.Step {
	return stepOf(o, valueOf(dt, n, o.Height, o.Width, channels), valueOf(tensor.Uint8, n, pixels, channels), valueOf(tensor.Int, n, augment.BoxNumbers))
}

func TestCropAndResize(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, c := range [][4]int{{256, 4 * 224 * 224, 224, 3}, {1, 7, 1, 1}, {3, 100, augment.MostPixels, 32}} {
			o := &op.CropAndResize{Height: c[2], Width: c[2], To: dt}
			commands := commandsOf(t, builderFor(FP32), cropAndResizeStep(o, dt, c[0], c[1], c[3]))
			check := commands[0].(*Check)
			draws := make([]int, augment.BoxNumbers*c[0])
			require.ErrorContains(t, check.Fn(op.Array{Data: draws}), "the draw of picture 0: a picture of 0×0 pixels")
		}
	}
	o := &op.CropAndResize{Height: 8, Width: 8}
	require.True(t, narrowed(cropAndResizeStep(o, tensor.Float32, 2, 100, 3)).Out[0].Narrow)
	commandsOf(t, builderFor(BF16), narrowed(cropAndResizeStep(o, tensor.Float32, 2, 100, 3)))
	// What is too large for the kernel's int and for its text runs on the host.
	for _, c := range [][2]int{{1 << 30, 3}, {64, 33}} {
		commands, err := Commands(builderFor(FP32), cropAndResizeStep(o, tensor.Float32, 1, c[0], c[1]))
		require.NoError(t, err)
		require.Nil(t, commands)
	}
}
