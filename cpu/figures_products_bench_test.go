package cpu

import (
	"fmt"
	"testing"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// BenchmarkProducts has matrix products against the peak of multiplications and additions.
func BenchmarkProducts(b *testing.B) {
	threads := benchNumber(b, "STHENO_BENCH_THREADS", 2)
	p := pool.New(threads)
	defer p.Close()
	g := gemm.New[float32](kernel.Level())
	const largest = 4096 * 4096
	x, y, z := numbers(b, largest), numbers(b, largest), numbers(b, largest)
	product := func(m, n, k int, transA, transB, packed bool) figure {
		args := &gemm.Args[float32]{M: m, N: n, K: k, C: z}
		args.A, args.B = gemm.Operand[float32]{Data: x, Trans: transA}, gemm.Operand[float32]{Data: y, Trans: transB}
		name := fmt.Sprintf("%d×%d×%d", m, n, k)
		if transA {
			name += ", A transposed"
		}
		if transB {
			name += ", B transposed"
		}
		if packed {
			u := numbers(b, g.PackedLen(k, n))
			g.Pack(p, g.NewWorkspace(threads), u, args.B, k, n)
			args.B = gemm.Operand[float32]{Data: u, Packed: true}
			name += ", B packed"
		}
		w := g.NewWorkspace(threads)
		return figure{name, 2 * float64(m) * float64(n) * float64(k), func() { g.Run(p, w, args) }}
	}
	var all []figure
	for _, n := range []int{512, 1024, 2048, 4096} {
		all = append(all, product(n, n, n, false, false, false))
	}
	for _, n := range []int{1024, 2048} {
		all = append(all, product(n, n, n, true, false, false), product(n, n, n, false, true, false))
	}
	// A convolution has pixels for rows. Its filter's gradient sums over them, and that of its input takes the filter transposed.
	for _, s := range [][3]int{{3136, 64, 576}, {196, 512, 4608}, {1024, 256, 2304}} {
		m, n, k := s[0], s[1], s[2]
		all = append(all, product(m, n, k, false, false, false), product(m, n, k, false, false, true), product(n, m, k, false, false, false),
			product(k, n, m, true, false, false), product(m, k, n, false, true, false))
	}
	turns(b, "GFLOP/s", func() (float64, error) { return MeasurePeak(threads) }, all)
}

// BenchmarkRows has products of one row and of few with weights that no cache holds, as a net has them for one image, in the bytes of
// the weights.
func BenchmarkRows(b *testing.B) {
	threads := benchNumber(b, "STHENO_BENCH_THREADS", 2)
	p := pool.New(threads)
	defer p.Close()
	g := gemm.New[float32](kernel.Level())
	const total = 32 << 20
	y := numbers(b, total+1<<16)
	var all []figure
	for _, s := range [][3]int{{1, 4096, 4096}, {1, 1000, 2048}, {1, 512, 4608}, {4, 4096, 4096}, {16, 4096, 4096}} {
		for _, kind := range []string{"", ", B transposed", ", B packed"} {
			m, n, k := s[0], s[1], s[2]
			args := &gemm.Args[float32]{M: m, N: n, K: k, A: gemm.Operand[float32]{Data: numbers(b, m*k)}, C: numbers(b, m*n)}
			size := n * k
			if kind == ", B packed" {
				size = (g.PackedLen(k, n) + 15) &^ 15
			}
			w, copies := g.NewWorkspace(threads), total/size
			all = append(all, figure{fmt.Sprintf("%d×%d×%d%s", m, n, k, kind), float64(4*n*k) * float64(copies), func() {
				for i := range copies {
					args.B = gemm.Operand[float32]{Data: y[i*size:], Trans: kind == ", B transposed", Packed: kind == ", B packed"}
					g.Run(p, w, args)
				}
			}})
		}
	}
	turns(b, "GB/s", func() (float64, error) { return MeasureBandwidth(threads) }, all)
}
