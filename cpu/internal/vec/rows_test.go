package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// shapes are rows and channels.
func shapes() [][2]int {
	all := [][2]int{{0, 5}, {3, 0}, {200, 3}, {50, 16}, {40, 64}, {7, 200}, {33, 100}, {9, 128}, {10, 129}, {6, 256}, {5, 303}}
	for c := 1; c < 70; c++ {
		all = append(all, [2]int{1 + c%5, c})
	}
	return all
}

func TestRows(t *testing.T) { bothTypes(t, testRows[float32], testRows[float64]) }

func testRows[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, s := range shapes() {
			rows, c := s[0], s[1]
			g := func(n int) []T { x, _ := guarded(t, random[T](rng, n)); return x }
			x, z, dy, mean, scale, shift, d, beta := g(rows*c), g(rows*c), g(rows*c), g(c), g(c), g(c), g(c), g(c)
			for j := range c { // a large mean must leave no rounding of its own size
				large := 1e4 * T(j%3)
				mean[j] += large
				for i := j; i < len(x); i += c {
					x[i] += large
				}
			}
			dst, check := guarded(t, make([]T, rows*c))
			each := func(name string, f func(i, j int) (want, size float64)) {
				t.Helper()
				check()
				for i := range dst {
					want, size := f(i, i%c)
					near(t, fmt.Sprintf("%s %v at %d", name, s, i), want, size, dst[i])
				}
			}
			for _, act := range []bool{false, true} {
				for _, res := range [][]T{nil, z} {
					o.ScaleShift(dst, x, res, mean, scale, shift, rows, act)
					each("ScaleShift", func(i, j int) (float64, float64) {
						p := (float64(x[i]) - float64(mean[j])) * float64(scale[j])
						want, size := p+float64(shift[j]), math.Abs(p)+math.Abs(float64(shift[j]))
						if res != nil {
							want, size = want+float64(z[i]), size+math.Abs(float64(z[i]))
						}
						if act {
							want = relu(want)
						}
						return want, size
					})
				}
			}
			o.NormGrad(dst, dy, x, scale, mean, shift, d, rows)
			each("NormGrad", func(i, j int) (float64, float64) {
				terms := []float64{float64(scale[j]) * float64(dy[i]), float64(shift[j]) * (float64(x[i]) - float64(mean[j])), float64(d[j])}
				return terms[0] + terms[1] + terms[2], sumAbs(terms)
			})
			y := g(rows * c) // what ReLU sees, bit by bit
			o.ScaleShift(y, x, nil, mean, scale, beta, rows, false)
			o.NormGradReLU(dst, dy, x, scale, mean, shift, d, beta, rows)
			each("NormGradReLU", func(i, j int) (float64, float64) {
				terms := []float64{float64(scale[j]) * float64(dy[i]), float64(shift[j]) * (float64(x[i]) - float64(mean[j])), float64(d[j])}
				if !(y[i] > 0) {
					terms[0] = 0
				}
				return terms[0] + terms[1] + terms[2], sumAbs(terms)
			})
			for _, most := range bounds(y) {
				o.NormGradBound(dst, dy, x, scale, mean, shift, d, beta, rows, most)
				each("NormGradBound", func(i, j int) (float64, float64) {
					terms := []float64{float64(scale[j]) * float64(dy[i]), float64(shift[j]) * (float64(x[i]) - float64(mean[j])), float64(d[j])}
					if !(y[i] > 0 && y[i] < most) {
						terms[0] = 0
					}
					return terms[0] + terms[1] + terms[2], sumAbs(terms)
				})
			}
		}
	})
}

// bounds are some of a ReLU: one that is reached exactly among them, where any is.
func bounds[T Float](y []T) []T {
	for _, v := range y {
		if v > 0.25 {
			return []T{1, v}
		}
	}
	return []T{1}
}

func TestColumnSums(t *testing.T) { bothTypes(t, testColumnSums[float32], testColumnSums[float64]) }

func testColumnSums[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, s := range shapes() {
			rows, c := s[0], s[1]
			g := func(n int) []T { x, _ := guarded(t, random[T](rng, n)); return x }
			x, dy, mean, scale, shift := g(rows*c), g(rows*c), g(c), g(c), g(c)
			y, more := g(rows*c), g(rows*c)
			start := random[T](rng, 2*c)
			a, checkA := guarded(t, start[:c])
			b, checkB := guarded(t, start[c:])
			// term returns what a row adds to a and to b.
			each := func(name string, term func(i, j int) (float64, float64)) {
				t.Helper()
				checkA()
				checkB()
				for j := range c {
					sa, sb := float64(start[j]), float64(start[c+j])
					za, zb := math.Abs(sa), math.Abs(sb)
					for i := j; i < rows*c; i += c {
						ta, tb := term(i, j)
						sa, sb, za, zb = sa+ta, sb+tb, za+math.Abs(ta), zb+math.Abs(tb)
					}
					n := 2 + math.Sqrt(float64(rows))
					near(t, fmt.Sprintf("%s %v first sum of %d", name, s, j), sa, n*(za+1), a[j])
					near(t, fmt.Sprintf("%s %v second sum of %d", name, s, j), sb, n*(zb+4), b[j])
				}
				copy(a, start[:c])
				copy(b, start[c:])
			}
			o.ColSum(a, x, c, rows)
			each("ColSum", func(i, _ int) (float64, float64) { return float64(x[i]), 0 })
			o.ColMoments(a, b, x, mean, c, rows)
			each("ColMoments", func(i, j int) (float64, float64) {
				v := float64(x[i]) - float64(mean[j])
				return v, v * v
			})
			normGrad := func(dy func(i int) float64) func(i, j int) (float64, float64) {
				return func(i, j int) (float64, float64) { return dy(i), dy(i) * (float64(x[i]) - float64(mean[j])) }
			}
			o.ColNormGrad(a, b, dy, x, mean, rows)
			each("ColNormGrad", normGrad(func(i int) float64 { return float64(dy[i]) }))
			masked := func(dy []T) func(i int) float64 {
				return func(i int) float64 {
					if y[i] > 0 {
						return float64(dy[i])
					}
					return 0
				}
			}
			joined, checkJoined := guarded(t, make([]T, rows*c))
			sum := make([]T, rows*c)
			o.Add(sum, dy, more)
			o.ColNormGradJoin(a, b, joined, dy, more, y, x, mean, rows)
			checkJoined()
			for i, v := range joined {
				if float64(v) != masked(sum)(i) {
					t.Fatalf("ColNormGradJoin %v: element %d is %v, want %v", s, i, v, masked(sum)(i))
				}
			}
			each("ColNormGradJoin", normGrad(masked(sum)))
			o.ScaleShift(y, x, nil, mean, scale, shift, rows, false)
			o.ColNormGradReLU(a, b, dy, x, mean, scale, shift, rows)
			each("ColNormGradReLU", normGrad(masked(dy)))
			for _, most := range bounds(y) {
				o.ColNormGradBound(a, b, dy, x, mean, scale, shift, rows, most)
				each("ColNormGradBound", normGrad(func(i int) float64 {
					if y[i] < most {
						return masked(dy)(i)
					}
					return 0
				}))
			}
		}
	})
}

// Sums of rows that lie apart are those of rows that follow each other, and sums of some columns those of all, to the last bit.
func TestColumnSumsApart(t *testing.T) {
	bothTypes(t, testColumnSumsApart[float32], testColumnSumsApart[float64])
}

func testColumnSumsApart[T Float](t *testing.T) {
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(6, 6))
		for _, s := range shapes() {
			rows, c := s[0], s[1]
			if rows*c == 0 {
				continue
			}
			x, _ := guarded(t, random[T](rng, rows*c))
			shift, _ := guarded(t, random[T](rng, c))
			sums := func(x []T, ld, from, to int) (sum, moment, square []T) {
				sum, moment, square = make([]T, c), make([]T, c), make([]T, c)
				o.ColSum(sum[from:to], x, ld, rows)
				o.ColMoments(moment[from:to], square[from:to], x, shift[from:to], ld, rows)
				return sum, moment, square
			}
			sum, moment, square := sums(x, c, 0, c)
			ld := c + 7
			apart, check := guarded(t, make([]T, (rows-1)*ld+c))
			for r := range rows {
				copy(apart[r*ld:], x[r*c:(r+1)*c])
			}
			a, b, d := sums(apart, ld, 0, c)
			require.Equal(t, [][]T{sum, moment, square}, [][]T{a, b, d}, "%v", s)
			check()
			from, to := c/3, c-c/4
			a, b, d = sums(x[from:], c, from, to)
			require.Equal(t, [][]T{sum[from:to], moment[from:to], square[from:to]}, [][]T{a[from:to], b[from:to], d[from:to]}, "%v", s)
		}
	})
}
