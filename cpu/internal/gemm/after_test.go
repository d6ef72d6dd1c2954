package gemm

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// negating is an After that turns the sign of what it is given, and counts it by worker.
type negating[T vec.Float] struct {
	mu    sync.Mutex
	given map[int]int
}

func (a *negating[T]) Apply(worker int, c []T, ld, rows, cols int) {
	for r := range rows {
		for i, x := range c[r*ld:][:cols] {
			c[r*ld+i] = -x
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given[worker] += rows * cols
}

// What is behind the epilogue is done once to every element, in its final form, however the product is computed: in one block or
// several, across, in pieces of K, with a depth of 0; no other element of C is touched.
func TestAfter(t *testing.T) { bothTypes(t, testAfter[float32], testAfter[float64]) }

func testAfter[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, 8))
		for i, s := range [][3]int{{1, 1, 1}, {3, 5, 0}, {13, 33, 7}, {241, 20, 30}, {481, 300, 40}, {70, 70, 1200}, {30, 2100, 90}, {5, 3, 9000}, {9, 40, 5000}, {241, 1100, 7}} {
			m, n, k := s[0], s[1], s[2]
			if testing.Short() && m*n*k > 1e7 {
				continue
			}
			for form := range 5 {
				if inTurns() && (i+form)%2 > 0 {
					continue
				}
				a, _, fineA := operand[T](t, rng, m, k, 0, form == 1 || form == 3, false)
				b, _, fineB := operand[T](t, rng, k, n, 0, form >= 2 && form < 4, false)
				ld := n + 3
				bias := make([]T, n)
				for j := range bias {
					bias[j] = T(j%5) - 2
				}
				args := Args[T]{M: m, N: n, K: k, A: a, B: b, ReLU: i%2 == 0, Bias: bias, LDC: ld, Beta: T(form % 2)}
				if form == 4 {
					packed := make([]T, g.PackedLen(k, n))
					g.Pack(nil, g.NewWorkspace(1), packed, b, k, n)
					args.B = Operand[T]{Data: packed, Packed: true}
				}
				before := make([]T, m*ld)
				for j := range before {
					before[j] = T(rng.NormFloat64())
				}
				for _, threads := range workers(1, 2, 5) {
					p := pool.New(threads)
					without, with := args, args
					without.C, with.C = append([]T(nil), before...), append([]T(nil), before...)
					after := &negating[T]{given: map[int]int{}}
					with.After = after
					g.Run(p, g.NewWorkspace(threads), &without)
					g.Run(p, g.NewWorkspace(threads), &with)
					p.Close()
					sum := 0
					for worker, n := range after.given {
						require.Less(t, worker, threads)
						sum += n
					}
					require.Equal(t, m*n, sum, "%v form %d with %d threads", s, form, threads)
					for r := range m {
						for j := range n {
							without.C[r*ld+j] *= -1
						}
					}
					same(t, without.C, with.C, "%v form %d with %d threads", s, form, threads)
				}
				fineA()
				fineB()
			}
		}
		require.PanicsWithValue(t, "gemm: a product with a sink or a watcher has nothing behind its epilogue", func() {
			args := Args[T]{After: &negating[T]{}, Watch: &watching[T]{}}
			g.Run(nil, g.NewWorkspace(1), &args)
		})
	})
}
