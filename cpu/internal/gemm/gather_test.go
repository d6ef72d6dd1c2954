package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// TestGathered has products whose sums are gathered: several blocks of K, of A and of columns, as they are and across.
func TestGathered(t *testing.T) { bothTypes(t, testGathered[float32], testGathered[float64]) }

func testGathered[T vec.Float](t *testing.T) {
	pl := pool.New(2)
	defer pl.Close()
	all := []problem[T]{
		{m: mcMax + 3, n: 70, k: kcMax + 1, pad: 3},
		{m: mcMax + 14, n: 45, k: 2*kcMax + 3, beta: -0.5, alpha: 2, bias: true, relu: true},
		{m: 100, n: mcMax + 5, k: kcMax + 2, transB: true, pad: 5},
		{m: 50, n: mcMax + 5, k: kcMax + 2, transB: true, beta: 0.5, alpha: 2, bias: true, relu: true},
		{m: 50, n: mcMax + 5, k: 40, transB: true, beta: 1},
		{m: 50, n: mcMax + 5, k: 40, transB: true, bias: true, relu: true},
		{m: mcMax + 1, n: gatherWide + 6, k: kcMax + 1},
	}
	if testing.Short() {
		all = all[:len(all)-1]
	}
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, uint64(g.Level())))
		w := g.NewWorkspace(2)
		for _, p := range all {
			p.run(t, g, pl, w, rng)
		}
	})
}

// TestGatheredOnAnyNumberOfThreads: blocks of other heights, the same bits; and so does a B that was packed before.
func TestGatheredOnAnyNumberOfThreads(t *testing.T) {
	bothTypes(t, testGatheredOnAnyNumberOfThreads[float32], testGatheredOnAnyNumberOfThreads[float64])
}

func testGatheredOnAnyNumberOfThreads[T vec.Float](t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(6, 0))
		for _, s := range []struct {
			m, n, k int
			transB  bool
		}{{9*fit[T](mcMax) - 50, 70, kcMax + 10, false}, {70, 9*fit[T](mcMax) - 50, kcMax + 10, true}} {
			a, b, d := random[T](rng, s.m*s.k), random[T](rng, s.k*s.n), random[T](rng, s.m*s.n)
			args := Args[T]{M: s.m, N: s.n, K: s.k, A: Operand[T]{Data: a}, B: Operand[T]{Data: b, Trans: s.transB}, D: d, Beta: 1, ReLU: true}
			var want []T
			for _, threads := range []int{1, 2, 3} {
				p := pool.New(threads)
				w := g.NewWorkspace(threads)
				args.C = make([]T, s.m*s.n)
				g.Run(p, w, &args)
				if want == nil {
					want = args.C
				}
				require.Equal(t, want, args.C, "%+v with %d threads", s, threads)
				if !s.transB {
					packed := make([]T, g.PackedLen(s.k, s.n))
					g.Pack(p, w, packed, args.B, s.k, s.n)
					with := args
					with.B, with.C = Operand[T]{Data: packed, Packed: true}, make([]T, s.m*s.n)
					g.Run(p, w, &with)
					require.Equal(t, want, with.C, "%+v with %d threads, packed", s, threads)
				}
				p.Close()
			}
		}
	})
}
