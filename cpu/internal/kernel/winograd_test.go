package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/winograd"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// planned is a winogradConv with a plan of the test's.
type planned struct {
	Scratch[float32]
	*winogradConv
}

// Both orders, in blocks that do not divide the work, for both passes.
func TestWinogradPlans(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []convCase{{3, 9, 10, 20, 3, 3, 70, same, ""}, {2, 5, 4, 150, 3, 3, 40, same, ""}} {
		g := c.geometry(t)
		tiles := c.n * ceilDiv(c.h, 4) * ceilDiv(c.w, 4)
		for _, backward := range []bool{false, true} {
			in := inputs[float32]{convInput[float32](c, 1), convFilter[float32](c, 2)}
			var o op.Op = &op.Conv2D{ConvAttrs: c.a}
			if backward {
				in[0] = normal[float32](1, g.Output()...)
				o = &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: g.Input()}
			}
			want := []result{{reference(t, o, in), numtest.Reduction}}
			for _, p := range []winogradPlan{
				{all: tiles, tiles: tiles, filters: 64}, {all: 7, tiles: 7, filters: 32}, {all: 1, tiles: 1, filters: 128},
				{byFilters: true, all: tiles, tiles: tiles, filters: 64, channels: 128}, {byFilters: true, all: 10, tiles: 3, filters: 32, channels: 48},
				{byFilters: true, all: 1, tiles: 1, filters: 32, channels: 8},
			} {
				t.Run(fmt.Sprint(c, backward, p), func(t *testing.T) {
					verify(t, in, want, func(e Env[float32]) (prepared[float32], error) {
						k := &planned{}
						var none Scratch[float32]
						k.winogradConv = newWinograd(e, &none, g, ConvOptions{}, backward, nil)
						k.prepare(e, &k.Scratch, p)
						return prepared[float32]{k, func(out [][]float32, in inputs[float32]) {
							k.run(&k.Scratch, out[0], in.f(0), in.f(1), nil, nil)
						}}, nil
					})
				})
			}
		}
	}
}

// The error does not grow into the tolerance with the depth of the sums, nor for images that are all positive.
func TestWinogradError(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector and shows nothing new")
	}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, c := range []convCase{{1, 8, 8, 512, 3, 3, 64, same, byWinograd}, {4, 16, 16, 64, 3, 3, 64, same, byWinograd}} {
		for _, positive := range []bool{false, true} {
			force(t, c)
			g := c.geometry(t)
			in := inputs[float32]{convInput[float32](c, 1), convFilter[float32](c, 2)}
			if positive {
				relu(in.f(0), in.f(0))
			}
			want := reference(t, &op.Conv2D{ConvAttrs: c.a}, in)
			tol := numtest.Tol(dtype[float32](), numtest.Reduction)
			most := 0.
			for _, v := range want {
				most = max(most, abs(v))
			}
			withEnv(t, func(t *testing.T, e Env[float32]) {
				k, err := NewConv2D[float32](e, g, ConvOptions{})
				require.NoError(t, err)
				k.SetScratch(make([]float32, k.Workspace()))
				y := make([]float32, len(want))
				k.Run(y, in.f(0), in.f(1), nil, nil)
				worst := 0.
				for i, v := range want {
					worst = max(worst, abs(float64(y[i])-v)/(tol.Rel*abs(v)+tol.Norm*most))
				}
				t.Logf("%v, positive %t, %v: at most %.2f of the tolerance", c, positive, e.Gemm.Level(), worst)
				require.Less(t, worst, 0.8)
			})
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// NaN among the inner pixels of a tile reaches all its outputs, on its border the outputs next to it, and no other tile's.
func TestWinogradNaN(t *testing.T) {
	c := convCase{1, 12, 12, 4, 3, 3, 5, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, byWinograd}
	force(t, c)
	g := c.geometry(t)
	x, w := convInput[float32](c, 1).Data.([]float32), convFilter[float32](c, 2).Data.([]float32)
	x[(4*12+6)*4+1] = nan[float32]() // the pixel (4, 6): the last row of tile 0 down, inside of 1, inside of 1 across
	withEnv(t, func(t *testing.T, e Env[float32]) {
		k, err := NewConv2D[float32](e, g, ConvOptions{ReLU: true})
		require.NoError(t, err)
		require.Equal(t, byWinograd, k.Way())
		k.SetScratch(make([]float32, k.Workspace()))
		y := make([]float32, 12*12*5)
		k.Run(y, x, w, nil, nil)
		for i, v := range y {
			row, across := i/5/12, i/5%12/winograd.Side
			require.Equal(t, row >= 3 && row < 8 && across == 1, v != v, "output %d", i)
		}
	})
}
