//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BenchmarkMaskedGradients measures the gradients between VGG-16's convolutions: by a convolution and a sweep that masks and sums, and masked
// by cuDNN with a sweep that sums. The two together are what --tuning measure chooses from. Run it with -benchtime 20x; cuDNN's ways are
// measured first.
func BenchmarkMaskedGradients(b *testing.B) {
	e := open(b, cuda.Config{Precision: "bf16", Tuning: "measure"})
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, size := range []struct{ pixels, batch int }{{32, 512}, {224, 64}} {
		for _, c := range []struct{ scale, channels, filters int }{
			{1, 64, 64}, {2, 64, 128}, {2, 128, 128}, {4, 128, 256}, {4, 256, 256}, {8, 256, 512}, {8, 512, 512}, {16, 512, 512},
		} {
			n := size.pixels / c.scale
			x, y, w := tensor.Shape{size.batch, n, n, c.channels}, tensor.Shape{size.batch, n, n, c.filters}, tensor.Shape{3, 3, c.channels, c.filters}
			step := imageStep{instr: &graph.FusedConv2DBackwardInput{Grad: &op.Conv2DBackwardInput{ConvAttrs: same, InputShape: x}, Bias: true},
				in: []tensor.Shape{y, w, x}, out: x, more: x[3:]}
			for _, way := range [][2]string{{"apart", "cuDNN"}, {"masked", maskedWay}} {
				b.Run(fmt.Sprintf("%d/%d×%d_%d-%d/%s", size.pixels, n, n, c.channels, c.filters, way[0]), func(b *testing.B) {
					cuda.Force(b, way[1])
					step.measure(b, e, true)
				})
			}
		}
	}
}
