package gemm

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// gathered is a Sink that puts a product together again.
type gathered[T vec.Float] struct {
	t     testing.TB
	n     int
	c     []T
	mu    sync.Mutex
	parts map[int][4]int // the block of each part
}

func (s *gathered[T]) Take(_, part int, block []T, ld, i0, rows, j0, cols int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.parts[part]; twice || ld < cols {
		s.t.Errorf("part %d comes twice or has rows of %d with %d columns", part, ld, cols)
	}
	s.parts[part] = [4]int{i0, rows, j0, cols}
	for r := range rows {
		for c := range cols {
			at := &s.c[(i0+r)*s.n+j0+c]
			if *at == *at {
				s.t.Errorf("element %d, %d comes twice", i0+r, j0+c)
			}
			*at = block[r*ld+c]
			block[r*ld+c] = nan[T]() // it is the sink's
		}
	}
}

// A sink gets the product that C would, in the same blocks on any number of workers.
func TestSink(t *testing.T) { bothTypes(t, testSink[float32], testSink[float64]) }

func testSink[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, 6))
		for i, s := range [][3]int{{1, 1, 1}, {3, 5, 0}, {13, 33, 7}, {100, 1000, 32}, {300, 70, 1200}, {5, 9001, 3}, {130, 400, 90}, {2, 40, 5000}, {13, 1100, 2000}} {
			m, n, k := s[0], s[1], s[2]
			if testing.Short() && m*n*k > 1e7 {
				continue
			}
			for form := range 4 {
				if inTurns() && (i+form)%2 > 0 { // packed in one way or another by the same workers
					continue
				}
				pad := min(k, 3)
				a, _, fineA := operand[T](t, rng, m, k, pad, form&1 == 0, form == 2)
				b, _, fineB := operand[T](t, rng, k, n, pad, form == 1, form == 3)
				args := Args[T]{M: m, N: n, K: k, A: a, B: b, ReLU: true, Bias: make([]T, n)}
				plain, _ := guarded[T](t, m*n)
				args.C = plain
				g.Run(nil, g.NewWorkspace(1), &args)
				args.C = nil
				var before *gathered[T]
				for _, threads := range workers(1, 2, 3) {
					p := pool.New(threads)
					sink := &gathered[T]{t: t, n: n, parts: map[int][4]int{}}
					var fineC func()
					sink.c, fineC = guarded[T](t, m*n)
					for i := range sink.c {
						sink.c[i] = nan[T]()
					}
					args.Sink = sink
					w := g.NewWorkspace(threads)
					scratch, fineScratch := guarded[T](t, g.Scratch(threads, &args))
					w.SetScratch(scratch)
					g.Run(p, w, &args)
					p.Close()
					fineC()
					fineScratch()
					for part := range sink.parts {
						require.Less(t, part, g.SinkParts(&args), "%v", s)
					}
					same(t, plain, sink.c, "%v form %d", s, form)
					if before != nil {
						require.Equal(t, before.parts, sink.parts)
						require.Equal(t, before.c, sink.c, "%v form %d with %d threads", s, form, threads)
					}
					before = sink
				}
				args.Sink = nil
				fineA()
				fineB()
			}
		}
	})
}
