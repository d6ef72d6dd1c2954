package kernel

import (
	"testing"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

func BenchmarkWinograd(b *testing.B) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, s := range []struct {
		name string
		c    convCase
	}{
		{"64x64@32,N32", convCase{32, 32, 32, 64, 3, 3, 64, same, false}},
		{"64x128@16,N32", convCase{32, 16, 16, 64, 3, 3, 128, same, false}},
		{"128x128@16,N32", convCase{32, 16, 16, 128, 3, 3, 128, same, false}},
		{"256x256@8,N32", convCase{32, 8, 8, 256, 3, 3, 256, same, false}},
		{"512x512@4,N32", convCase{32, 4, 4, 512, 3, 3, 512, same, false}},
		{"64x64@56,N8", convCase{8, 56, 56, 64, 3, 3, 64, same, false}},
		{"128x128@28,N8", convCase{8, 28, 28, 128, 3, 3, 128, same, false}},
		{"256x256@14,N8", convCase{8, 14, 14, 256, 3, 3, 256, same, false}},
		{"512x512@7,N8", convCase{8, 7, 7, 512, 3, 3, 512, same, false}},
	} {
		g := s.c.geometry(b)
		e := benchEnv[float32](b)
		x, w := convInput[float32](s.c, 1).Data.([]float32), convFilter[float32](s.c, 2).Data.([]float32)
		y := normal[float32](3, g.Output()...).Data.([]float32)
		work := 2 * g.N * g.H.Out * g.W.Out * g.F * 9 * g.C
		for _, backward := range []bool{false, true} {
			var scratch Scratch[float32]
			k := newWinograd(e, &scratch, g, backward)
			scratch.SetScratch(make([]float32, scratch.Workspace()))
			name := "/fwd"
			if backward {
				name = "/data"
			}
			b.Run(s.name+name, func(b *testing.B) {
				from, to := x, y
				if backward {
					from, to = y, x
				}
				flops(b, e, work, func() { k.run(&scratch, to, from, w, nil, nil, false) })
			})
		}
	}
}
