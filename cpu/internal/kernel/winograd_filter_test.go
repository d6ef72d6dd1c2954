package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// plannedFilter is a winogradFilter with a plan of the test's.
type plannedFilter struct {
	Scratch[float32]
	*winogradFilter
}

// Chunks and blocks that do not divide the work.
func TestWinogradFilterPlans(t *testing.T) {
	for _, padding := range []shape.Padding{{Mode: shape.Same}, {Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}} {
		for _, c := range []convCase{{3, 9, 10, 20, 3, 3, 70, op.ConvAttrs{Padding: padding}, ""}, {1, 5, 4, 50, 3, 3, 33, op.ConvAttrs{Padding: padding}, ""}} {
			g := c.geometry(t)
			tiles := g.N * ceilDiv(g.H.Out, 4) * ceilDiv(g.W.Out, 4)
			in := inputs[float32]{convInput[float32](c, 1), normal[float32](2, g.Output()...)}
			want := []result{{reference(t, &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}, in), numtest.Reduction}}
			for _, p := range []winogradFilterPlan{{tiles, 64, 64}, {tiles, 16, 32}, {tiles/2 + 1, 32, 32}, {1, 48, 64}, {4, 16, 96}} {
				t.Run(fmt.Sprint(c, p), func(t *testing.T) {
					verify(t, in, want, func(e Env[float32]) (prepared[float32], error) {
						k := &plannedFilter{}
						var none Scratch[float32]
						k.winogradFilter = newWinogradFilter(e, &none, g)
						k.s = &k.Scratch
						k.prepare(e, p)
						return prepared[float32]{k, func(out [][]float32, in inputs[float32]) { k.run(out[0], in.f(0), in.f(1)) }}, nil
					})
				})
			}
		}
	}
}

// The same bits come from any number of workers, with the blocks that the plan has for them.
func TestWinogradFilterThreads(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []convCase{{9, 16, 16, 64, 3, 3, 64, same, byWinograd}, {2, 7, 9, 130, 3, 3, 96, same, byWinograd}} {
		force(t, c)
		g := c.geometry(t)
		x, dy := convInput[float32](c, 1).Data.([]float32), normal[float32](2, g.Output()...).Data.([]float32)
		for _, l := range cpuid.Available() {
			var first []float32
			for _, threads := range []int{1, 2, 3, 16} {
				p := pool.New(threads)
				k, err := NewConv2DBackwardFilter[float32](Env[float32]{Pool: p, Gemm: gemm.New[float32](l)}, g)
				require.NoError(t, err)
				require.Equal(t, byWinograd, k.Way())
				k.SetScratch(make([]float32, k.Workspace()))
				dw := make([]float32, 9*c.c*c.f)
				k.Run(dw, x, dy)
				p.Close()
				if first == nil {
					first = dw
				}
				require.True(t, sameBits(first, dw), "%v: %v with %d workers", c, l, threads)
			}
		}
	}
}

// The error stays inside the tolerance for sums over many tiles, for images that are all positive, and for gradients that do not
// cancel.
func TestWinogradFilterError(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector and shows nothing new")
	}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []convCase{{1, 4, 4, 64, 3, 3, 32, same, byWinograd}, {64, 4, 4, 48, 3, 3, 32, same, byWinograd}, {64, 16, 16, 20, 3, 3, 35, same, byWinograd}, {16, 56, 56, 16, 3, 3, 16, same, byWinograd}} {
		for _, positive := range []bool{false, true} {
			force(t, c)
			g := c.geometry(t)
			in := inputs[float32]{convInput[float32](c, 1), normal[float32](2, g.Output()...)}
			if positive {
				relu(in.f(0), in.f(0))
				for i, v := range in.f(1) {
					in.f(1)[i] = float32(math.Abs(float64(v)))
				}
			}
			want := reference(t, &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}, in)
			worst := func(e Env[float32], way string) float64 {
				forcedWay = way
				k, err := NewConv2DBackwardFilter[float32](e, g)
				require.NoError(t, err)
				k.SetScratch(make([]float32, k.Workspace()))
				dw := make([]float32, len(want))
				k.Run(dw, in.f(0), in.f(1))
				tol := numtest.Tol(dtype[float32](), numtest.Reduction)
				most, worst := 0., 0.
				for _, v := range want {
					most = max(most, abs(v))
				}
				for i, v := range want {
					worst = max(worst, abs(float64(dw[i])-v)/(tol.Rel*abs(v)+tol.Norm*most))
				}
				return worst
			}
			withEnv(t, func(t *testing.T, e Env[float32]) {
				got, other := worst(e, byWinograd), worst(e, byPatches)
				t.Logf("%v, positive %t, %v: at most %.2f of the tolerance; patches %.2f", c, positive, e.Gemm.Level(), got, other)
				require.Less(t, got, 0.8)
			})
		}
	}
}

// NaN in an image or a gradient reaches every tap that sees it, of its channel or filter and of no other.
func TestWinogradFilterNaN(t *testing.T) {
	c := convCase{1, 12, 12, 4, 3, 3, 5, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, byWinograd}
	force(t, c)
	g := c.geometry(t)
	withEnv(t, func(t *testing.T, e Env[float32]) {
		for _, image := range []bool{true, false} {
			x, dy := convInput[float32](c, 1).Data.([]float32), normal[float32](2, g.Output()...).Data.([]float32)
			if image {
				x[(5*12+6)*4+1] = nan[float32]()
			} else {
				dy[(5*12+6)*5+2] = nan[float32]()
			}
			k, err := NewConv2DBackwardFilter[float32](e, g)
			require.NoError(t, err)
			k.SetScratch(make([]float32, k.Workspace()))
			dw := make([]float32, 9*4*5)
			k.Run(dw, x, dy)
			for i, v := range dw {
				require.Equal(t, image && i/5%4 == 1 || !image && i%5 == 2, v != v, "tap %d, image %t", i, image)
			}
		}
	})
}

// A plan depends on the number of threads in its blocks alone, and its working memory stays small.
func TestWinogradFilterPlan(t *testing.T) {
	for _, tiles := range []int{1, 7, 64, 100, 257, 2048, 50000} {
		for _, c := range []int{1, 16, 64, 100, 256, 512} {
			for _, f := range []int{1, 33, 64, 512} {
				for _, panel := range []int{8, 16, 32} {
					one := planWinogradFilter(tiles, c, f, panel, 1)
					for _, threads := range []int{2, 3, 16, 200} {
						p := planWinogradFilter(tiles, c, f, panel, threads)
						require.Equal(t, one.tiles, p.tiles)
						require.Positive(t, p.channels*p.filters)
						require.Zero(t, p.filters%panel)
						require.LessOrEqual(t, p.tiles, tiles)
					}
					require.LessOrEqual(t, 36*one.tiles*(c+f), max(winogradLarge, 36*c*f, 36*16*(c+f)))
				}
			}
		}
	}
}
