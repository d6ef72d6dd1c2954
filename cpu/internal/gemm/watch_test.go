package gemm

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// watching is a Watcher that copies what it is told of.
type watching[T vec.Float] struct {
	t       testing.TB
	m, n    int
	size    int
	c, seen []T
	mu      sync.Mutex
}

func (w *watching[T]) Done(i0, rows, j0, cols int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i0%w.size != 0 || rows != min(w.size, w.m-i0) || cols < 1 || j0+cols > w.n {
		w.t.Errorf("rows %d+%d × columns %d+%d of %d×%d in blocks of %d rows", i0, rows, j0, cols, w.m, w.n, w.size)
		return
	}
	for r := i0; r < i0+rows; r++ {
		for c := j0; c < j0+cols; c++ {
			at := r*w.n + c
			if w.seen[at] == w.seen[at] {
				w.t.Errorf("element %d, %d comes twice", r, c)
			}
			w.seen[at] = w.c[at]
		}
	}
}

// Who watches sees all of the product in its final form, in blocks of the same heights on any number of workers; the product is what
// it is unwatched.
func TestWatch(t *testing.T) { bothTypes(t, testWatch[float32], testWatch[float64]) }

func testWatch[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, 6))
		require.Positive(t, g.WatchedRows())
		for i, s := range [][3]int{{1, 1, 1}, {3, 5, 0}, {500, 3, 0}, {13, 33, 7}, {240, 20, 30}, {481, 300, 40}, {700, 70, 1200}, {1000, 64, 9}, {130, 400, 90}, {5, 3, 9000}} {
			m, n, k := s[0], s[1], s[2]
			if testing.Short() && m*n*k > 1e7 {
				continue
			}
			for form := range 4 {
				if inTurns() && (i+form)%2 > 0 { // packed in one way or another by the same workers
					continue
				}
				a, _, fineA := operand[T](t, rng, m, k, 0, form == 1, form == 2)
				b, _, fineB := operand[T](t, rng, k, n, 0, false, form == 3)
				args := Args[T]{M: m, N: n, K: k, A: a, B: b, ReLU: true, Bias: make([]T, n), C: make([]T, m*n)}
				unwatched := args
				unwatched.C = make([]T, m*n)
				g.Run(nil, g.NewWorkspace(1), &unwatched)
				var before []T
				for _, threads := range workers(1, 2, 5) {
					p := pool.New(threads)
					watch := &watching[T]{t: t, m: m, n: n, size: g.WatchedRows(), c: args.C, seen: make([]T, m*n)}
					for i := range watch.seen {
						watch.seen[i], args.C[i] = nan[T](), nan[T]()
					}
					args.Watch = watch
					w := g.NewWorkspace(threads)
					scratch, fine := guarded[T](t, g.Scratch(threads, &args))
					w.SetScratch(scratch)
					g.Run(p, w, &args)
					p.Close()
					fine()
					require.Equal(t, args.C, watch.seen, "%v form %d with %d threads", s, form, threads)
					if before != nil {
						require.Equal(t, before, watch.seen, "%v form %d with %d threads", s, form, threads)
					}
					before = watch.seen
				}
				same(t, unwatched.C, before, "%v form %d", s, form)
				fineA()
				fineB()
			}
		}
		require.PanicsWithValue(t, "gemm: a product with a transposed B or a sink cannot be watched", func() {
			args := Args[T]{B: Operand[T]{Trans: true}, Watch: &watching[T]{}}
			g.Run(nil, g.NewWorkspace(1), &args)
		})
	})
}
