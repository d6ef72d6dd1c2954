package winograd

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

// BenchmarkTransforms reports nanoseconds of a tile and 16 channels (or filters, or filters' channels) in blocks as the
// kernels use them.
func BenchmarkTransforms(b *testing.B) {
	for _, s := range []struct{ n, side, c int }{{1, 10, 16}, {1, 8, 64}, {8, 32, 64}, {8, 8, 256}, {8, 4, 512}, {8, 14, 256}} {
		g := NewGrid(s.n, s.side, s.side, s.c, 1, 1, s.side, s.side, s.c)
		block := min(g.Tiles(), blockOf(s.c))
		x, y := fill(1, make([]float32, s.n*s.side*s.side*s.c)), make([]float32, s.n*s.side*s.side*s.c)
		point := block*s.c/1024*1024 + 1024 + 16
		v := make([]float32, 36*point)
		e := Epilogue{Bias: x[:s.c], ReLU: true}
		for _, l := range cpuid.Available() {
			o := For(l)
			report := func(b *testing.B, units int, f func()) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*units), "ns/unit")
				b.ReportMetric(0, "ns/op")
			}
			name := fmt.Sprintf("%d²x%d/%v/", s.side, s.c, l)
			blocks := func(f func(first, count int)) {
				for i := 0; i < g.Tiles(); i += block {
					f(i, min(block, g.Tiles()-i))
				}
			}
			units := g.Tiles() * s.c / 16
			b.Run(name+"input", func(b *testing.B) {
				report(b, units, func() {
					blocks(func(first, count int) { o.Input(v, point, s.c, x, g, first, count, s.c) })
				})
			})
			b.Run(name+"output", func(b *testing.B) {
				report(b, units, func() {
					blocks(func(first, count int) { o.Output(y, v, point, s.c, g, first, count, s.c, &e) })
				})
			})
		}
	}
	const c, step = 256, 32
	w, u := fill(1, make([]float32, 9*c*64)), make([]float32, 36*(c*step+16))
	for _, l := range cpuid.Available() {
		o := For(l)
		b.Run(fmt.Sprintf("filter/%v", l), func(b *testing.B) {
			for b.Loop() {
				for f := 0; f < 16; f += o.Lanes() {
					o.Filter(u[f:], c*step+16, step, w[f:], c*64, 64, c, o.Lanes(), false)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c), "ns/unit")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func blockOf(c int) int {
	if s := os.Getenv("STHENO_BENCH_BLOCK"); s != "" {
		n, _ := strconv.Atoi(s)
		return n
	}
	return max(6, 36*64/c)
}
