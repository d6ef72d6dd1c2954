package gemm

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// BenchmarkKernel runs the largest micro-kernel on factors that stay in the L1
// cache. BenchmarkPeak has the ceiling.
func BenchmarkKernel(b *testing.B) {
	b.Run("float32", benchmarkKernel[float32])
	b.Run("float64", benchmarkKernel[float64])
}

func benchmarkKernel[T vec.Float](b *testing.B) {
	for _, g := range benched[T](cpuid.Available()) {
		b.Run(nameOf(g), func(b *testing.B) {
			k := g.k
			const kc = 128
			mem := make([]T, kc*(k.mr+k.nr)+k.mr*k.nr+16)
			mem = mem[-uintptr(unsafe.Pointer(&mem[0]))%64/size[T]():]
			row := size[T]() * uintptr(k.nr)
			t := &tile[T]{a: unsafe.Pointer(&mem[kc*k.nr]), rs: size[T](), ks: size[T]() * uintptr(k.mr), b: unsafe.Pointer(&mem[0]),
				ldb: row, kc: kc, c: unsafe.Pointer(&mem[kc*(k.mr+k.nr)]), ldc: row, alpha: 1,
				rows: uint32(k.mr), pf: unsafe.Pointer(&mem[0]), pfRun: kc, parts: 1}
			t.setCols(k.nr)
			wide := k.tiles[byDepth]
			run := wide[len(wide)-1][k.mr]
			const repeat = 1000
			measure(b, 1, 2*repeat*kc*k.fold()*k.mr*k.nr, func() {
				for range repeat {
					run(t)
				}
			})
		})
	}
}

// benched are the products of some levels and, in float32, that of bfloat16.
func benched[T vec.Float](levels []cpuid.Level) (all []*Gemm[T]) {
	for _, level := range levels {
		all = append(all, New[T](level))
	}
	if g, ok := any(NewBF16(cpuid.HasBF16())).(*Gemm[T]); ok && cpuid.HasBF16() {
		all = append(all, g)
	}
	return all
}

func nameOf[T vec.Float](g *Gemm[T]) string {
	if g.k.round != nil {
		return "bf16"
	}
	return g.Level().String()
}

// measure reports the fast tenth of many runs: on a machine that is shared, the
// mean says more about the neighbours, and the very best about a clock's slips.
// With one thread it counts CPU time where the system tells it.
func measure(b *testing.B, threads, flops int, run func()) {
	now := clock
	if threads > 1 {
		begin := time.Now()
		now = func() time.Duration { return time.Since(begin) }
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run()
	var took []time.Duration
	for b.Loop() {
		start := now()
		run()
		took = append(took, now()-start)
	}
	slices.Sort(took)
	b.ReportMetric(float64(flops)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "mean-GFLOP/s")
	b.ReportMetric(float64(flops)/float64(took[len(took)/10].Nanoseconds()), "fast-GFLOP/s")
	b.ReportMetric(0, "ns/op")
}

type benchCase struct {
	m, n, k        int
	transA, transB bool
	source         bool
}

func (c benchCase) String() string {
	s := fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k)
	if c.source {
		s += "/source"
	}
	if c.transA {
		s += "/transA"
	}
	if c.transB {
		s += "/transB"
	}
	return s
}

func BenchmarkGemm(b *testing.B) {
	b.Run("float32", benchmarkGemm[float32])
	b.Run("float64", benchmarkGemm[float64])
}

func benchmarkGemm[T vec.Float](b *testing.B) {
	cases := []benchCase{
		{m: 512, n: 512, k: 512}, {m: 1024, n: 1024, k: 1024}, {m: 64, n: 3136, k: 576}, {m: 512, n: 196, k: 4608}, {m: 256, n: 1024, k: 2304}, {m: 8192, n: 64, k: 576},
		{m: 8192, n: 64, k: 576, source: true}, {m: 32768, n: 16, k: 27, source: true}, {m: 2048, n: 512, k: 4608, source: true},
		{m: 576, n: 64, k: 32768, transA: true, source: true}, {m: 27, n: 16, k: 32768, transA: true, source: true},
		{m: 256, n: 64, k: 25088, transA: true},
		{m: 8192, n: 576, k: 64, transB: true}, {m: 512, n: 512, k: 512, transB: true},
		{m: 1, n: 4096, k: 4096}, {m: 16, n: 4096, k: 4096}, {m: 64, n: 4096, k: 4096},
		{m: 1, n: 4096, k: 4096, transB: true}, {m: 16, n: 4096, k: 4096, transB: true}, {m: 64, n: 4096, k: 4096, transB: true},
		{m: 4096, n: 4096, k: 64, transA: true},
	}
	for _, g := range benched[T](cpuid.Available()[min(1, len(cpuid.Available())-1):]) {
		for _, threads := range []int{1, 2} {
			for _, c := range cases {
				b.Run(fmt.Sprintf("%s/t%d/%v", nameOf(g), threads, c), func(b *testing.B) {
					p := pool.New(threads)
					defer p.Close()
					w := g.NewWorkspace(threads)
					fill := func(n int) []T {
						x := make([]T, n)
						for i := range x {
							x[i] = T(i%7) - 3
						}
						return x
					}
					args := &Args[T]{M: c.m, N: c.n, K: c.k, C: fill(c.m * c.n)}
					args.A = Operand[T]{Data: fill(c.m * c.k), Trans: c.transA}
					args.B = Operand[T]{Data: fill(c.n * c.k), Trans: c.transB}
					if c.source {
						r, cc := c.m, c.k
						if c.transA {
							r, cc = cc, r
						}
						args.A.Source = memory[T]{args.A.Data, r, cc, cc, b}
					}
					measure(b, threads, 2*c.m*c.n*c.k, func() { g.Run(p, w, args) })
				})
			}
		}
	}
}

// BenchmarkStream multiplies few rows by packed factors that together are larger than the caches, as a net does with its weights
// for a single image, and reports how fast they are read.
func BenchmarkStream(b *testing.B) {
	const total = 24 << 20 // elements
	for _, threads := range []int{1, 2} {
		for _, m := range []int{1, 4, 16, 64} {
			for _, s := range [][2]int{{512, 512}, {256, 1024}, {1152, 128}, {4608, 512}, {4096, 4096}} {
				k, n := s[0], s[1]
				b.Run(fmt.Sprintf("t%d/%dx%dx%d", threads, m, n, k), func(b *testing.B) {
					g, p := New[float32](cpuid.Best()), pool.New(threads)
					defer p.Close()
					w := g.NewWorkspace(threads)
					size := g.PackedLen(k, n)
					store := make([]float32, size*(total/size)+16)
					store = store[-uintptr(unsafe.Pointer(&store[0]))%64/4:]
					for i := range store {
						store[i] = float32(i%7) - 3
					}
					args := &Args[float32]{M: m, N: n, K: k, C: make([]float32, m*n), A: Operand[float32]{Data: make([]float32, m*k)}}
					begin, bytes := time.Now(), 0
					for b.Loop() {
						for i := range total / size {
							args.B = Operand[float32]{Data: store[i*size:], Packed: true}
							g.Run(p, w, args)
						}
						bytes += 4 * size * (total / size)
					}
					took := time.Since(begin)
					b.ReportMetric(float64(bytes)/float64(took.Nanoseconds()), "GB/s")
					b.ReportMetric(float64(bytes)/4*float64(2*m)/float64(took.Nanoseconds()), "GFLOP/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
