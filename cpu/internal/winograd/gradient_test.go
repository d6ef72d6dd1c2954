package winograd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestGradientOffsets(t *testing.T) {
	var g gradientTile
	require.Equal(t, []uintptr{0, 32, 64, 72, 80, 88, 96, 112}, []uintptr{unsafe.Offsetof(g.base), unsafe.Offsetof(g.off), unsafe.Offsetof(g.pixel),
		unsafe.Offsetof(g.dst), unsafe.Offsetof(g.point), unsafe.Offsetof(g.n), unsafe.Offsetof(g.cols), unsafe.Offsetof(g.part)})
}

// The transforms of gradients are the transposes of those of results and filters.
func transposed(m func(i, j int) float64) func(i, j int) float64 {
	return func(i, j int) float64 { return m(j, i) }
}

func TestGradient(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		for _, c := range []int{1, 3, 7, 8, 15, 16, 17, 33, 48} {
			for _, g := range grids(c) {
				name := fmt.Sprint(*g)
				dy, checkDy := inGuard(1, g.N*g.OutH*g.OutW*c)
				for _, n := range []int{c, (c + 1) / 2} {
					first, count := 0, g.Tiles()
					if n < c {
						first, count = count/3, (count+1)/2
					}
					ld := n + 3
					point := ld*count + 5
					y, check := numtest.Guarded(35*point + (count-1)*ld + n)
					for i := range y {
						y[i] = 777
					}
					o.Gradient(y, point, ld, dy[c-n:], g, first, count, n)
					check(t)
					checkDy(t)
					written := 0
					for i := range count {
						image, row, col := g.place(first + i)
						for f := range n {
							want := want64(transposed(matA), 6, 4, func(p, q int) float64 {
								if row+p >= g.OutH || col+q >= g.OutW {
									return 0
								}
								return float64(dy[((image*g.OutH+row+p)*g.OutW+col+q)*c+c-n+f])
							})
							for p := range want {
								near(t, y[p*point+i*ld+f], want[p], 10, name, first+i, f, p)
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

func TestTaps(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		for n := 1; n <= 2*o.Lanes()+1; n++ {
			const count = 3
			ld, step := n+2, n+1
			tap, point := ld*count+1, step*count+2
			u, checkU := inGuard(2, 35*point+(count-1)*step+n)
			dw, check := numtest.Guarded(8*tap + (count-1)*ld + n)
			for i := range dw {
				dw[i] = 777
			}
			o.Taps(dw, tap, ld, u, point, step, count, n)
			check(t)
			checkU(t)
			written := 0
			for k := range count {
				for j := range n {
					want := want64(transposed(matG), 3, 6, func(p, q int) float64 { return float64(u[(6*p+q)*point+k*step+j]) })
					for p := range want {
						near(t, dw[p*tap+k*ld+j], want[p], 10, "taps", k, j, p)
						written++
					}
				}
			}
			for _, v := range dw {
				if v == 777 {
					written++
				}
			}
			require.Equal(t, len(dw), written, "wrote elsewhere")
		}
	})
}

// The three transforms together are the gradient of a convolution's taps.
func TestGradientAlgorithm(t *testing.T) {
	var d [6][6]float64
	var dy [4][4]float64
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 36 {
		d[i/6][i%6] = r.NormFloat64()
		dy[i/6%4][i%4] = r.NormFloat64()
	}
	v := want64(matB, 6, 6, func(i, j int) float64 { return d[i][j] })
	y := want64(transposed(matA), 6, 4, func(i, j int) float64 { return dy[i][j] })
	g := want64(transposed(matG), 3, 6, func(i, j int) float64 { return y[6*i+j] * v[6*i+j] })
	for i := range 9 {
		want := 0.
		for p := range 4 {
			for q := range 4 {
				want += d[i/3+p][i%3+q] * dy[p][q]
			}
		}
		require.InDelta(t, want, g[i], 1e-5)
	}
}

func TestGradientAllocatesNothing(t *testing.T) {
	everyLevel(t, func(t *testing.T, o Ops) {
		g := grids(16)[1]
		dy := fill(1, make([]float32, 2*4*4*16))
		y, dw := make([]float32, 36*2*16), make([]float32, 9*16)
		require.Zero(t, testing.AllocsPerRun(10, func() {
			o.Gradient(y, 2*16, 16, dy, g, 0, 2, 16)
			o.Taps(dw, 16, 16, y, 2*16, 16, 1, 16)
		}))
	})
}
