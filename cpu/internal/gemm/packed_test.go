package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// A product with a packed factor is the product, bit by bit, whatever form the factor was packed from.
func TestPackedIsTheSame(t *testing.T) { bothTypes(t, testPacked[float32], testPacked[float64]) }

func testPacked[T vec.Float](t *testing.T) {
	p := pool.New(3)
	defer p.Close()
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(1, 2))
		for i, s := range [][3]int{{1, 1, 1}, {1, 100, 37}, {5, 33, 64}, {64, 64, 600}, {300, 70, 1200}, {2, 40, 5000}, {37, 129, 3}} {
			m, n, k := s[0], s[1], s[2]
			for form := range 3 {
				if inTurns() && (i+form)%3 > 0 {
					continue
				}
				a, fine := matrix[T](t, rng, m, k, k+3)
				b, _, fineB := operand[T](t, rng, k, n, 5, form == 1, form == 2)
				d, fineD := matrix[T](t, rng, m, n, n+7)
				w := g.NewWorkspace(3)
				plain, _ := matrix[T](t, rng, m, n, n)
				args := Args[T]{M: m, N: n, K: k, A: Operand[T]{Data: a, LD: k + 3}, B: b, C: plain, Beta: 1, D: d, LDD: n + 7, ReLU: true}
				g.Run(p, w, &args)

				store, fineStore := guarded[T](t, g.PackedLen(k, n))
				g.Pack(p, w, store, b, k, n)
				for _, pool := range []*pool.Pool{p, nil} {
					if inTurns() && pool == nil {
						continue
					}
					got, fineC := matrix[T](t, rng, m, n, n+1)
					args.B, args.C, args.LDC = Operand[T]{Data: store, Packed: true}, got, n+1
					g.Run(pool, w, &args)
					same(t, plain, dense(got, m, n, n+1), "%v form %d", s, form)
					fineC()
				}
				fine()
				fineB()
				fineD()
				fineStore()
			}
		}
	})
}

// D is what Beta multiplies, and is not written.
func TestResidual(t *testing.T) { bothTypes(t, testResidual[float32], testResidual[float64]) }

func testResidual[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][3]int{{1, 1, 0}, {7, 33, 5}, {50, 70, 1300}, {3, 20, 9000}, {4, 40, 700}} {
			m, n, k := s[0], s[1], s[2]
			for _, trans := range []bool{false, true} { // transposed B and few rows: the product is computed across
				a, _, _ := operand[T](t, rng, m, k, 0, false, false)
				b, _, _ := operand[T](t, rng, k, n, 0, trans, false)
				d, fineD := matrix[T](t, rng, m, n, n+2)
				before := append([]T(nil), d...)
				sum, _ := matrix[T](t, rng, m, n, n)
				w := g.NewWorkspace(1)
				g.Run(nil, w, &Args[T]{M: m, N: n, K: k, A: a, B: b, C: sum})
				got, fineC := guarded[T](t, m*n)
				g.Run(nil, w, &Args[T]{M: m, N: n, K: k, A: a, B: b, C: got, Beta: 2, D: d, LDD: n + 2})
				for i, x := range dense(before, m, n, n+2) {
					sum[i] += 2 * x
				}
				same(t, sum, got, "%v", s)
				fineC()
				fineD()
			}
		}
	})
}

func TestDirect(t *testing.T) { bothTypes(t, testDirect[float32], testDirect[float64]) }

func testDirect[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, s := range [][3]int{{1, 1, 1}, {13, 33, 5}, {48, 64, 64}, {25, 100, 129}, {3, 16, 0}} {
			m, n, k := s[0], s[1], s[2]
			for _, depth := range []bool{false, true} {
				a, _, _ := operand[T](t, rng, m, k, 2, depth, false)
				b, _, _ := operand[T](t, rng, k, n, 0, false, false)
				w := g.NewWorkspace(1)
				want := make([]T, m*n)
				g.Run(nil, w, &Args[T]{M: m, N: n, K: k, A: a, B: b, C: want})
				store, fineB := guarded[T](t, g.PackedLen(k, n))
				g.Pack(nil, w, store, b, k, n)
				got, fineC := matrix[T](t, rng, m, n, n+3)
				d := &Direct[T]{M: m, N: n, K: k, A: a.Data, LDA: a.LD, ADepth: depth, B: store, C: got, LDC: n + 3}
				if g.Rounds() {
					if depth || k == 0 {
						continue // there are no pairs across rows
					}
					d.K, d.LDA = ceil(k, 2), ceil(k, 2)+1
					d.A = make([]T, m*d.LDA)
					g.Round(d.A, d.LDA, a.Data, a.LD, m, k)
				}
				d.Run(g)
				d.Add = true
				d.Run(g)
				twice, all := make([]T, m*n), make([]T, m*n)
				for i, x := range want {
					twice[i] = 2 * x
				}
				same(t, twice, dense(got, m, n, n+3), "%v depth %v", s, depth)
				residual, fineD := matrix[T](t, rng, m, n, n+1)
				bias, fineBias := matrix[T](t, rng, 1, n, n)
				d.D, d.LDD, d.Bias, d.ReLU = residual, n+1, bias, true
				d.Run(g)
				for i, x := range dense(residual, m, n, n+1) {
					all[i] = max(want[i]+x+bias[i%n], 0)
				}
				same(t, all, dense(got, m, n, n+3), "%v with an epilogue", s)
				fineB()
				fineC()
				fineD()
				fineBias()
				require.Zero(t, testing.AllocsPerRun(10, func() { d.Run(g) }))
			}
		}
	})
}

// Rows of A in pieces that overlap those of the next row, as windows on an image do; several such products with one B.
func TestDirectPieces(t *testing.T) {
	bothTypes(t, testDirectPieces[float32], testDirectPieces[float64])
}

func testDirectPieces[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		if g.k.round != nil {
			return
		}
		rng := rand.New(rand.NewPCG(7, 8))
		for _, s := range []struct{ m, n, pieces, piece, ld, jump, times int }{
			{1, 1, 1, 1, 1, 1, 1}, {30, 16, 3, 9, 3, 96, 4}, {13, 33, 3, 48, 16, 240, 2}, {16, 64, 7, 21, 6, 114, 1}, {5, 40, 2, 1, 2, 10, 3},
			{7, 20, 2, 32, 16, 40, 2}, // pieces that overlap as well
		} {
			anext, cnext, k := 2*s.jump, s.m*(s.n+2), s.pieces*s.piece
			a, fineA := matrix[T](t, rng, 1, (s.times-1)*anext+(s.m-1)*s.ld+(s.pieces-1)*s.jump+s.piece, 1<<20)
			b, _, _ := operand[T](t, rng, k, s.n, 0, false, false)
			w := g.NewWorkspace(1)
			store, fineB := guarded[T](t, g.PackedLen(k, s.n))
			g.Pack(nil, w, store, b, k, s.n)
			got, fineC := guarded[T](t, (s.times-1)*cnext+(s.m-1)*(s.n+2)+s.n)
			d := &Direct[T]{M: s.m, N: s.n, K: k, A: a, LDA: s.ld, Pieces: s.pieces, Jump: s.jump, B: store, C: got, LDC: s.n + 2,
				Times: s.times, ANext: anext, CNext: cnext}
			d.Run(g)
			for x := range s.times {
				rows := make([]T, s.m*k)
				for i := range s.m {
					for p := range k {
						rows[i*k+p] = a[x*anext+i*s.ld+p/s.piece*s.jump+p%s.piece]
					}
				}
				want := make([]T, s.m*s.n)
				g.Run(nil, w, &Args[T]{M: s.m, N: s.n, K: k, A: Operand[T]{Data: rows}, B: b, C: want})
				same(t, want, dense(got[x*cnext:], s.m, s.n, s.n+2), "%v: product %d", s, x)
			}
			fineA()
			fineB()
			fineC()
			d.A = d.A[:len(d.A)-1]
			require.Panics(t, func() { d.Run(g) })
			if s.pieces > 1 {
				d.A = a
				d.Pieces = k + 1
				require.Panics(t, func() { d.Run(g) }, "pieces of different lengths")
				d.Pieces, d.ADepth, d.LDA = s.pieces, true, s.m
				require.Panics(t, func() { d.Run(g) }, "pieces of columns")
			}
		}
	})
}
