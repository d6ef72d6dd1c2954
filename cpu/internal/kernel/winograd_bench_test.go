package kernel

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func BenchmarkWinograd(b *testing.B) {
	cold := make([]float32, 16<<20)
	for _, c := range netConvs() {
		if c.c == 3 {
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
				k := newWinograd(e, &scratch, g, ConvOptions{Frozen: name == "/frozen"}, backward)
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
				var times []time.Duration
				for b.Loop() {
					if os.Getenv("COLD") != "" {
						for i := 0; i < len(cold); i += 16 {
							cold[i]++
						}
					}
					t := time.Now()
					k.run(&scratch, to, from, u, nil, nil)
					times = append(times, time.Since(t))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "µs")
				b.ReportMetric(float64(work)/float64(times[len(times)/2].Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
