//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// BenchmarkFirstLayers measures convolutions of images of three channels by our kernels, and beside each the same of eight channels by
// cuDNN, which is what a library needs to be given for them (without the sweep that adds the channels). The share of the memory's speed
// is GB/s, in which all operands and results count once. Run it with -benchtime 20x; cuDNN's ways are measured first.
func BenchmarkFirstLayers(b *testing.B) {
	e := open(b, cuda.Config{Precision: "bf16", Tuning: "measure"})
	around := func(n int) shape.Padding {
		return shape.Padding{Mode: shape.Explicit, Top: n, Bottom: n, Left: n, Right: n}
	}
	strided := func(n int, p shape.Padding) op.ConvAttrs { return op.ConvAttrs{Strides: [2]int{n, n}, Padding: p} }
	for _, c := range []struct {
		name string
		fewCase
		fused bool // bias and ReLU
	}{
		{"VGG-16_32", fewCase{tensor.Shape{512, 32, 32, 3}, tensor.Shape{3, 3, 3, 64}, op.ConvAttrs{Padding: around(1)}}, true},
		{"SimpleCNN", fewCase{tensor.Shape{1024, 32, 32, 3}, tensor.Shape{3, 3, 3, 16}, op.ConvAttrs{}}, true},
		{"ResNet-50_32", fewCase{tensor.Shape{64, 32, 32, 3}, tensor.Shape{7, 7, 3, 64}, strided(2, around(3))}, false},
		{"ResNet-50_224", fewCase{tensor.Shape{128, 224, 224, 3}, tensor.Shape{7, 7, 3, 64}, strided(2, around(3))}, false},
		{"VGG-16_224", fewCase{tensor.Shape{64, 224, 224, 3}, tensor.Shape{3, 3, 3, 64}, op.ConvAttrs{Padding: around(1)}}, true},
		{"AlexNet_227", fewCase{tensor.Shape{128, 227, 227, 3}, tensor.Shape{11, 11, 3, 96}, strided(4, shape.Padding{})}, true},
	} {
		for _, channels := range []int{3, 8} {
			x, w := c.x.Clone(), c.w.Clone()
			x[3], w[2] = channels, channels
			if testing.Short() {
				if x[1] > 32 {
					continue
				}
				x[0] = 1
			}
			g, err := c.a.Geometry(x, w)
			if err != nil {
				b.Fatal(err)
			}
			conv := &op.Conv2D{ConvAttrs: c.a}
			forward := imageStep{instr: conv, in: []tensor.Shape{x, w}, out: g.Output()}
			if c.fused {
				forward = imageStep{instr: &graph.FusedConv2D{Conv: conv, Bias: true, ReLU: true}, in: []tensor.Shape{x, w, {g.F}}, out: g.Output()}
			}
			filter := imageStep{instr: &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: w}, in: []tensor.Shape{x, g.Output()}, out: w}
			whose := map[int]string{3: "ours", 8: "cuDNN"}[channels]
			for _, narrow := range []bool{false, true} {
				memory := map[bool]string{false: "f32", true: "bf16"}[narrow]
				b.Run(c.name+"/forward/"+memory+"/"+whose, func(b *testing.B) { forward.measure(b, e, narrow) })
				b.Run(c.name+"/filter/"+memory+"/"+whose, func(b *testing.B) { filter.measure(b, e, narrow) })
			}
		}
	}
}
