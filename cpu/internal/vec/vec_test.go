package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

func nan[T Float]() T { return T(math.NaN()) }

// bothTypes runs a test once for each element type.
func bothTypes(t *testing.T, single, double func(t *testing.T)) {
	t.Run("float32", single)
	t.Run("float64", double)
}

func forLevels[T Float](t *testing.T, f func(t *testing.T, o *Ops[T])) {
	for _, level := range cpuid.Available() {
		t.Run(level.String(), func(t *testing.T) {
			require.Equal(t, level, For[T](level).Level())
			f(t, For[T](level))
		})
	}
}

// guarded copies x into the midst of NaN; check fails when one of them is gone.
func guarded[T Float](t *testing.T, x []T) (y []T, check func()) {
	const zone = 37
	all := make([]T, len(x)+2*zone)
	for i := range all {
		all[i] = nan[T]()
	}
	y = all[zone : zone+len(x) : zone+len(x)]
	copy(y, x)
	return y, func() {
		t.Helper()
		for i, v := range all {
			if v == v && (i < zone || i >= zone+len(x)) {
				t.Fatalf("element %d of %d was written", i-zone, len(x))
			}
		}
	}
}

func random[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// near compares with the float64 answer; size is the sum of the sizes of the
// terms, which bounds the rounding. That of float64 itself is in the answer, too.
func near[T Float](t *testing.T, what string, want, size float64, got T) {
	t.Helper()
	eps := 4 * 0x1p-24
	if unsafe.Sizeof(got) == 8 {
		eps = 8 * 0x1p-53
	}
	if d := math.Abs(want - float64(got)); !(d <= eps*(size+1e-30)) {
		t.Fatalf("%s: want %v, got %v", what, want, got)
	}
}

// op is a primitive over arrays of one length. run changes the first outs arrays.
type op[T Float] struct {
	name string
	ins  int
	outs int
	run  func(o *Ops[T], x [][]T)
	// want returns the outputs of one element and the size of its terms.
	want func(x []float64) ([]float64, float64)
}

func sumAbs(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += math.Abs(v)
	}
	return s
}

func relu(x float64) float64 { return max(x, 0) }

// Factors exact in float32 keep the float64 answers comparable.
const (
	lr   = 0.125
	mu   = 0.75
	beta = 0.875
)

func ops[T Float]() []op[T] {
	return []op[T]{
		{"Add", 3, 1, func(o *Ops[T], x [][]T) { o.Add(x[0], x[1], x[2]) },
			func(x []float64) ([]float64, float64) { return []float64{x[1] + x[2]}, sumAbs(x) }},
		{"Add in place", 2, 1, func(o *Ops[T], x [][]T) { o.Add(x[0], x[0], x[1]) },
			func(x []float64) ([]float64, float64) { return []float64{x[0] + x[1]}, sumAbs(x) }},
		{"Mul", 3, 1, func(o *Ops[T], x [][]T) { o.Mul(x[0], x[1], x[2]) },
			func(x []float64) ([]float64, float64) { return []float64{x[1] * x[2]}, math.Abs(x[1] * x[2]) }},
		{"ReLU", 2, 1, func(o *Ops[T], x [][]T) { o.ReLU(x[0], x[1]) },
			func(x []float64) ([]float64, float64) { return []float64{relu(x[1])}, 0 }},
		{"ReLUGrad", 3, 1, func(o *Ops[T], x [][]T) { o.ReLUGrad(x[0], x[1], x[2]) },
			func(x []float64) ([]float64, float64) {
				if x[1] > 0 {
					return []float64{x[2]}, 0
				}
				return []float64{0}, 0
			}},
		{"Scale", 2, 1, func(o *Ops[T], x [][]T) { o.Scale(x[0], -lr, x[1]) },
			func(x []float64) ([]float64, float64) { return []float64{-lr * x[1]}, 0 }},
		{"Axpy", 2, 1, func(o *Ops[T], x [][]T) { o.Axpy(x[0], -lr, x[1]) },
			func(x []float64) ([]float64, float64) { return []float64{x[0] - lr*x[1]}, sumAbs(x) }},
		{"Momentum", 3, 2, func(o *Ops[T], x [][]T) { o.Momentum(x[0], x[1], x[2], lr, mu, false) },
			func(x []float64) ([]float64, float64) {
				v := mu*x[1] - lr*x[2]
				return []float64{x[0] + v, v}, sumAbs(x)
			}},
		{"Nesterov", 3, 2, func(o *Ops[T], x [][]T) { o.Momentum(x[0], x[1], x[2], lr, mu, true) },
			func(x []float64) ([]float64, float64) {
				v := mu*x[1] - lr*x[2]
				return []float64{x[0] + mu*v - lr*x[2], v}, sumAbs(x)
			}},
		{"MomentumDecay", 3, 2, func(o *Ops[T], x [][]T) { o.MomentumDecay(x[0], x[1], x[2], lr, mu, beta, false) },
			func(x []float64) ([]float64, float64) {
				v := mu*x[1] - lr*(x[2]+beta*x[0])
				return []float64{x[0] + v, v}, sumAbs(x)
			}},
		{"NesterovDecay", 3, 2, func(o *Ops[T], x [][]T) { o.MomentumDecay(x[0], x[1], x[2], lr, mu, beta, true) },
			func(x []float64) ([]float64, float64) {
				v := mu*x[1] - lr*(x[2]+beta*x[0])
				return []float64{x[0] + mu*v - lr*(x[2]+beta*x[0]), v}, sumAbs(x)
			}},
		{"Adam", 4, 3, func(o *Ops[T], x [][]T) { // the second moment is never negative
			o.Mul(x[2], x[2], x[2])
			o.Adam(x[0], x[1], x[2], x[3], lr, beta, mu, lr)
		},
			func(x []float64) ([]float64, float64) {
				v := float64(T(x[2]) * T(x[2]))
				m := x[1] + (1-beta)*(x[3]-x[1])
				v += (1 - mu) * (x[3]*x[3] - v)
				return []float64{x[0] - lr*m/(math.Sqrt(v)+lr), m, v}, 4 * (sumAbs(x) + v + x[3]*x[3])
			}},
	}
}

func TestElementwise(t *testing.T) { bothTypes(t, testElementwise[float32], testElementwise[float64]) }

func testElementwise[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, op := range ops[T]() {
			for _, n := range append(upTo(70), 100, 1000) {
				var x, before [][]T
				var checks []func()
				for range op.ins {
					data := random[T](rng, n)
					y, check := guarded(t, data)
					x, before, checks = append(x, y), append(before, data), append(checks, check)
				}
				op.run(o, x)
				for _, check := range checks {
					check()
				}
				for i := range n {
					var in []float64
					for _, b := range before {
						in = append(in, float64(b[i]))
					}
					want, size := op.want(in)
					for k, w := range want {
						near(t, fmt.Sprintf("%s n=%d output %d at %d", op.name, n, k, i), w, size, x[k][i])
					}
				}
				for k := op.outs; k < op.ins; k++ {
					require.Equal(t, before[k], x[k], "%s changed its input", op.name)
				}
			}
		}
	})
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

// TestSpecialValues puts NaN, infinities and zeros at every position of a vector
// and of its tail.
func TestSpecialValues(t *testing.T) {
	bothTypes(t, testSpecialValues[float32], testSpecialValues[float64])
}

func testSpecialValues[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		for at := range 35 {
			set := func(v T) []T {
				x := make([]T, 35)
				for i := range x {
					x[i] = -1
				}
				x[at] = v
				return x
			}
			dst, zero := make([]T, 35), make([]T, 35)
			for _, v := range []T{nan[T](), inf, -inf, 0, 2} {
				want := float64(v)
				if v < 0 {
					want = 0
				}
				equal := func(name string, want float64) {
					t.Helper()
					got := float64(dst[at])
					require.True(t, got == want || got != got && want != want, "%s(%v) = %v, want %v", name, v, got, want)
					for i, x := range dst {
						require.True(t, i == at || x == 0, "%s: neighbour %d is %v", name, i, x)
					}
				}
				o.ReLU(dst, set(v))
				equal("ReLU", want)
				one := []T{1, 1, 1, 1, 1, 1, 1}
				o.ScaleShift(dst, set(v), nil, zero[:7], one, zero[:7], 5, true)
				equal("ScaleShift", want)
				o.ScaleShift(dst, zero, set(v), zero[:7], one, zero[:7], 5, true)
				equal("ScaleShift with z", want)
				// Where y is NaN the comparison fails: no gradient.
				grad := 0.0
				if v > 0 {
					grad = 3
				}
				dy := set(3)
				o.ReLUGrad(dst, set(v), dy)
				equal("ReLUGrad", grad)
				o.ReLUGrad(dst, set(1), set(v))
				equal("ReLUGrad of dy", float64(v))
			}
			require.True(t, math.IsNaN(o.SumSquares(set(nan[T]()))))
		}
	})
}

func TestDot(t *testing.T) { bothTypes(t, testDot[float32], testDot[float64]) }

func testDot[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(7, 8))
		for _, n := range append(upTo(140), dotBlock-1, dotBlock, dotBlock+1, 3*dotBlock+5) {
			x, _ := guarded(t, random[T](rng, n))
			y, _ := guarded(t, random[T](rng, n))
			var want, size, squares float64
			for i := range n {
				p := float64(x[i]) * float64(y[i])
				want, size = want+p, size+math.Abs(p)
				squares += float64(x[i]) * float64(x[i])
			}
			near(t, fmt.Sprint("Dot ", n), want, 4*size, T(o.Dot(x, y)))
			near(t, fmt.Sprint("SumSquares ", n), squares, 4*squares, T(o.SumSquares(x)))
			require.Equal(t, o.Dot(x, y), o.Dot(x, y))
		}
	})
}

func TestTranspose(t *testing.T) { bothTypes(t, testTranspose[float32], testTranspose[float64]) }

func testTranspose[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(5, 0))
		for range 300 {
			rows, cols := rng.IntN(41), rng.IntN(41)
			lds, ldd := cols+rng.IntN(9), rows+rng.IntN(9)
			src, _ := guarded(t, random[T](rng, max((rows-1)*lds+cols, 0)))
			dst, check := guarded(t, make([]T, max((cols-1)*ldd+rows, 0)))
			o.Transpose(dst, ldd, src, lds, rows, cols)
			check()
			for i, v := range dst {
				want := T(0) // between the columns
				if r, c := i%max(ldd, 1), i/max(ldd, 1); r < rows && c < cols {
					want = src[r*lds+c]
				}
				require.Equal(t, want, v, "%d×%d, element %d", rows, cols, i)
			}
		}
		require.Panics(t, func() { o.Transpose(make([]T, 11), 3, make([]T, 12), 4, 3, 4) })
		require.Panics(t, func() { o.Transpose(make([]T, 12), 3, make([]T, 11), 4, 3, 4) })
	})
}

func TestMismatchPanicsInGo(t *testing.T) {
	bothTypes(t, testMismatchPanicsInGo[float32], testMismatchPanicsInGo[float64])
}

func testMismatchPanicsInGo[T Float](t *testing.T) {
	o := For[T](cpuid.Best())
	x, y := make([]T, 6), make([]T, 5)
	for name, f := range map[string]func(){
		"Add":         func() { o.Add(x, y, x) },
		"ReLU":        func() { o.ReLU(x, y) },
		"Scale":       func() { o.Scale(x, 1, y) },
		"Momentum":    func() { o.Momentum(x, x, y, 1, 1, false) },
		"decay":       func() { o.MomentumDecay(x, x, y, 1, 1, 1, false) },
		"squares":     func() { o.MomentumSquares(x, y, x, 1, 1, 1, false) },
		"Adam":        func() { o.Adam(x, x, x, y, 1, 0, 0, 1) },
		"ScaleShift":  func() { o.ScaleShift(x, x, nil, x[:2], x[:2], x[:2], 2, false) },
		"residual":    func() { o.ScaleShift(x, x, y, x[:2], x[:2], x[:2], 3, false) },
		"mean":        func() { o.ScaleShift(x, x, nil, x[:3], x[:2], x[:2], 3, false) },
		"NormGrad":    func() { o.NormGrad(x, x, y, x[:3], x[:3], x[:3], x[:3], 2) },
		"ColSum":      func() { o.ColSum(x[:3], y, 2, 2) },
		"ColMoments":  func() { o.ColMoments(x[:3], x[:2], x, x[:3], 3, 2) },
		"ColNormGrad": func() { o.ColNormGrad(x[:3], x[:3], x, y, x[:3], 2) },
		"ReLU sums":   func() { o.ColNormGradReLU(x[:3], x[:3], x, x, x[:3], x[:3], x[:2], 2) },
		"join":        func() { o.ColNormGradJoin(x[:3], x[:3], x, x, y, x, x, x[:3], 2) },
		"ReLU grad":   func() { o.NormGradReLU(x, x, x, x[:3], x[:3], x[:3], x[:3], x[:2], 2) },
		"Dot":         func() { o.Dot(x, y) },
	} {
		t.Run(name, func(t *testing.T) { require.Panics(t, f) })
	}
}

func TestNoAllocation(t *testing.T) {
	bothTypes(t, testNoAllocation[float32], testNoAllocation[float64])
}

func testNoAllocation[T Float](t *testing.T) {
	x, c := make([]T, 100), make([]T, 10)
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		require.Zero(t, testing.AllocsPerRun(10, func() {
			o.Add(x, x, x)
			o.Adam(x, x, x, x, 1, 0, 0, 1)
			o.ScaleShift(x, x, x, c, c, c, 10, true)
			o.ColMoments(c, c, x, c, len(c), 10)
			o.Dot(x, x)
			o.MomentumSquares(x, x, x, 1, 1, 1, true)
		}))
	})
}

func BenchmarkOps(b *testing.B) {
	b.Run("float32", benchmarkOps[float32])
	b.Run("float64", benchmarkOps[float64])
}

func benchmarkOps[T Float](b *testing.B) {
	const c, rows = 64, 64
	x, y, z, s := make([]T, c*rows), make([]T, c*rows), make([]T, c*rows), make([]T, c)
	for _, level := range cpuid.Available() {
		o := For[T](level)
		for name, f := range map[string]func(){
			"Add":         func() { o.Add(x, y, z) },
			"ReLUGrad":    func() { o.ReLUGrad(x, y, z) },
			"Adam":        func() { o.Adam(x, y, y, z, 0.1, 0.9, 0.999, 1e-7) },
			"ScaleShift":  func() { o.ScaleShift(x, y, z, s, s, s, rows, true) },
			"ColNormGrad": func() { o.ColNormGrad(s, s, x, y, s, rows) },
			"SumSquares":  func() { o.SumSquares(x) },
		} {
			b.Run(fmt.Sprintf("%v/%s", level, name), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(c*rows), "ns/element")
			})
		}
	}
}
