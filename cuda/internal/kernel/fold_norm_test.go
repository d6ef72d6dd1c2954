package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// Early layers of large batches have many results and few weights, late ones and single images the other way around.
func TestFolds(t *testing.T) {
	for _, c := range []struct {
		name             string
		weights, results int
		bf16, fp32       bool
	}{
		{"ResNet-50, 64 images: first layer", 7 * 7 * 3 * 64, 64 * 112 * 112 * 64, true, true},
		{"ResNet-50, 64 images: first join", 64 * 256, 64 * 56 * 56 * 256, true, true},
		{"ResNet-50, 64 images: last join", 512 * 2048, 64 * 7 * 7 * 2048, true, true},
		{"ResNet-50, 64 images: last 3×3", 3 * 3 * 512 * 512, 64 * 7 * 7 * 512, false, false},
		{"ResNet-50, an image: first layer", 7 * 7 * 3 * 64, 112 * 112 * 64, false, false},
		{"VGG-16, 16 images: last convolution", 3 * 3 * 512 * 512, 16 * 14 * 14 * 512, false, false},
	} {
		require.Equal(t, []bool{c.bf16, c.fp32}, []bool{Folds(c.weights, c.results, BF16), Folds(c.weights, c.results, FP32)}, c.name)
	}
}

// foldStep folds a batch norm of 16 channels into weights.
func foldStep(dt tensor.Dtype, axis int, weights ...int) *graph.Step {
	w, c := valueOf(dt, weights...), valueOf(dt, 16)
	return &graph.Step{Instr: &graph.FoldNorm{Axis: axis, Epsilon: 1e-3}, In: []*graph.Value{w, c, c, c, c}, Out: []*graph.Value{valueOf(dt, weights...), valueOf(dt, 16)}}
}

func TestFoldNormLaunches(t *testing.T) {
	for _, dt := range floatTypes {
		for axis, shape := range map[int]tensor.Shape{3: {3, 3, 8, 16}, 0: {16, 5}, 1: {5, 16}} {
			for _, biased := range []bool{false, true} {
				c := valueOf(dt, 16)
				s := foldStep(dt, axis, shape...)
				if biased {
					s.In = append(s.In, c)
				}
				list := commandsOf(t, builderFor(TF32), s)
				require.Len(t, list, 1)
				require.Equal(t, map[bool]Pointer{false: In(3), true: In(5)}[biased], list[0].(*Launch).Args[7])
			}
		}
	}
}
