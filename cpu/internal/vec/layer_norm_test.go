package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLayerNormRows(t *testing.T) {
	bothTypes(t, testLayerNormRows[float32], testLayerNormRows[float64])
}

func largest[T Float]() T {
	if _, ok := any(T(0)).(float64); ok {
		return T(math.Ldexp(1, 1023))
	}
	return T(math.Ldexp(1, 127))
}

func testLayerNormRows[T Float](t *testing.T) {
	const mean, low, inverse, a, b = 0.25, 0.0625, 1.5, 0.375, -0.75
	forLevels(t, func(t *testing.T, o *Ops[T]) {
		rng := rand.New(rand.NewPCG(9, 2))
		for _, n := range append(upTo(140), sumBlock-1, sumBlock, sumBlock+1, 2*sumBlock+37) {
			row := func() []T {
				x, _ := guarded(t, random[T](rng, n))
				return x
			}
			x, dy, scale, shift, z := row(), row(), row(), row(), row()
			dst, check := guarded(t, make([]T, n))
			dscale, checkScale := guarded(t, random[T](rng, n))
			dshift, checkShift := guarded(t, random[T](rng, n))
			oldScale, oldShift := append([]T(nil), dscale...), append([]T(nil), dshift...)
			what := func(name string) string { return fmt.Sprintf("%s %d", name, n) }
			var sum, squares, total, dot, size float64
			for i, v := range x {
				d, g := float64(v)-mean, float64(dy[i])*float64(scale[i])
				u := (d - low) * inverse
				sum, squares, total, dot = sum+d, squares+d*d, total+g, dot+g*u
				size += math.Abs(d) + d*d + math.Abs(g) + math.Abs(g*u)
			}
			first, second := o.Moments(x, mean)
			near(t, what("Moments, sum"), sum, 4*size, T(first))
			near(t, what("Moments, squares"), squares, 4*size, T(second))
			o.NormRow(dst, x, scale, shift, mean, low, inverse)
			check()
			first, second = o.NormRowSums(dscale, dshift, dy, x, scale, mean, low, inverse)
			checkScale()
			checkShift()
			near(t, what("NormRowSums, total"), total, 4*size, T(first))
			near(t, what("NormRowSums, dot"), dot, 4*size, T(second))
			grad, checkGrad := guarded(t, make([]T, n))
			o.NormRowGrad(grad, dy, x, scale, nil, mean, low, inverse, a, b)
			checkGrad()
			more, checkMore := guarded(t, make([]T, n))
			o.NormRowGrad(more, dy, x, scale, z, mean, low, inverse, a, b)
			checkMore()
			for i, v := range x {
				d := float64(v) - mean - low
				u, g := d*inverse, float64(dy[i])
				near(t, what("NormRow"), u*float64(scale[i])+float64(shift[i]), 8, dst[i])
				near(t, what("dscale"), float64(oldScale[i])+g*u, 8, dscale[i])
				near(t, what("dshift"), float64(oldShift[i])+g, 8, dshift[i])
				dx := (g*float64(scale[i])-a)*inverse - d*b
				near(t, what("NormRowGrad"), dx, 8, grad[i])
				near(t, what("NormRowGrad, z"), dx+float64(z[i]), 8, more[i])
			}
			// A NaN anywhere spoils the sums; infinite means do not leave NaN where there is no element.
			if n > 0 {
				old := x[n/2]
				x[n/2] = nan[T]()
				first, second = o.Moments(x, mean)
				require.True(t, math.IsNaN(first) && math.IsNaN(second))
				x[n/2] = old
			}
			first, _ = o.Moments(x, T(math.Inf(1)))
			require.Equal(t, n == 0, !math.IsInf(first, -1), "%d of an infinite mean: %v", n, first)
			far := largest[T]() / 4
			for i := range x {
				x[i] = far
			}
			first, second = o.NormRowSums(dscale, dshift, dy, x, scale, far, 0, 16) // 16·(0 − far) is infinite
			near(t, what("NormRowSums far from 0, total"), total, 4*size, T(first))
			require.Zero(t, second, "NormRowSums %d far from 0", n)
		}
		require.Panics(t, func() { o.NormRow(make([]T, 2), make([]T, 3), make([]T, 2), make([]T, 2), 0, 0, 1) })
		require.Panics(t, func() { o.NormRowSums(make([]T, 2), make([]T, 2), make([]T, 2), make([]T, 2), make([]T, 3), 0, 0, 1) })
		require.Panics(t, func() {
			o.NormRowGrad(make([]T, 2), make([]T, 2), make([]T, 2), make([]T, 2), make([]T, 1), 0, 0, 1, 0, 0)
		})
	})
}
