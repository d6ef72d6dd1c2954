package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// A product of two matrices along K has the same bits whether B is read where it lies or its rows collide in the cache and it is copied.
func TestDeepReadsOrCopies(t *testing.T) {
	bothTypes(t, testDeepReadsOrCopies[float32], testDeepReadsOrCopies[float64])
}

func testDeepReadsOrCopies[T vec.Float](t *testing.T) {
	modes := map[bMode]bool{}
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(11, 1))
		collide := fit[T](pageFloats / 2)
		for _, s := range [][3]int{{1, 1, 1}, {3, 70, 9}, {256, 45, 30}, {256, 64, 1100}, {5, 33, 500}, {16, 96, 1300}} {
			m, n, k := s[0], s[1], s[2]
			a, _, fineA := operand[T](t, rng, m, k, 2, true, false)
			w := g.NewWorkspace(1)
			b, _ := matrix[T](t, rng, k, n, collide)
			var want []T
			for _, ld := range []int{collide, collide + 16, n} {
				mem, fineB := matrix[T](t, rng, k, n, ld)
				for r := range k {
					copy(mem[r*ld:][:n], b[r*collide:])
				}
				c, fineC := matrix[T](t, rng, m, n, n+3)
				args := Args[T]{M: m, N: n, K: k, A: a, B: Operand[T]{Data: mem, LD: ld}, C: c, LDC: n + 3}
				g.Run(nil, w, &args)
				fineA()
				fineB()
				fineC()
				if want == nil {
					want = dense(c, m, n, n+3)
				}
				require.Equal(t, want, dense(c, m, n, n+3), "%v ld %d", s, ld)
				p := g.plan(1, &args, nil)
				require.True(t, p.deep)
				modes[p.bMode] = true
			}
		}
	})
	require.True(t, modes[bDirect], "no product read B where it lies")
	require.Equal(t, size[T]() == 4, modes[bLocal], "copied B: blocks of float64, of half as many rows, have too few tiles for that")
}
