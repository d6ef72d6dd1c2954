package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// bothTypes runs a test once for each element type.
func bothTypes(t *testing.T, single, double func(t *testing.T)) {
	t.Run("float32", single)
	t.Run("float64", double)
}

// forLevels runs a test once for each instruction set of this machine, and in float32 for products of bfloat16. For the race detector plain
// Go and the best of them stand for all: those between differ in assembly, which it does not see.
func forLevels[T vec.Float](t *testing.T, f func(t *testing.T, g *Gemm[T])) {
	for _, level := range cpuid.Available() {
		if numtest.Race && level != cpuid.Generic && level != cpuid.Best() {
			continue
		}
		t.Run(level.String(), func(t *testing.T) { f(t, New[T](level)) })
	}
	for _, g := range bf16Products() {
		if g, ok := any(g).(*Gemm[T]); ok {
			t.Run("bf16 "+g.Level().String(), func(t *testing.T) { f(t, g) })
		}
	}
}

// bf16Products are those in plain Go and, where the machine can, on its instructions.
func bf16Products() []*Gemm[float32] {
	all := []*Gemm[float32]{NewBF16(false)}
	if cpuid.HasBF16() {
		all = append(all, NewBF16(true))
	}
	return all
}

// inTurns says that a test sees pairs of a shape and a form in turns, and one number of workers: with -short, that is for the race detector,
// for checks of pointers and without assembly, where plain Go is slow, and has the same goroutines and pointers in all of them.
func inTurns() bool { return numtest.Race || testing.Short() }

// workers are the numbers of workers to test with: in turns the largest, listed last, as fewer share the work in the same way.
func workers(numbers ...int) []int {
	if inTurns() {
		return numbers[len(numbers)-1:]
	}
	return numbers
}

// factor is x as g multiplies it.
func (g *Gemm[T]) factor(x float64) float64 {
	if g.k.round == nil {
		return x
	}
	return float64(math.Float32frombits(roundBF16(float32(x)) << 16))
}

func nan[T vec.Float]() T { return T(math.NaN()) }

// guarded returns n elements in the midst of NaN and a check that the NaN are
// still there.
func guarded[T vec.Float](t testing.TB, n int) ([]T, func()) {
	const zone = 67
	all := make([]T, n+2*zone)
	for i := range all {
		all[i] = nan[T]()
	}
	return all[zone : zone+n : zone+n], func() {
		t.Helper()
		for i, v := range all {
			if v == v && (i < zone || i >= zone+n) {
				t.Fatalf("element %d of %d was written", i-zone, n)
			}
		}
	}
}

// matrix is a guarded rows×cols matrix whose rows are ld apart; the elements
// between the rows are NaN.
func matrix[T vec.Float](t testing.TB, rng *rand.Rand, rows, cols, ld int) ([]T, func()) {
	data, check := guarded[T](t, span(rows, cols, ld))
	for r := range rows {
		for c := range cols {
			data[r*ld+c] = T(rng.NormFloat64())
		}
	}
	return data, func() {
		t.Helper()
		check()
		for r := range rows - 1 {
			for c := cols; c < ld; c++ {
				if v := data[r*ld+c]; v == v {
					t.Fatalf("written between rows %d and %d", r, r+1)
				}
			}
		}
	}
}

// dense is a rows×cols matrix whose rows are ld apart without what is between them.
func dense[T vec.Float](x []T, rows, cols, ld int) []T {
	var all []T
	for i := range rows {
		all = append(all, x[i*ld:][:cols]...)
	}
	return all
}

// same compares the results of two products that add up in different orders.
func same[T vec.Float](t testing.TB, want, got []T, format string, args ...any) {
	t.Helper()
	dt := tensor.Float32
	if size[T]() == 8 {
		dt = tensor.Float64
	}
	if !numtest.AssertClose(t, want, got, numtest.Tol(dt, numtest.Reduction), fmt.Sprintf(format, args...)) {
		t.FailNow()
	}
}

// memory is a Source of a matrix in memory.
type memory[T vec.Float] struct {
	data           []T
	rows, cols, ld int
	t              testing.TB
}

func (m memory[T]) Block(dst []T, ld, r0, nr, c0, nc int) {
	if r0 < 0 || c0 < 0 || nr <= 0 || nc <= 0 || r0+nr > m.rows || c0+nc > m.cols {
		m.t.Errorf("block %d+%d × %d+%d outside of %d×%d", r0, nr, c0, nc, m.rows, m.cols)
		return
	}
	for r := range nr {
		copy(dst[r*ld:r*ld+nc], m.data[(r0+r)*m.ld+c0:])
	}
}

// problem is a product with its float64 answer.
type problem[T vec.Float] struct {
	m, n, k        int
	transA, transB bool
	srcA, srcB     bool
	alpha, beta    T
	bias, relu     bool
	pad            int // extra elements a row
}

func (p problem[T]) String() string {
	return fmt.Sprintf("%d×%d×%d A%v%v B%v%v alpha %v beta %v bias %v relu %v pad %d", p.m, p.n, p.k,
		p.transA, p.srcA, p.transB, p.srcB, p.alpha, p.beta, p.bias, p.relu, p.pad)
}

func operand[T vec.Float](t testing.TB, rng *rand.Rand, rows, cols, pad int, trans, src bool) (Operand[T], func(i, j int) float64, func()) {
	r, c := rows, cols
	if trans {
		r, c = c, r
	}
	ld := c + pad
	data, check := matrix[T](t, rng, r, c, ld)
	o := Operand[T]{Data: data, LD: ld, Trans: trans}
	if src {
		o = Operand[T]{Trans: trans, Source: memory[T]{data, r, c, ld, t}}
	}
	return o, func(i, j int) float64 {
		if trans {
			i, j = j, i
		}
		return float64(data[i*ld+j])
	}, check
}

func (p problem[T]) run(t testing.TB, g *Gemm[T], pl *pool.Pool, w *Workspace[T], rng *rand.Rand) {
	t.Helper()
	a, atA, checkA := operand[T](t, rng, p.m, p.k, p.pad, p.transA, p.srcA)
	b, atB, checkB := operand[T](t, rng, p.k, p.n, p.pad, p.transB, p.srcB)
	ldc := p.n + p.pad
	c, checkC := matrix[T](t, rng, p.m, p.n, ldc)
	before := append([]T(nil), c...)
	args := &Args[T]{M: p.m, N: p.n, K: p.k, A: a, B: b, C: c, LDC: ldc, Alpha: p.alpha, Beta: p.beta, ReLU: p.relu}
	if p.bias {
		args.Bias, _ = guarded[T](t, p.n)
		for i := range args.Bias {
			args.Bias[i] = T(rng.NormFloat64())
		}
	}
	if p.beta == 0 { // overwriting must not look at what was there
		for i := range p.m {
			for j := range p.n {
				c[i*ldc+j] = nan[T]()
			}
		}
	}
	// Scratch full of NaN shows reads of what was never packed.
	scratch, checkScratch := guarded[T](t, g.Scratch(pl.Threads(), args))
	w.SetScratch(scratch)
	g.Run(pl, w, args)
	checkA()
	checkB()
	checkC()
	checkScratch()
	if len(scratch) > 0 {
		require.Same(t, unsafe.SliceData(scratch), unsafe.SliceData(w.scratch), "Scratch promised too little")
	}
	// Rows of op(A) and columns of op(B), contiguous.
	rowsA, colsB := make([]float64, p.m*p.k), make([]float64, p.n*p.k)
	for k := range p.k {
		for i := range p.m {
			rowsA[i*p.k+k] = g.factor(atA(i, k))
		}
		for j := range p.n {
			colsB[j*p.k+k] = g.factor(atB(k, j))
		}
	}
	alpha := float64(p.alpha)
	if alpha == 0 {
		alpha = 1
	}
	for i := range p.m {
		for j := range p.n {
			var s, size float64
			x := rowsA[i*p.k : (i+1)*p.k]
			for k, y := range colsB[j*p.k : (j+1)*p.k] {
				s += x[k] * y
				size += math.Abs(x[k] * y)
			}
			s, size = s*alpha, size*math.Abs(alpha)
			if p.beta != 0 {
				s += float64(p.beta) * float64(before[i*ldc+j])
			}
			if p.bias {
				s += float64(args.Bias[j])
			}
			if p.relu {
				s = max(s, 0)
			}
			// Rounding of a sum of K products is at most about K·2⁻²⁴ of the sum of
			// their sizes, typically its square root; 4 more for the epilogue. In
			// float64 the answer itself is rounded as often.
			eps := 0x1p-24
			if unsafe.Sizeof(c[0]) == 8 {
				eps = 2 * 0x1p-53
			}
			tol := (4 + 2*math.Sqrt(float64(p.k))) * eps * (size + 4)
			if d := math.Abs(s - float64(c[i*ldc+j])); !(d <= tol) {
				t.Fatalf("%v at %d,%d: want %v ± %v, got %v", p, i, j, s, tol, c[i*ldc+j])
			}
		}
	}
}

func TestRandomProducts(t *testing.T) {
	bothTypes(t, testRandomProducts[float32], testRandomProducts[float64])
}

func testRandomProducts[T vec.Float](t *testing.T) {
	pl := pool.New(2)
	defer pl.Close()
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(1, uint64(g.Level())))
		w := g.NewWorkspace(2)
		coin := func() bool { return rng.IntN(2) == 0 }
		for range 300 {
			problem[T]{
				m: 1 + rng.IntN(70), n: 1 + rng.IntN(70), k: 1 + rng.IntN(70),
				transA: coin(), transB: coin(), srcA: coin(), srcB: coin(),
				alpha: T(rng.IntN(3)) - 0.5*T(rng.IntN(2)), beta: []T{0, 1, -0.5}[rng.IntN(3)],
				bias: coin(), relu: coin(), pad: rng.IntN(2) * rng.IntN(20),
			}.run(t, g, pl, w, rng)
		}
	})
}

// TestBlockBoundaries has sizes around every constant of plan.go.
func TestBlockBoundaries(t *testing.T) {
	bothTypes(t, testBlockBoundaries[float32], testBlockBoundaries[float64])
}

func testBlockBoundaries[T vec.Float](t *testing.T) {
	pl := pool.New(3)
	defer pl.Close()
	forms := []problem[T]{
		{}, {transA: true}, {transB: true}, {transA: true, transB: true},
		{srcA: true, bias: true}, {srcA: true, transA: true, beta: 1}, {srcB: true, relu: true}, {srcB: true, transB: true},
	}
	sizes := [][3]int{
		{mcMax + 1, 33, kcMax}, {2*mcMax - 1, 65, kcMax + 1}, {25, ncLocal + 1, 2*kcMax + 1}, {100, 2*ncLocal + 31, 40},
		{13, 17, 4*kcMax + 3}, {9, 16, 5000}, {27, 40, 8200}, {24, 300, 70}, {mcMax, 64, 64},
		{1, 500, 300}, {500, 1, 300}, {1, 1, 9000}, {260, 48, 1024},
	}
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(2, uint64(g.Level())))
		w := g.NewWorkspace(1)
		for i, s := range sizes {
			for j, f := range forms {
				if testing.Short() && (i+j)%len(forms) != 0 {
					continue
				}
				f.m, f.n, f.k = s[0], s[1], s[2]
				f.run(t, g, pl, w, rng)
			}
		}
	})
}
