package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func augmentStep(o *op.Augment, dt tensor.Dtype, dims ...int) *graph.Step {
	return stepOf(o, valueOf(dt, dims...), valueOf(tensor.Uint8, dims...), valueOf(tensor.Int, dims[0], 3))
}

func TestAugment(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, dims := range [][]int{{7, 32, 32, 3}, {1, 224, 200, 1}, {3, 2, 2, 32}} {
			o := &op.Augment{Padding: 1, To: dt}
			commands := commandsOf(t, builderFor(FP32), augmentStep(o, dt, dims...))
			check := commands[0].(*Check)
			draws := make([]int, 3*dims[0])
			require.NoError(t, check.Fn(op.Array{Data: draws}))
			draws[1] = 2
			require.ErrorContains(t, check.Fn(op.Array{Data: draws}), "the draw of image 0 is (0, 2, 0)")
		}
	}
	// A whole set with all that there is.
	o := &op.Augment{Cutout: 8, Mixup: true, Indexed: true}
	commands := commandsOf(t, builderFor(FP32), stepOf(o, valueOf(tensor.Float32, 4, 32, 32, 3), valueOf(tensor.Uint8, 9, 32, 32, 3), valueOf(tensor.Int, 4, 7), valueOf(tensor.Int, 4)))
	require.NoError(t, commands[1].(*Check).Fn(op.Array{Data: []int{8, 0, 1, 8}}))
	require.ErrorContains(t, commands[1].(*Check).Fn(op.Array{Data: []int{8, 0, 1, 9}}), "image 3 of the batch is number 9 of the set")
	// What is too large for the kernel's int and for its text runs on the host.
	for _, dims := range [][]int{{1, 1 << 16, 1 << 16, 1}, {1, 8, 8, 33}} {
		commands, err := Commands(builderFor(FP32), augmentStep(&op.Augment{}, tensor.Float32, dims...))
		require.NoError(t, err)
		require.Nil(t, commands)
	}
}
