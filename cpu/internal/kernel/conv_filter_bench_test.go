package kernel

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkFilterGradients times the gradients of all kernels of a net, one after the other, and adds up. STHENO_BENCH_WAY forces a way
// where it is one.
func BenchmarkFilterGradients(b *testing.B) {
	defer func() { forcedWay = "" }()
	forcedWay = os.Getenv("STHENO_BENCH_WAY")
	for _, net := range nets {
		for _, batch := range []int{16, 32, 64} {
			b.Run(fmt.Sprintf("%s/%d", net.name, batch), func(b *testing.B) { benchmarkFilterGradients(b, net, batch) })
		}
	}
}

func benchmarkFilterGradients(b *testing.B, net net, batch int) {
	var work, seconds float64
	for _, n := range net.convs {
		c := net.layer(n, batch)
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
