package gemm

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// BenchmarkDeep times the gradients of 1×1 kernels: a transposed A over a deep K. The factors are other ones in each run,
// as in training, where the caches do not hold them.
func BenchmarkDeep(b *testing.B) {
	threads, _ := strconv.Atoi(os.Getenv("STHENO_BENCH_THREADS"))
	p := pool.New(threads)
	defer p.Close()
	for _, c := range []benchCase{
		{m: 64, n: 64, k: 50176}, {m: 64, n: 256, k: 50176}, {m: 256, n: 64, k: 50176}, {m: 256, n: 128, k: 50176},
		{m: 128, n: 512, k: 12544}, {m: 512, n: 128, k: 12544}, {m: 512, n: 256, k: 12544},
		{m: 256, n: 1024, k: 3136}, {m: 1024, n: 256, k: 3136}, {m: 1024, n: 512, k: 3136},
		{m: 512, n: 2048, k: 784}, {m: 2048, n: 512, k: 784},
		{m: 64, n: 64, k: 4096}, {m: 64, n: 256, k: 4096}, {m: 256, n: 64, k: 4096}, {m: 512, n: 128, k: 1024}, {m: 256, n: 1024, k: 256},
		{m: 1024, n: 512, k: 256}, {m: 512, n: 2048, k: 64}, {m: 2048, n: 512, k: 64},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k), func(b *testing.B) {
			g := New[float32](cpuid.Best())
			w := g.NewWorkspace(p.Threads())
			fill := func(n int) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(i%7) - 3
				}
				return x
			}
			const cold = 24 << 20 // elements
			copies := max(1, cold/((c.m+c.n)*c.k))
			x, y := fill(copies*c.m*c.k), fill(copies*c.n*c.k)
			args := &Args[float32]{M: c.m, N: c.n, K: c.k, C: fill(c.m * c.n)}
			i := 0
			measure(b, p.Threads(), 2*c.m*c.n*c.k, func() {
				args.A = Operand[float32]{Data: x[i*c.m*c.k:], Trans: true}
				args.B = Operand[float32]{Data: y[i*c.n*c.k:]}
				i = (i + 1) % copies
				g.Run(p, w, args)
			})
		})
	}
}
