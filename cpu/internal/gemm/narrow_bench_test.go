package gemm

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// narrow is a product of BenchmarkNarrow.
type narrow struct {
	m, n, k        int
	transA, transB bool
	packed, watch  bool
}

func (c narrow) String() string {
	s := fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k)
	switch {
	case c.transA:
		s += "/transA"
	case c.transB:
		s += "/transB"
	case c.packed:
		s += "/packed"
	case c.watch:
		s += "/watch"
	}
	return s
}

func narrowCases() (cases []narrow) {
	for _, s := range [][3]int{
		{200704, 96, 16}, {200704, 16, 32}, {50176, 144, 24}, {50176, 24, 144}, {12544, 192, 32}, {12544, 32, 192}, {3136, 384, 64},
		{3136, 64, 384}, {784, 960, 160}, {784, 160, 960},
	} {
		m, n, k := s[0], s[1], s[2]
		cases = append(cases, narrow{m: m, n: n, k: k, packed: true}, narrow{m: m, n: n, k: k, watch: true},
			narrow{m: m, n: k, k: n, transB: true}, narrow{m: k, n: n, k: m, transA: true})
	}
	for _, s := range [][3]int{{25088, 384, 96}, {25088, 96, 384}, {1576, 1536, 384}, {1576, 384, 1536}, {1576, 1152, 384}} {
		m, n, k := s[0], s[1], s[2]
		cases = append(cases, narrow{m: m, n: n, k: k}, narrow{m: m, n: k, k: n, transB: true}, narrow{m: k, n: n, k: m, transA: true})
	}
	return cases
}

// BenchmarkNarrow times products of small K or N: 1×1 convolutions of MobileNetV2, layers of ConvNeXt and ViT and their gradients.
// The matrices are other ones in each run, as in a net, where the caches do not hold them.
func BenchmarkNarrow(b *testing.B) {
	threads, _ := strconv.Atoi(os.Getenv("STHENO_BENCH_THREADS"))
	p := pool.New(threads)
	defer p.Close()
	for _, c := range narrowCases() {
		b.Run(c.String(), func(b *testing.B) {
			g := New[float32](cpuid.Best())
			w := g.NewWorkspace(p.Threads())
			fill := func(n int) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(i%7) - 3
				}
				return x
			}
			const cold = 12 << 20 // elements
			copies := max(1, cold/(c.m*c.k+c.n*c.k+c.m*c.n))
			x, y, z := fill(copies*c.m*c.k), fill(copies*c.n*c.k), fill(copies*c.m*c.n)
			args := &Args[float32]{M: c.m, N: c.n, K: c.k}
			if c.packed {
				args.Bias, args.ReLU = fill(c.n), true
				y = fill(copies * g.PackedLen(c.k, c.n))
			}
			if c.watch {
				args.Watch = unseen{}
			}
			i := 0
			measure(b, p.Threads(), 2*c.m*c.n*c.k, func() {
				args.A = Operand[float32]{Data: x[i*c.m*c.k:], Trans: c.transA}
				args.B = Operand[float32]{Data: y[i*len(y)/copies:], Trans: c.transB, Packed: c.packed}
				args.C = z[i*c.m*c.n:]
				i = (i + 1) % copies
				g.Run(p, w, args)
			})
		})
	}
}

type unseen struct{}

func (unseen) Done(int, int, int, int) {}
