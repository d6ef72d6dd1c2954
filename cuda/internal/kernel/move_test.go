package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func TestMoves(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Bool} {
		x := valueOf(dt, 2, 3, 40, 50)
		for _, s := range []*graph.Step{
			stepOf(&graph.Copy{}, x, x),
			stepOf(&op.Permute{Axes: []int{0, 2, 3, 1}}, valueOf(dt, 2, 40, 50, 3), x),
			stepOf(&op.Permute{Axes: []int{0, 1, 3, 2}}, valueOf(dt, 2, 3, 50, 40), x),
			stepOf(&op.Permute{Axes: []int{2, 0, 1, 3}}, valueOf(dt, 40, 2, 3, 50), x),
			stepOf(&ir.Repeat{Axis: 1, Times: 4}, valueOf(dt, 2, 12, 40, 50), x),
			stepOf(&ir.Repeat{Axis: 1, Times: 4}, valueOf(dt, 1, 4), valueOf(dt)),
			stepOf(&ir.Upsample{Scale: 3}, valueOf(dt, 2, 3, 120, 150), x),
			stepOf(&op.ZeroPad2D{Top: 1, Left: 2, Right: 3}, valueOf(dt, 2, 4, 45, 50), x),
			stepOf(&op.Crop2D{Top: 1, Left: 2, Right: 3, Format: shape.NCHW}, valueOf(dt, 2, 3, 39, 45), x),
			stepOf(&ir.Im2Col{Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}, valueOf(dt, 2, 40, 50, 27), x),
		} {
			commandsOf(t, builderFor(FP32), s)
		}
	}
	for _, dt := range floatTypes {
		x := valueOf(dt, 2, 3, 40, 50)
		commandsOf(t, builderFor(FP32), stepOf(&ir.UpsampleGrad{Scale: 2}, valueOf(dt, 2, 3, 20, 25), x))
		commandsOf(t, builderFor(FP32), stepOf(&ir.Col2Im{InputShape: x.Shape, Im2Col: ir.Im2Col{Kernel: [2]int{3, 3}, Pad: [2]int{1, 1},
			Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}}, x, valueOf(dt, 2, 40, 50, 27)))
	}
}

// The axes that are left name every element of x once, in the order that the permutation says.
func TestPermutedAxes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		rank := 1 + r.IntN(6)
		dims, perm := make(tensor.Shape, rank), r.Perm(rank)
		for i := range dims {
			dims[i] = 1 + r.IntN(4)
		}
		values := make([]float64, op.Len(dims))
		out := make(tensor.Shape, rank)
		for i, p := range perm {
			out[i] = dims[p]
		}
		for i := range values {
			values[i] = float64(i)
		}
		want := make([]float64, len(values))
		require.NoError(t, (&op.Permute{Axes: perm}).Reference(op.Array{Shape: out, Data: want}, []op.Array{{Shape: dims, Data: values}}))
		axes := permuted(dims, perm)
		for i, w := range want {
			rest, x, y := i, 0, 0
			for _, a := range slices.Backward(axes) {
				x, y, rest = x+rest%a.size*a.x, y+rest%a.size*a.y, rest/a.size
			}
			require.Equal(t, int(w), x, "%v of %v", perm, dims)
			require.Equal(t, i, y)
		}
	}
}

func TestPermuteChoosesItsKernel(t *testing.T) {
	b := builderFor(FP32)
	name := func(dims tensor.Shape, perm ...int) string {
		c := b.permute(tensor.Float32, Out(0), In(0), dims, perm)
		if l, ok := c.(*Launch); ok {
			return l.Name
		}
		return "move"
	}
	require.Equal(t, "move", name(tensor.Shape{1, 3, 1, 5}, 2, 1, 0, 3), "only axes of size 1 change places")
	require.Equal(t, "permute_tiles", name(tensor.Shape{8, 64, 28, 28}, 0, 2, 3, 1))
	require.Equal(t, "permute_tiles", name(tensor.Shape{8, 28, 28, 64}, 0, 3, 1, 2))
	require.Equal(t, "permute_tiles", name(tensor.Shape{10, 20, 30}, 2, 1, 0))
	require.Equal(t, "permute_each", name(tensor.Shape{8, 28, 28, 3}, 0, 3, 1, 2), "narrow")
	require.Equal(t, "permute_each", name(tensor.Shape{10, 20, 30}, 1, 0, 2), "memory stays together")

	dims, perm := make(tensor.Shape, 12), make([]int, 12)
	for i := range dims {
		dims[i], perm[i] = 2, 11-i
	}
	require.Nil(t, b.permute(tensor.Float32, Out(0), In(0), dims, perm), "more axes than the kernels take")
}
