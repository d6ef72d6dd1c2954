package op

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Integers of floats are those of TensorFlow's cast, on Gorgonia's machine too.
func TestTruncate(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := gorgonia.NewGraph()
		x := feed(g, "x", as(t, dt, Array{tensor.Shape{2, 3}, []float64{0, 1.9, -1.9, 2, 1 << 20, -0.5}}))
		y, err := Of(x).Apply(&Truncate{}).Node()
		require.NoError(t, err)
		got := stock(t, g, y)[0]
		require.Equal(t, []int{0, 1, -1, 2, 1 << 20, 0}, got.Data)
		_, err = gorgonia.Grad(x, y)
		require.Error(t, err)
	}
}

// What is drawn is a function of seed, stream, step and the element alone.
func TestRandomDependsOnItsAttributes(t *testing.T) {
	draw := func(o *Random, step int) []float64 {
		o.Shape = tensor.Shape{101}
		return reference(t, o, ones(1), integer(step)).Data.([]float64)
	}
	base := draw(&Random{From: Gaussian, B: 1, Seed: 1, Stream: 2}, 3)
	require.Equal(t, base, draw(&Random{From: Gaussian, B: 1, Seed: 1, Stream: 2}, 3))
	for _, other := range [][]float64{draw(&Random{From: Gaussian, B: 1, Seed: 2, Stream: 2}, 3), draw(&Random{From: Gaussian, B: 1, Seed: 1, Stream: 3}, 3),
		draw(&Random{From: Gaussian, B: 1, Seed: 1, Stream: 2}, 4)} {
		for i := range base {
			require.NotEqual(t, base[i], other[i])
		}
	}
	for i, v := range draw(&Random{From: Gaussian, A: 5, B: 2, Seed: 1, Stream: 2}, 3) {
		require.InDelta(t, 5+2*base[i], v, 1e-14)
	}
}
