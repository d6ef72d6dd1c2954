package kernel

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// netConv is a convolution of a net over square maps, and how often the net has it.
type netConv struct{ count, size, c, kernel, f, stride int }

// filterNets are the convolutions of nets of this project.
var filterNets = []struct {
	name  string
	convs []netConv
}{
	{"vgg16@32", []netConv{
		{1, 32, 3, 3, 64, 1}, {1, 32, 64, 3, 64, 1}, {1, 16, 64, 3, 128, 1}, {1, 16, 128, 3, 128, 1}, {1, 8, 128, 3, 256, 1},
		{2, 8, 256, 3, 256, 1}, {1, 4, 256, 3, 512, 1}, {2, 4, 512, 3, 512, 1}, {3, 2, 512, 3, 512, 1}}},
	{"resnet50@224", resnetConvs(224)},
	{"resnet50@32", resnetConvs(32)},
	{"simplecnn@32", []netConv{{1, 32, 3, 3, 16, 1}, {1, 15, 16, 3, 32, 1}, {1, 6, 32, 3, 64, 1}}},
}

func resnetConvs(size int) []netConv {
	convs := []netConv{{1, size, 3, 7, 64, 2}}
	at, in := size/4, 64
	for i, blocks := range []int{3, 4, 6, 3} {
		stride := min(i+1, 2)
		f := 64 << i
		out := at / stride
		convs = append(convs, netConv{1, at, in, 1, f, 1}, netConv{1, at, f, 3, f, stride}, netConv{blocks, out, f, 1, 4 * f, 1},
			netConv{1, at, in, 1, 4 * f, stride}, netConv{blocks - 1, out, 4 * f, 1, f, 1}, netConv{blocks - 1, out, f, 3, f, 1})
		at, in = out, 4*f
	}
	return convs
}

func (n netConv) String() string {
	return fmt.Sprintf("%dx%d/%d,%d→%d@%d", n.kernel, n.kernel, n.stride, n.c, n.f, n.size)
}

// BenchmarkFilterGradients times the gradients of all kernels of a net, one after the other, and adds up. STHENO_BENCH_WAY forces a way
// where it is one.
func BenchmarkFilterGradients(b *testing.B) {
	defer func() { forcedWay = "" }()
	forcedWay = os.Getenv("STHENO_BENCH_WAY")
	for _, net := range filterNets {
		for _, batch := range []int{16, 32, 64} {
			b.Run(fmt.Sprintf("%s/%d", net.name, batch), func(b *testing.B) { benchmarkFilterGradients(b, net.convs, batch) })
		}
	}
}

func benchmarkFilterGradients(b *testing.B, convs []netConv, batch int) {
	var work, seconds float64
	for _, n := range convs {
		c := convCase{batch, n.size, n.size, n.c, n.kernel, n.kernel, n.f,
			op.ConvAttrs{Strides: [2]int{n.stride, n.stride}, Padding: shape.Padding{Mode: shape.Same}}, ""}
		g := c.geometry(b)
		layer := float64(2*g.N*g.H.Out*g.W.Out*g.F) * float64(g.H.Kernel*g.W.Kernel*g.C)
		b.Run(n.String(), func(b *testing.B) {
			x, w := convInput[float32](c, 1).Data.([]float32), convFilter[float32](c, 2).Data.([]float32)
			y := normal[float32](3, g.Output()...).Data.([]float32)
			e := benchEnv[float32](b)
			k, err := NewConv2DBackwardFilter[float32](e, g)
			require.NoError(b, err)
			k.SetScratch(make([]float32, k.Workspace()))
			s := measure(b, e, func() { k.Run(w, x, y) })
			work, seconds = work+float64(n.count)*layer, seconds+float64(n.count)*s
			b.ReportMetric(layer/s/1e9, "GFLOP/s")
			b.ReportMetric(1e3*s, "ms")
			b.ReportMetric(float64(n.count)*1e3*s, "ms-in-all")
		})
	}
	b.Run("all", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(work/seconds/1e9, "GFLOP/s")
		b.ReportMetric(1e3*seconds, "ms")
	})
}
