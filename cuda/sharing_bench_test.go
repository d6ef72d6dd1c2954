//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// BenchmarkSums times the steps that sum the channels of the images of VGG-16 and ResNet-50, of bfloat16, in each way to share the sums, twenty
// in one CUDA graph, and says how many bytes of images a second they read and write, and what part that is of what a copy of 400 MB does:
// -benchtime 10x. Where a way is not offered, the first is timed again.
func BenchmarkSums(b *testing.B) {
	const steps = 20
	copied := []int{512, 32, 32, 400}
	vgg := [][]int{{512, 32, 32, 64}, {512, 16, 16, 128}, {512, 8, 8, 256}, {512, 4, 4, 512}, {512, 4096}, {64, 32, 32, 64}, {64, 224, 224, 64}, {64, 56, 56, 256}}
	resnet := [][]int{{512, 16, 16, 64}, {512, 8, 8, 64}, {512, 8, 8, 256}, {512, 4, 4, 512}, {512, 2, 2, 1024}, {128, 112, 112, 64}, {128, 56, 56, 64},
		{128, 56, 56, 256}, {128, 28, 28, 512}, {128, 14, 14, 1024}, {128, 7, 7, 2048}}
	if testing.Short() {
		copied, vgg, resnet = []int{2, 3, 3, 16}, [][]int{{2, 3, 3, 16}}, [][]int{{40, 16}}
	}
	e := open(b, cuda.Config{Precision: "bf16"})
	copies := 0.0
	time := func(name string, dims []int, instr graph.Instr, in, out []*graph.Value) {
		b.Run(name, func(b *testing.B) {
			bytes := 0
			for _, v := range append(in, out...) {
				if len(v.Shape) == len(dims) {
					bytes += v.StoredBytes()
				}
			}
			perStep := repeat(b, e, instr, in, out, steps)
			rate := float64(bytes) / perStep.Seconds()
			if strings.HasPrefix(name, "Copy") {
				copies = max(copies, rate)
			}
			b.ReportMetric(float64(perStep.Nanoseconds())/1e3, "µs/step")
			b.ReportMetric(rate/1e9, "GB/s")
			b.ReportMetric(100*rate/max(copies, 1), "%copy")
			b.ReportMetric(0, "ns/op")
		})
	}
	image := func(dims []int) *graph.Value {
		return &graph.Value{Shape: dims, Dtype: tensor.Float32, Where: graph.Arena, Narrow: true}
	}
	vs := func(list ...*graph.Value) []*graph.Value { return list }
	time(fmt.Sprintf("Copy/%v", tensor.Shape(copied)), copied, &graph.Copy{}, vs(image(copied)), vs(image(copied)))
	each := func(dims []int, way string, biases bool) {
		axis := len(dims) - 1
		x, y, dy, dz, sum := image(dims), image(dims), image(dims), image(dims), image(dims)
		v := &graph.Value{Shape: dims[axis:], Where: graph.External, Input: true}
		made := func() *graph.Value { return &graph.Value{Shape: dims[axis:], Where: graph.Arena} }
		for _, c := range []struct {
			name    string
			bias    bool
			instr   graph.Instr
			in, out []*graph.Value
		}{
			{"BiasGrad", true, &op.BiasGrad{Axis: axis}, vs(dy), vs(made())},
			{"ReLUGrad+BiasGrad", true, &graph.ReLUGradBias{Axis: axis}, vs(y, dy), vs(sum, made())},
			{"BatchStats", false, &graph.BatchStats{Axis: axis}, vs(x), vs(made(), made())},
			{"BatchNormSums", false, &graph.BatchNormSums{Axis: axis}, vs(x, v, v, dy), vs(made(), made())},
			{"BatchNormReLUSums", false, &graph.BatchNormReLUSums{Axis: axis}, vs(x, v, v, v, v, dy), vs(made(), made())},
			{"Add+ReLUGrad+BatchNormSums", false, &graph.BatchNormJoinSums{Axis: axis}, vs(x, v, v, dy, dz, y), vs(made(), made(), sum)},
		} {
			if c.bias == biases {
				time(fmt.Sprintf("%s/%v/%s", c.name, tensor.Shape(dims), way), dims, c.instr, c.in, c.out)
			}
		}
	}
	for i, ways := range [][]string{{"2 blocks", "4 blocks", "2 blocks, 2 waves"}, {"2 blocks", "3 blocks", "2 blocks, 2 waves"}} {
		for _, dims := range [][][]int{vgg, resnet}[i] {
			for _, way := range ways {
				cuda.Force(b, way)
				each(dims, way, i == 0)
			}
		}
	}
}
