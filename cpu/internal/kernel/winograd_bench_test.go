package kernel

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkWinograd times the convolutions of the nets by Winograd's algorithm; STHENO_BENCH_COLD=1 with the caches as they are in a net.
func BenchmarkWinograd(b *testing.B) {
	for _, c := range netConvs() {
		if c.c == 3 || c.kh != 3 || c.a.Strides[0] > 1 {
			continue
		}
		s := struct {
			name string
			c    convCase
		}{fmt.Sprintf("%dx%d@%d,N%d", c.c, c.f, c.h, c.n), c}
		g := s.c.geometry(b)
		e := benchEnv[float32](b)
		x, w := convInput[float32](s.c, 1).Data.([]float32), convFilter[float32](s.c, 2).Data.([]float32)
		y := normal[float32](3, g.Output()...).Data.([]float32)
		work := 2 * g.N * g.H.Out * g.W.Out * g.F * 9 * g.C
		for _, name := range []string{"/fwd", "/frozen", "/data"} {
			backward := name == "/data"
			var scratch Scratch[float32]
			b.Run(s.name+name, func(b *testing.B) {
				k := newWinograd(e, &scratch, g, ConvOptions{Frozen: name == "/frozen"}, backward, nil)
				scratch.SetScratch(make([]float32, scratch.Workspace()))
				u := w
				if name == "/frozen" {
					u = make([]float32, k.packed())
					k.pack(&scratch, u, w)
				}
				from, to := x, y
				if backward {
					from, to = y, x
				}
				run := func() { k.run(&scratch, to, from, u, nil, nil) }
				timed := measure[float32]
				if os.Getenv("STHENO_BENCH_COLD") != "" {
					timed = cold
				}
				s := timed(b, e, run)
				b.ReportMetric(s*1e6, "µs")
				b.ReportMetric(float64(work)/s/1e9, "GFLOP/s")
			})
		}
	}
}
