package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// watchFrom lets statistics be gathered from results of n elements on.
func watchFrom(t *testing.T, n int) {
	before := watchedLen
	watchedLen = n
	t.Cleanup(func() { watchedLen = before })
}

// Convolutions of all ways with the statistics of their channels: gathered where the way can, else in a sweep.
func TestConv2DStats(t *testing.T) {
	products(t, testConv2DStats[float32], testConv2DStats[float64])
}

func testConv2DStats[T Float](t *testing.T) {
	watchFrom(t, 1)
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	cases := append(convCases(),
		convCase{4, 13, 11, 9, 1, 1, 40, op.ConvAttrs{}, ""},   // blocks of rows, and one that is not full
		convCase{3, 20, 24, 5, 1, 1, 33, op.ConvAttrs{}, ""},   // full ones alone
		convCase{1, 31, 33, 3, 3, 3, 300, same, byPatches},     // more columns than are packed at a time
		convCase{1, 1, 1, 20, 1, 1, 7, op.ConvAttrs{}, byGemm}, // one row
	)
	for i, c := range cases {
		few := i%3 == 0 || i >= len(cases)-4 // they differ in how a convolution is computed, which other tests see
		if testing.Short() && !few || !inShare[T](i/3) {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			force(t, c)
			g := c.geometry(t)
			in := inputs[T]{convInput[T](c, 1), convFilter[T](c, 2), normal[T](3, c.f)}
			y := finished(g, ConvOptions{Bias: true}, reference(t, &op.Conv2D{ConvAttrs: c.a}, in[:2]), in.f(2), nil)
			mean, variance := momentsOf(g, y)
			want := []result{{y, numtest.Reduction}, {mean, numtest.Reduction}, {variance, numtest.Reduction}}
			verify(t, in, want, func(e Env[T]) (prepared[T], error) {
				k, err := NewConv2DStats[T](e, g, ConvOptions{Bias: true})
				if err != nil {
					return prepared[T]{}, err
				}
				way := k.conv.Way()
				require.Equal(t, g.Format == shape.NHWC && (g.Groups == 1 && (way == byGemm || way == byPatches) || way == byDepth), k.watched, way)
				return prepared[T]{k, func(out [][]T, in inputs[T]) { k.Run(out[1], out[2], out[0], in.f(0), in.f(1), in.f(2)) }}, nil
			})
		})
	}
}

// momentsOf are mean and variance of the channels of a convolution's result.
func momentsOf(g op.ConvGeometry, y []float64) (mean, variance []float64) {
	inner := 1
	if g.Format == shape.NCHW {
		inner = g.H.Out * g.W.Out
	}
	n := float64(len(y) / g.F)
	mean, variance = make([]float64, g.F), make([]float64, g.F)
	for i, v := range y {
		mean[i/inner%g.F] += v / n
	}
	for i, v := range y {
		d := v - mean[i/inner%g.F]
		variance[i/inner%g.F] += d * d / n
	}
	return mean, variance
}

// A large mean does not swallow a small variance, nor does an outlier, and either result may be unwanted.
func TestConv2DStatsCancellation(t *testing.T) {
	watchFrom(t, 1)
	g := convCase{1, 40, 50, 1, 1, 1, 2, op.ConvAttrs{}, ""}.geometry(t)
	x := normal[float32](1, g.Input()...).Data.([]float32)
	for i := range x {
		x[i] = 1000 + x[i]/64
	}
	x[0] = -3000
	var y []float64
	for _, v := range x {
		y = append(y, float64(v), -float64(v))
	}
	mean, variance := momentsOf(g, y)
	withEnv(t, func(t *testing.T, e Env[float32]) {
		k, err := NewConv2DStats[float32](e, g, ConvOptions{})
		require.NoError(t, err)
		require.True(t, k.watched)
		k.SetScratch(make([]float32, k.Workspace()))
		m, v, out := make([]float32, 2), make([]float32, 2), make([]float32, len(y))
		k.Run(m, nil, out, x, []float32{1, -1}, nil)
		k.Run(nil, v, out, x, []float32{1, -1}, nil)
		for i := range m {
			require.InEpsilon(t, mean[i], m[i], 1e-6)
			require.InEpsilon(t, variance[i], v[i], 1e-5)
		}
		out[0] = float32(math.NaN())
		x[7] = float32(math.NaN())
		k.Run(m, v, out, x, []float32{1, -1}, nil)
		require.True(t, m[0] != m[0] && v[1] != v[1], "NaN stays")
		x[7] = 1000
	})
}

func TestConv2DStatsErrors(t *testing.T) {
	e := Env[float32]{}
	_, err := NewConv2DStats[float32](e, op.ConvGeometry{}, ConvOptions{})
	require.ErrorContains(t, err, "not the geometry of a convolution")
}
