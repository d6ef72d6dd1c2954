package winograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// The assembly reads these offsets.
func TestArgumentOffsets(t *testing.T) {
	var in inputTile
	require.Equal(t, []uintptr{0, 48, 96, 104, 112, 120, 128, 152}, []uintptr{unsafe.Offsetof(in.base), unsafe.Offsetof(in.off),
		unsafe.Offsetof(in.pixel), unsafe.Offsetof(in.dst), unsafe.Offsetof(in.point), unsafe.Offsetof(in.n), unsafe.Offsetof(in.cols), unsafe.Offsetof(in.part)})
	var out outputTile
	require.Equal(t, []uintptr{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 88, 92, 96}, []uintptr{unsafe.Offsetof(out.src), unsafe.Offsetof(out.point),
		unsafe.Offsetof(out.dst), unsafe.Offsetof(out.row), unsafe.Offsetof(out.pixel), unsafe.Offsetof(out.bias), unsafe.Offsetof(out.residual),
		unsafe.Offsetof(out.n), unsafe.Offsetof(out.cols), unsafe.Offsetof(out.rows), unsafe.Offsetof(out.part), unsafe.Offsetof(out.floor), unsafe.Offsetof(out.spill)})
}

// everyLevel runs a test on every instruction set of this machine.
func everyLevel(t *testing.T, f func(t *testing.T, o Ops)) {
	for _, l := range cpuid.Available() {
		t.Run(l.String(), func(t *testing.T) { f(t, For(l)) })
	}
}

// fill makes normal numbers.
func fill(seed uint64, x []float32) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// inGuard is n normal numbers between guard zones of NaN.
func inGuard(seed uint64, n int) (x []float32, check func(testing.TB)) {
	x, check = numtest.Guarded(n)
	return fill(seed, x), check
}

// The grids of the tests: odd sizes, paddings of any width, more than one image.
func grids(c int) []*Grid {
	return []*Grid{
		NewGrid(1, 6, 6, c, 0, 0, 4, 4, c), NewGrid(2, 4, 4, c, 1, 1, 4, 4, c), NewGrid(2, 7, 5, c, 1, 1, 7, 5, c), NewGrid(1, 1, 1, c, 1, 1, 1, 1, c),
		NewGrid(3, 2, 9, c, 2, 2, 4, 11, c), NewGrid(1, 14, 13, c, 0, 1, 12, 13, c), NewGrid(1, 3, 3, c, 6, 5, 13, 12, c),
	}
}

// want64 is M·x·Mᵀ in float64 for the matrix M of a one-dimensional transform.
func want64(m func(i, j int) float64, out, in int, x func(i, j int) float64) []float64 {
	rows, y := make([]float64, in*out), make([]float64, out*out)
	for k := range in {
		for l := range in {
			for j, v := 0, x(k, l); j < out; j++ {
				rows[k*out+j] += m(j, l) * v
			}
		}
	}
	for i := range out {
		for k := range in {
			for j, by := 0, m(i, k); j < out; j++ {
				y[i*out+j] += by * rows[k*out+j]
			}
		}
	}
	return y
}

// matrix is the elements of a transform, from what its plain form makes of unit vectors.
func matrix[X, Y any](in, out int, f func(X) Y, set func(*X, int), get func(*Y, int) float32) func(i, j int) float64 {
	m := make([]float64, in*out)
	for j := range in {
		var x X
		set(&x, j)
		y := f(x)
		for i := range out {
			m[i*in+j] = float64(get(&y, i))
		}
	}
	return func(i, j int) float64 { return m[i*in+j] }
}

var (
	matB = matrix(6, 6, inputRow, func(x *[6]float32, i int) { x[i] = 1 }, func(y *[6]float32, i int) float32 { return y[i] })
	matG = matrix(3, 6, filterRow, func(x *[3]float32, i int) { x[i] = 1 }, func(y *[6]float32, i int) float32 { return y[i] })
	matA = matrix(6, 4, outputRow, func(x *[6]float32, i int) { x[i] = 1 }, func(y *[4]float32, i int) float32 { return y[i] })
)

// near compares with float64. The matrices here are of float32, so the rounding of their elements does not count.
func near(t *testing.T, got float32, want, scale float64, name string, at ...int) {
	if math.Abs(float64(got)-want) > 2e-6*scale || got != got {
		t.Helper()
		t.Fatalf("%s %v: %v, want %v", name, at, got, want)
	}
}

func TestInput(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		for _, c := range []int{1, 3, 7, 8, 15, 16, 17, 33, 48} {
			for _, g := range grids(c) {
				name := fmt.Sprint(*g)
				x, checkX := inGuard(1, g.N*g.H*g.W*c)
				for _, n := range []int{c, (c + 1) / 2} {
					first, count := 0, g.Tiles()
					if n < c {
						first, count = count/3, (count+1)/2
					}
					ld := n + 3
					point := ld*count + 5
					v, check := numtest.Guarded(35*point + (count-1)*ld + n)
					for i := range v {
						v[i] = 777
					}
					o.Input(v, point, ld, x[c-n:], g, first, count, n)
					check(t)
					checkX(t)
					written := 0
					for i := range count {
						image, row, col := g.place(first + i)
						for ch := range n {
							want := want64(matB, 6, 6, func(p, q int) float64 {
								h, w := row-g.Top+p, col-g.Left+q
								if h < 0 || h >= g.H || w < 0 || w >= g.W {
									return 0
								}
								return float64(x[((image*g.H+h)*g.W+w)*c+c-n+ch])
							})
							for p := range want {
								near(t, v[p*point+i*ld+ch], want[p], 10, name, first+i, ch, p)
								written++
							}
						}
					}
					for _, y := range v {
						if y == 777 {
							written++
						}
					}
					require.Equal(t, len(v), written, "wrote elsewhere")
				}
			}
		}
	})
}

func TestFilter(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		for _, flip := range []bool{false, true} {
			for n := range o.Lanes() + 1 {
				const count = 3
				ld, step := n+2, o.Lanes()+1
				tap, point := ld*count+1, step*count+2
				w, checkW := inGuard(2, 8*tap+(count-1)*ld+n)
				u, check := numtest.Guarded(35*point + (count-1)*step + o.Lanes())
				o.Filter(u, point, step, w, tap, ld, count, n, flip)
				check(t)
				checkW(t)
				for k := range count {
					for j := range o.Lanes() {
						want := want64(matG, 6, 3, func(p, q int) float64 {
							tp := 3*p + q
							if flip {
								tp = 8 - tp
							}
							if j >= n {
								return 0
							}
							return float64(w[tp*tap+k*ld+j])
						})
						for p := range want {
							near(t, u[p*point+k*step+j], want[p], 10, "filter", k, j, p)
						}
					}
				}
			}
		}
	})
}

func TestOutput(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		for _, c := range []int{1, 3, 7, 8, 15, 16, 17, 33, 48} {
			for gi, g := range grids(c) {
				for _, n := range []int{c, (c + 1) / 2} {
					first, count := 0, g.Tiles()
					if n < c {
						first, count = count/3, (count+1)/2
					}
					ld := n + 3
					point := ld*count + 5
					m, checkM := inGuard(3, 35*point+(count-1)*ld+n)
					y, check := numtest.Guarded(g.N * g.OutH * g.OutW * c)
					for i := range y {
						y[i] = 777
					}
					var e Epilogue
					if (gi+c)%2 == 0 {
						e.Bias = fill(4, make([]float32, n))
					}
					if (gi+c)%3 == 0 {
						e.Residual = fill(5, make([]float32, len(y)))
					}
					e.ReLU = gi%2 == 0
					name := fmt.Sprint(*g)
					o.Output(y[c-n:], m, point, ld, g, first, count, n, &e)
					check(t)
					checkM(t)
					written := 0
					for i := range count {
						image, row, col := g.place(first + i)
						for f := range n {
							want := want64(matA, 4, 6, func(p, q int) float64 { return float64(m[(6*p+q)*point+i*ld+f]) })
							for p, s := range want {
								if row+p/4 >= g.OutH || col+p%4 >= g.OutW {
									continue
								}
								at := ((image*g.OutH+row+p/4)*g.OutW+col+p%4)*c + f
								if e.Bias != nil {
									s += float64(e.Bias[f])
								}
								if e.Residual != nil {
									s += float64(e.Residual[at])
								}
								if e.ReLU {
									s = max(s, 0)
								}
								near(t, y[c-n+at], s, 60, name, first+i, f, p)
								written++
							}
						}
					}
					for _, v := range y {
						if v == 777 {
							written++
						}
					}
					require.Equal(t, len(y), written, "wrote elsewhere")
				}
			}
		}
	})
}

// The three transforms together are the convolution.
func TestAlgorithm(t *testing.T) {
	var d [6][6]float64
	var g [3][3]float64
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 36 {
		d[i/6][i%6] = r.NormFloat64()
		g[i/6%3][i%3] = r.NormFloat64()
	}
	v := want64(matB, 6, 6, func(i, j int) float64 { return d[i][j] })
	u := want64(matG, 6, 3, func(i, j int) float64 { return g[i][j] })
	y := want64(matA, 4, 6, func(i, j int) float64 { return u[6*i+j] * v[6*i+j] })
	for i := range 16 {
		want := 0.
		for p := range 3 {
			for q := range 3 {
				want += d[i/4+p][i%4+q] * g[p][q]
			}
		}
		require.InDelta(t, want, y[i], 1e-5)
	}
}

func TestNoAllocations(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		g := grids(16)[1]
		x := fill(1, make([]float32, 2*4*4*16))
		v, y, u := make([]float32, 36*2*16), make([]float32, len(x)), make([]float32, 36*16)
		e := Epilogue{Bias: x[:16], ReLU: true}
		require.Zero(t, testing.AllocsPerRun(10, func() {
			o.Input(v, 2*16, 16, x, g, 0, 2, 16)
			o.Filter(u, 16, 16, x, 16, 16, 1, 16, true)
			o.Output(y, v, 2*16, 16, g, 0, 2, 16, &e)
		}))
	})
}

// ReLU hands NaN on, as everywhere.
func TestNaN(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		g := NewGrid(1, 4, 4, 1, 1, 1, 4, 4, 1)
		m := make([]float32, 36)
		m[7] = float32(math.NaN())
		y := make([]float32, 16)
		o.Output(y, m, 1, 1, g, 0, 1, 1, &Epilogue{ReLU: true})
		for _, v := range y {
			require.True(t, v != v)
		}
	})
}
