package gemm

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// TestTileOffsets holds the offsets that the generator writes into the assembly.
func TestTileOffsets(t *testing.T) { bothTypes(t, testTileOffsets[float32], testTileOffsets[float64]) }

func testTileOffsets[T vec.Float](t *testing.T) {
	var x tile[T]
	require.Equal(t, []uintptr{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 156, 160, 164, 168, 168 + size[T](),
		168 + 2*size[T](), 168 + 3*size[T](), 168 + 4*size[T]()}, []uintptr{
		unsafe.Offsetof(x.a), unsafe.Offsetof(x.rs), unsafe.Offsetof(x.ks), unsafe.Offsetof(x.b), unsafe.Offsetof(x.ldb),
		unsafe.Offsetof(x.kc), unsafe.Offsetof(x.c), unsafe.Offsetof(x.ldc), unsafe.Offsetof(x.bias), unsafe.Offsetof(x.mask),
		unsafe.Offsetof(x.lanes), unsafe.Offsetof(x.pf), unsafe.Offsetof(x.pfRun), unsafe.Offsetof(x.d), unsafe.Offsetof(x.ldd), unsafe.Offsetof(x.pfld),
		unsafe.Offsetof(x.parts), unsafe.Offsetof(x.jump), unsafe.Offsetof(x.relu), unsafe.Offsetof(x.near),
		unsafe.Offsetof(x.fetch), unsafe.Offsetof(x.stream), unsafe.Offsetof(x.alpha), unsafe.Offsetof(x.beta),
		unsafe.Offsetof(x.most), unsafe.Offsetof(x.shift), unsafe.Offsetof(x.factor),
	})
}

func random[T vec.Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// TestSameOnAnyNumberOfThreads: results depend on the product alone.
func TestSameOnAnyNumberOfThreads(t *testing.T) {
	bothTypes(t, testSameOnAnyNumberOfThreads[float32], testSameOnAnyNumberOfThreads[float64])
}

func testSameOnAnyNumberOfThreads[T vec.Float](t *testing.T) {
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(3, 0))
		shapes := [][3]int{{65, 130, 300}, {9, 16, 4500}, {300, 70, 800}, {576, 32, 4200}}
		if testing.Short() {
			shapes = shapes[:2]
		}
		for _, s := range shapes {
			m, n, k := s[0], s[1], s[2]
			a, b, bias := random[T](rng, m*k), random[T](rng, k*n), random[T](rng, n)
			var want []T
			for _, threads := range []int{1, 2, 3, 5} {
				p := pool.New(threads)
				w := g.NewWorkspace(threads)
				for range 3 {
					c := make([]T, m*n)
					g.Run(p, w, &Args[T]{M: m, N: n, K: k, A: Operand[T]{Data: a}, B: Operand[T]{Data: b}, C: c, Bias: bias, ReLU: true})
					if want == nil {
						want = c
					}
					require.Equal(t, want, c, "%v with %d threads", s, threads)
				}
				p.Close()
			}
		}
	})
}

func TestEmpty(t *testing.T) { bothTypes(t, testEmpty[float32], testEmpty[float64]) }

func testEmpty[T vec.Float](t *testing.T) {
	p := pool.New(2)
	defer p.Close()
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		w := g.NewWorkspace(2)
		c := []T{1, -2, nan[T](), nan[T](), 5, -6}
		for _, trans := range []bool{false, true} {
			x := Operand[T]{Trans: trans}
			// K = 0: the product is 0, and the epilogue is applied all the same.
			g.Run(p, w, &Args[T]{M: 2, N: 2, LDC: 4, A: x, B: x, C: c, Beta: 1, Bias: []T{1, 1}, ReLU: true})
			require.Equal(t, []T{2, 0, 6, 0}, []T{c[0], c[1], c[4], c[5]})
			require.True(t, c[2] != c[2] && c[3] != c[3])
			g.Run(p, w, &Args[T]{M: 2, N: 2, LDC: 4, A: x, B: x, C: c})
			require.Equal(t, []T{0, 0, 0, 0}, []T{c[0], c[1], c[4], c[5]})
			c[0], c[1], c[4], c[5] = 1, -2, 5, -6
			g.Run(p, w, &Args[T]{N: 3, K: 2, A: x, B: Operand[T]{Data: make([]T, 6), Trans: trans}})
			g.Run(p, w, &Args[T]{M: 3, K: 2, A: Operand[T]{Data: make([]T, 6), Trans: trans}, B: x})
			require.Nil(t, w.job.args.A.Data, "a workspace forgets its caller's slices")
			require.Nil(t, w.job.args.B.Data)
		}
	})
}

// TestNonFinite: 0·Inf and NaN show in exactly the elements they belong to.
func TestNonFinite(t *testing.T) { bothTypes(t, testNonFinite[float32], testNonFinite[float64]) }

func testNonFinite[T vec.Float](t *testing.T) {
	p := pool.New(1)
	defer p.Close()
	inf := T(math.Inf(1))
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		w := g.NewWorkspace(1)
		for _, s := range [][3]int{{13, 37, 5}, {50, 40, 600}, {3, 5, 9000}, {mcMax + 10, 40, kcMax + 10}} {
			for _, trans := range []bool{false, true} {
				m, n, k := s[0], s[1], s[2]
				a, b, c := make([]T, m*k), make([]T, k*n), make([]T, m*n)
				set := func(x []T, i, j, rows, cols int, v T) {
					if trans {
						x[j*rows+i] = v
					} else {
						x[i*cols+j] = v
					}
				}
				set(a, 1, k-1, m, k, inf)
				set(b, 2, 3, k, n, nan[T]())
				g.Run(p, w, &Args[T]{M: m, N: n, K: k, A: Operand[T]{Data: a, Trans: trans}, B: Operand[T]{Data: b, Trans: trans}, C: c, ReLU: true})
				for i := range m {
					for j := range n {
						v := c[i*n+j]
						require.Equal(t, i == 1 || j == 3, v != v, "%v at %d,%d: %v", s, i, j, v)
					}
				}
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	bothTypes(t, testNoAllocation[float32], testNoAllocation[float64])
}

func testNoAllocation[T vec.Float](t *testing.T) {
	numtest.Sequential(t) // allocations are counted on one CPU
	p := pool.New(2)
	defer p.Close()
	rng := rand.New(rand.NewPCG(4, 0))
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		w := g.NewWorkspace(2)
		for _, s := range [][3]int{{64, 64, 64}, {300, 70, 20}, {9, 16, 4500}, {mcMax + 10, 70, kcMax + 10}} { // the last gathers its sums
			m, n, k := s[0], s[1], s[2]
			args := &Args[T]{M: m, N: n, K: k, C: make([]T, m*n)}
			args.A, args.B = Operand[T]{Data: random[T](rng, m*k)}, Operand[T]{Data: random[T](rng, k*n)}
			require.Zero(t, testing.AllocsPerRun(5, func() { g.Run(p, w, args) }), "%v", s)
			args.A = Operand[T]{Source: memory[T]{args.A.Data, m, k, k, t}}
			args.B.Trans = true
			require.Zero(t, testing.AllocsPerRun(5, func() { g.Run(p, w, args) }), "%v with a source", s)
		}
	})
}

func TestBadSizesPanicInGo(t *testing.T) {
	bothTypes(t, testBadSizesPanicInGo[float32], testBadSizesPanicInGo[float64])
}

func testBadSizesPanicInGo[T vec.Float](t *testing.T) {
	p := pool.New(1)
	defer p.Close()
	g := New[T](cpuid.Best())
	w := g.NewWorkspace(1)
	x := make([]T, 12)
	for name, args := range map[string]Args[T]{
		"short A":    {M: 3, N: 4, K: 4, A: Operand[T]{Data: x[:11]}, B: Operand[T]{Data: make([]T, 16)}, C: x},
		"short B":    {M: 3, N: 4, K: 4, A: Operand[T]{Data: x}, B: Operand[T]{Data: x}, C: x},
		"short C":    {M: 3, N: 4, K: 1, A: Operand[T]{Data: x}, B: Operand[T]{Data: x}, C: x[:11]},
		"narrow LDA": {M: 3, N: 4, K: 2, A: Operand[T]{Data: x, LD: 1}, B: Operand[T]{Data: x}, C: x},
		"short bias": {M: 3, N: 4, K: 1, A: Operand[T]{Data: x}, B: Operand[T]{Data: x}, C: x, Bias: x[:3]},
		"negative":   {M: -1, N: 4, K: 1, A: Operand[T]{Data: x}, B: Operand[T]{Data: x}, C: x},
	} {
		t.Run(name, func(t *testing.T) {
			require.Panics(t, func() { g.Run(p, w, &args) })
		})
	}
}
