//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BenchmarkMaskedGradients measures the gradients between VGG-16's convolutions: by a convolution and a sweep that masks and sums; masked by cuDNN,
// by a selection or as a gradient of its own, with a sweep that sums; and summed by cuDNN, too. --tuning measure chooses from these: what it found, and
// why a way is not followed, is told before the first of each layer. Run it with -benchtime 20x; cuDNN's ways are measured first.
func BenchmarkMaskedGradients(b *testing.B) {
	needGPU(b)
	b.Setenv("STHENO_CUDA_ALTERNATIVES", "1")
	var lines []string
	e, err := cuda.New(cuda.Config{Precision: "bf16", Tuning: "measure", Log: func(line string) { lines = append(lines, line) }})
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	sizes := []struct{ pixels, batch int }{{32, 512}, {224, 64}}
	layers := []struct{ scale, channels, filters int }{
		{1, 64, 64}, {2, 64, 128}, {2, 128, 128}, {4, 128, 256}, {4, 256, 256}, {8, 256, 512}, {8, 512, 512}, {16, 512, 512},
	}
	if testing.Short() {
		sizes, layers = sizes[:1], layers[:1]
		sizes[0].batch, layers[0].scale, layers[0].channels, layers[0].filters = 2, 8, 16, 8
	}
	for _, size := range sizes {
		for _, c := range layers {
			n := size.pixels / c.scale
			x, y, w := tensor.Shape{size.batch, n, n, c.channels}, tensor.Shape{size.batch, n, n, c.filters}, tensor.Shape{3, 3, c.channels, c.filters}
			step := imageStep{instr: &graph.FusedConv2DBackwardInput{Grad: &op.Conv2DBackwardInput{ConvAttrs: same, InputShape: x}, Bias: true},
				in: []tensor.Shape{y, w, x}, out: x, more: x[3:]}
			for _, way := range [][2]string{{"apart", "cuDNN"}, {"selected", selectedWay}, {"selected-summed", summedWay}, {"masked", reluGradWay}} {
				b.Run(fmt.Sprintf("%d/%d×%d_%d-%d/%s", size.pixels, n, n, c.channels, c.filters, way[0]), func(b *testing.B) {
					cuda.Force(b, way[1])
					kernels := step.measure(b, e, true)
					for _, line := range lines {
						b.Log(line)
					}
					if lines = nil; b.N == 1 {
						b.Log("steps: " + kernels)
					}
				})
			}
		}
	}
}
