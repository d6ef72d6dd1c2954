package vmath

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

func forLevels[T Float](t *testing.T, f func(t *testing.T, o *Ops[T])) {
	for _, level := range cpuid.Available() {
		t.Run(level.String(), func(t *testing.T) {
			require.Equal(t, level, For[T](level).Level)
			f(t, For[T](level))
		})
	}
}

// named are the functions of one operand with what they are, in float64, and how many units in the last place float32 and
// float64 may be off.
func named[T Float](o *Ops[T]) []unary[T] {
	return []unary[T]{
		{"abs", o.Abs, math.Abs, 0, 0}, {"sign", o.Sign, func(x float64) float64 {
			if x > 0 {
				return 1
			} else if x < 0 {
				return -1
			}
			return x
		}, 0, 0}, {"ceil", o.Ceil, math.Ceil, 0, 0}, {"floor", o.Floor, math.Floor, 0, 0},
		{"neg", o.Neg, func(x float64) float64 { return -x }, 0, 0}, {"square", o.Square, func(x float64) float64 { return x * x }, 0.5, 0},
		{"cube", o.Cube, func(x float64) float64 { return x * x * x }, 1.5, 0}, {"sqrt", o.Sqrt, math.Sqrt, 0.5, 0},
		{"inverse", o.Inverse, func(x float64) float64 { return 1 / x }, 0.5, 0},
		{"inverseSqrt", o.InverseSqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 1.5, 0},
		{"exp", o.Exp, math.Exp, 2, 4}, {"expm1", o.Expm1, math.Expm1, 2, 4}, {"log", o.Log, log, 2, 4}, {"log1p", o.Log1p, math.Log1p, 2, 4},
		{"log2", o.Log2, log2, 2, 4}, {"tanh", o.Tanh, math.Tanh, 2.5, 4}, {"sigmoid", o.Sigmoid, sigmoid, 2.5, 4},
		{"softplus", o.Softplus, softplus, 2.5, 4}, {"sin", o.Sin, math.Sin, 0.5, 0}, {"cos", o.Cos, math.Cos, 0.5, 0},
		{"erf", o.Erf, math.Erf, 1.5, 0},
	}
}

type unary[T Float] struct {
	name           string
	f              F1[T]
	want           func(x float64) float64
	ulps32, ulps64 float64
}

func (u unary[T]) ulps() float64 {
	if is32[T]() {
		return u.ulps32 + 0.01
	}
	return u.ulps64
}

func is32[T Float]() bool {
	var x T
	_, ok := any(x).(float32)
	return ok
}

// off returns how many units in the last place of T got is off; a wrong kind of number is infinitely wrong.
func off[T Float](want float64, got T) float64 {
	g := float64(got)
	switch rounded := float64(T(want)); {
	case want != want || g != g:
		if (want != want) == (g != g) {
			return 0
		}
		return math.Inf(1)
	case math.IsInf(rounded, 0) || math.IsInf(g, 0):
		if rounded == g {
			return 0
		}
		// Where the largest number ends and infinity begins is a matter of rounding, and with math.Exp of amd64 a bit early.
		if is32[T]() && math.Abs(want) > math.MaxFloat32*(1-1e-6) && math.Abs(g) > math.MaxFloat32*(1-1e-6) {
			return 0
		}
		if math.Abs(want) > 1.79e308 && math.Abs(g) > 1.79e308 {
			return 0
		}
		return math.Inf(1)
	case rounded == 0 && g == 0:
		if math.Signbit(want) != math.Signbit(g) {
			return math.Inf(1)
		}
		return 0
	}
	return math.Abs(g-want) / unit[T](want)
}

// unit is the distance of numbers of T around x.
func unit[T Float](x float64) float64 {
	_, e := math.Frexp(x)
	if is32[T]() {
		return math.Ldexp(1, max(e-24, -149))
	}
	return math.Ldexp(1, max(e-53, -1074))
}

// edges are numbers around which something changes.
func edges[T Float]() []T {
	var x []T
	for _, v := range []float64{0, 1, 2, 3, 0.5, 0.25, 1.5, math.Sqrt2, math.Sqrt2 / 2, math.Ln2, math.Ln2 / 2, 10, 16, 17, 20, 40, 41, 80, 81,
		87.3, 88, 88.72, 88.73, 89, 90, 103, 103.97, 104, 105, 150, 700, 708, 709.78, 709.79, 710, 745.13, 746, 747, 1000, 1e10, 1e30, 1e-5, 1e-10, 1e-30,
		1e-38, 1e-40, 1e-45, 0x1p-126, 0x1p-149, 0x1p23, 0x1p24, 0x1p25, 0x1p30, 0x1p31, 0x1p32, 0x1p52, 0x1p53, 0x1p60, 0x1p63, 0x1p127, math.MaxFloat32,
		1e300, 1e-300, 1e-310, 0x1p-1022, 0x1p-1074, math.MaxFloat64, math.Inf(1), math.NaN(), 2.5, 3.5, 1 - 1e-7, 1 + 1e-7, 1 - 1e-15, 1 + 1e-15} {
		x = append(x, T(v), -T(v))
	}
	return x
}

// anywhere returns n numbers of all sizes: half are bits at random, half lie where exponentials do something.
func anywhere[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		switch {
		case i%2 == 0 && is32[T]():
			x[i] = T(math.Float32frombits(rng.Uint32()))
		case i%2 == 0:
			x[i] = T(math.Float64frombits(rng.Uint64()))
		case i%4 == 1:
			x[i] = T(rng.NormFloat64())
		default:
			x[i] = T((rng.Float64() - 0.5) * 220)
		}
	}
	return x
}

func TestUnary(t *testing.T) {
	t.Run("float32", testUnary[float32])
	t.Run("float64", testUnary[float64])
}

func testUnary[T Float](t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 10_000
	}
	x := append(edges[T](), anywhere[T](rand.New(rand.NewPCG(1, 2)), n)...)
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		y := make([]T, len(x))
		for _, u := range named(o) {
			u.f(&y[0], &x[0], uintptr(len(x)))
			worst, at := 0.0, 0
			for i, v := range x {
				if d := off(u.want(float64(v)), y[i]); d > worst {
					worst, at = d, i
				}
			}
			t.Logf("%s: %.2f units in the last place at %v", u.name, worst, x[at])
			if worst > u.ulps() {
				t.Errorf("%s(%v) = %v, want %v: %.3g units in the last place, at most %.3g", u.name, x[at], y[at], u.want(float64(x[at])), worst, u.ulps())
			}
		}
	})
}

// Every function of two operands, for all pairs of edges, at every combination of strides.
func TestBinary(t *testing.T) {
	t.Run("float32", testBinary[float32])
	t.Run("float64", testBinary[float64])
}

func pairs[T Float](o *Ops[T]) map[string]F2[T] {
	return map[string]F2[T]{"add": o.Add, "sub": o.Sub, "mul": o.Mul, "div": o.Div, "pow": o.Pow, "lt": o.Lt, "gt": o.Gt, "lte": o.Lte,
		"gte": o.Gte, "eq": o.Eq, "ne": o.Ne, "min": o.Min, "max": o.Max, "reluGrad": o.ReLUGrad}
}

func testBinary[T Float](t *testing.T) {
	var a, b []T
	for _, x := range edges[T]() {
		for _, y := range edges[T]() {
			a, b = append(a, x), append(b, y)
		}
	}
	twins := pairs(For[T](cpuid.Generic))
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		for name, f := range pairs(o) {
			got, want := make([]T, len(a)), make([]T, len(a))
			f(&got[0], &a[0], &b[0], uintptr(len(a)), 1, 1)
			twins[name](&want[0], &a[0], &b[0], uintptr(len(a)), 1, 1)
			for i := range got {
				if off(float64(want[i]), got[i]) != 0 {
					t.Fatalf("%s(%v, %v) = %v, want %v", name, a[i], b[i], got[i], want[i])
				}
			}
		}
	})
}

// Every function in every length up to a few turns, between guards, in place, and with numbers as operands.
func TestLengths(t *testing.T) {
	t.Run("float32", testLengths[float32])
	t.Run("float64", testLengths[float64])
}

// fenced copies x between zones of a guard and returns it with a check that they are untouched.
func fenced[T Float](x []T) (y []T, check func() bool) {
	const zone = 80
	all := make([]T, len(x)+2*zone)
	for i := range all {
		all[i] = T(math.Inf(-1))
	}
	y = all[zone : zone+len(x)]
	copy(y, x)
	return y, func() bool {
		for i, v := range all {
			if (i < zone || i >= zone+len(x)) && !math.IsInf(float64(v), -1) {
				return false
			}
		}
		return true
	}
}

func testLengths[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const most = 2*4*16 + 37
	operand := func(n, stride int) []T {
		x := make([]T, max(n, 1))
		if stride == 0 {
			x = make([]T, Lanes)
		}
		for i := range x {
			x[i] = T(0.1 + rng.Float64())
			if stride == 0 {
				x[i] = x[0]
			}
		}
		return x
	}
	twin := For[T](cpuid.Generic)
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		// try runs f into new memory and over each operand that is as long, and compares with the twin.
		try := func(name string, n int, x [][]T, strides []int, f, g func(dst *T, x [][]T)) {
			t.Helper()
			want := make([]T, max(n, 1))
			g(&want[0], x)
			for over := -1; over < len(x); over++ {
				if over >= 0 && strides[over] == 0 {
					continue
				}
				in := append([][]T(nil), x...)
				dst, check := fenced(make([]T, n+1)[:n])
				if over >= 0 {
					dst, check = fenced(x[over][:n])
					in[over] = dst
				}
				if n == 0 { // there is nothing to point to
					dst = []T{T(math.Inf(-1))}
					if over >= 0 {
						continue
					}
				}
				f(&dst[0], in)
				for i := range n {
					if d := off(float64(want[i]), dst[i]); d > 4 {
						t.Fatalf("%s of %d, over operand %d, element %d: want %v, got %v", name, n, over, i, want[i], dst[i])
					}
				}
				if n == 0 && !math.IsInf(float64(dst[0]), -1) || !check() {
					t.Fatalf("%s of %d, over operand %d, wrote outside", name, n, over)
				}
			}
		}
		twins1, twins2 := named(twin), pairs(twin)
		for n := range most {
			size := uintptr(n)
			for i, u := range named(o) {
				try(u.name, n, [][]T{operand(n, 1)}, []int{1}, func(d *T, x [][]T) { u.f(d, &x[0][0], size) },
					func(d *T, x [][]T) { twins1[i].f(d, &x[0][0], size) })
			}
			for _, s := range [][]int{{1, 1, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {0, 0, 1}, {0, 0, 0}} {
				x := [][]T{operand(n, s[0]), operand(n, s[1]), operand(n, s[2])}
				sa, sb, sc := uintptr(s[0]), uintptr(s[1]), uintptr(s[2])
				if s[2] == 1 || s[1] == 0 {
					for name, f := range pairs(o) {
						try(name, n, x[:2], s, func(d *T, x [][]T) { f(d, &x[0][0], &x[1][0], size, sa, sb) },
							func(d *T, x [][]T) { twins2[name](d, &x[0][0], &x[1][0], size, sa, sb) })
					}
				}
				for i, f := range []F3[T]{o.MulAdd, o.MulSub, o.SubMul} {
					// One rounding or two: with sums of numbers of one sign and size, the same but for a unit or so.
					g := []F3[T]{twin.MulAdd, twin.MulSub, twin.SubMul}[i]
					y := append([][]T(nil), x...)
					if i > 0 {
						y[2] = append([]T(nil), x[2]...)
						for j := range y[2] {
							y[2][j] += 4
						}
					}
					try("product and sum", n, y, s, func(d *T, x [][]T) { f(d, &x[0][0], &x[1][0], &x[2][0], size, sa, sb, sc) },
						func(d *T, x [][]T) { g(d, &x[0][0], &x[1][0], &x[2][0], size, sa, sb, sc) })
				}
			}
			try("fill", n, [][]T{operand(1, 1)}, []int{0}, func(d *T, x [][]T) { o.Fill(d, &x[0][0], size) },
				func(d *T, x [][]T) { twin.Fill(d, &x[0][0], size) })
		}
	})
}

func BenchmarkUnary(b *testing.B) {
	b.Run("float32", benchUnary[float32])
	b.Run("float64", benchUnary[float64])
}

func benchUnary[T Float](b *testing.B) {
	const n = 1024
	x, y := make([]T, n), make([]T, n)
	for i := range x {
		x[i] = T(i%100)/20 - 2.5
	}
	for _, level := range cpuid.Available() {
		for _, u := range named(For[T](level)) {
			b.Run(u.name+"/"+level.String(), func(b *testing.B) {
				for b.Loop() {
					u.f(&y[0], &x[0], n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
		o := For[T](level)
		b.Run("add/"+level.String(), func(b *testing.B) {
			for b.Loop() {
				o.Add(&y[0], &x[0], &y[0], n, 1, 1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
