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

// BenchmarkTinyImages measures the layers of 2×2 pixels of VGG-16 and ResNet-50 for images of 32², as convolutions and as products with expanded
// filters, and ResNet-50's of one pixel. In a net a filter is packed or expanded once in a step, for two passes: "kept" is a pass without it, what "packed"
// takes more is that. Run it with -benchtime 20x; the libraries' ways are measured first.
func BenchmarkTinyImages(b *testing.B) {
	e := open(b, cuda.Config{Precision: "bf16", Tuning: "measure"})
	a := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []struct {
		name           string
		pixels, filter int
		fused          bool // bias and ReLU
		ways           map[string][]string
	}{
		{"VGG-16", 2, 512, true, map[string][]string{
			"forward": {"cuDNN", tinyProduct, "tiny images by cuDNN"}, "input": {"cuDNN", tinyProduct, "tiny images by cuDNN"},
			"filter": {"cuDNN", tinyProduct, "tiny images as a rounded product"}}},
		{"ResNet-50", 2, 256, false, map[string][]string{
			"forward": {"cuDNN", tinyProduct, "tiny images by cuDNN"}, "input": {"cuDNN", tinyProduct, "tiny images by cuDNN"},
			"filter": {"cuDNN", tinyProduct, "tiny images as a rounded product"}}},
		{"ResNet-50", 1, 512, false, map[string][]string{"forward": {"product", "cuDNN"}, "input": {"product", "cuDNN"}, "filter": {"product", "cuDNN"}}},
	} {
		batches := []int{64, 512}
		if testing.Short() {
			batches, c.filter = []int{8}, 16
		}
		for _, batch := range batches {
			x, w := tensor.Shape{batch, c.pixels, c.pixels, c.filter}, tensor.Shape{3, 3, c.filter, c.filter}
			conv := &op.Conv2D{ConvAttrs: a}
			forward := imageStep{instr: conv, in: []tensor.Shape{x, w}, out: x}
			if c.fused {
				forward = imageStep{instr: &graph.FusedConv2D{Conv: conv, Bias: true, ReLU: true}, in: []tensor.Shape{x, w, {c.filter}}, out: x}
			}
			for pass, step := range map[string]imageStep{
				"forward": forward,
				"input":   {instr: &op.Conv2DBackwardInput{ConvAttrs: a, InputShape: x}, in: []tensor.Shape{x, w}, out: x},
				"filter":  {instr: &op.Conv2DBackwardFilter{ConvAttrs: a, FilterShape: w}, in: []tensor.Shape{x, x}, out: w},
			} {
				for _, way := range c.ways[pass] {
					for _, kept := range []bool{true, false} {
						if pass == "filter" && kept {
							continue // which it does not read
						}
						step.kept = kept
						filter := map[bool]string{true: "kept", false: "packed"}[kept]
						b.Run(fmt.Sprintf("%s/%d×%d_%d/%d/%s/%s/%s", c.name, c.pixels, c.pixels, c.filter, batch, pass, way, filter), func(b *testing.B) {
							cuda.Force(b, way)
							step.measure(b, e, true)
						})
					}
				}
			}
		}
	}
}
