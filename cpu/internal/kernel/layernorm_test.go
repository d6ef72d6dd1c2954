package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestLayerNorm(t *testing.T) { bothTypes(t, testLayerNorm[float32], testLayerNorm[float64]) }

// All results equal the references, for all instruction sets and numbers of workers, and do not depend on these.
func testLayerNorm[T Float](t *testing.T) {
	const epsilon = 1e-3
	for _, s := range [][2]int{{1, 1}, {1, 7}, {5, 1}, {3, 16}, {9, 33}, {700, 20}, {37, 384}, {300, 96}, {2, 2500}} {
		rows, c := s[0], s[1]
		of := func(seed uint64) op.Array {
			return op.Array{Shape: tensor.Shape{rows, c}, Data: normal[T](seed, rows*c).Data.([]T)}
		}
		vector := func(seed uint64) op.Array {
			return op.Array{Shape: tensor.Shape{c}, Data: normal[T](seed, c).Data.([]T)}
		}
		x, dy, z, scale, shift := of(1), of(2), of(3), vector(4), vector(5)
		reference := func(o op.Op, in ...op.Array) []T {
			shapes := make([]tensor.Shape, len(in))
			for i, a := range in {
				shapes[i] = a.Shape
			}
			s, err := o.Infer(shapes)
			require.NoError(t, err)
			out, err := op.NewArray(x.Dtype(), s)
			require.NoError(t, err)
			require.NoError(t, o.Reference(out, in))
			return out.Data.([]T)
		}
		y := reference(&op.LayerNorm{Epsilon: epsilon}, x, scale, shift)
		plain := reference(&op.LayerNorm{Epsilon: epsilon, NoScale: true, NoShift: true}, x)
		dx := reference(&op.LayerNormGrad{Epsilon: epsilon}, x, scale, dy)
		dplain := reference(&op.LayerNormGrad{Epsilon: epsilon, NoScale: true}, x, dy)
		dscale := reference(&op.LayerNormGradScale{Epsilon: epsilon}, x, dy)
		dshift := reference(&op.BiasGrad{Axis: -1}, dy)
		sum := reference(&op.Add{}, op.Array{Shape: x.Shape, Data: dx}, z)
		data := func(a op.Array) []T { return a.Data.([]T) }
		var bits map[string][]T
		level := ops[T]().Level()
		withEnv(t, func(t *testing.T, e Env[T]) {
			if bits == nil || ops[T]().Level() != level {
				bits, level = map[string][]T{}, ops[T]().Level()
			}
			check := func(name string, want, got []T) {
				t.Helper()
				numtest.AssertClose(t, want, got, numtest.Tol(dtype[T](), numtest.Gradient), fmt.Sprintf("%s of %v", name, s))
				if before, ok := bits[name]; ok {
					require.True(t, sameBits(before, got), "%s of %v depends on the number of workers", name, s)
				}
				bits[name] = append([]T(nil), got...)
			}
			k, err := NewLayerNorm[T](e.Pool, rows, c, epsilon)
			require.NoError(t, err)
			got, guard := guarded[T](rows * c)
			k.Run(got, data(x), data(scale), data(shift))
			guard(t)
			check("y", y, got)
			k.Run(got, data(x), nil, nil)
			check("y without scale and shift", plain, got)
			copy(got, data(x))
			k.Run(got, got, data(scale), data(shift))
			check("y", y, got) // in place
			g, err := NewLayerNormGrad[T](e.Pool, rows, c, epsilon)
			require.NoError(t, err)
			g.SetScratch(dirty[T](g.Workspace()))
			ds, guardScale := guarded[T](c)
			db, guardShift := guarded[T](c)
			g.Run(got, ds, db, data(x), data(scale), data(dy), data(z))
			guard(t)
			guardScale(t)
			guardShift(t)
			check("dx + z", sum, got)
			check("dscale", dscale, ds)
			check("dshift", dshift, db)
			g.Run(nil, ds, nil, data(x), nil, data(dy), nil)
			check("dscale", dscale, ds)
			g.Run(got, nil, nil, data(x), data(scale), data(dy), nil)
			check("dx", dx, got)
			g.Run(got, nil, db, data(x), nil, data(dy), nil)
			check("dx without scale", dplain, got)
			for i, over := range []op.Array{x, dy, z} { // in the memory of each
				in := [3][]T{data(x), data(dy), data(z)}
				copy(got, data(over))
				in[i] = got
				g.Run(got, ds, db, in[0], data(scale), in[1], in[2])
				check("dx + z", sum, got)
				check("dscale", dscale, ds)
			}
		})
	}
	_, err := NewLayerNorm[T](nil, 0, 3, 0)
	require.ErrorContains(t, err, "0 rows of 3 elements")
	_, err = NewLayerNormGrad[T](nil, 3, 0, 0)
	require.ErrorContains(t, err, "3 rows of 0 elements")
}

func dirty[T Float](n int) []T {
	x := make([]T, n)
	spread(x, nan[T]())
	return x
}

// Rows far from 0 keep their digits: what the mean loses by being rounded is taken off, too.
func TestLayerNormFarFromZero(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		const c = 777
		x, y, wide := make([]float32, c), make([]float32, c), make([]float64, c)
		for i := range x {
			x[i] = 30000 + float32(i%5)/512
			wide[i] = float64(x[i])
		}
		mean, variance := 0.0, 0.0
		for _, v := range wide {
			mean += v / c
		}
		for _, v := range wide {
			variance += (v - mean) * (v - mean) / c
		}
		k, err := NewLayerNorm[float32](e.Pool, 1, c, 1e-9)
		require.NoError(t, err)
		k.Run(y, x, nil, nil)
		for i, v := range wide {
			require.InDelta(t, (v-mean)/math.Sqrt(variance+1e-9), float64(y[i]), 1e-5, "element %d, %v", i, ops[float32]().Level())
		}
	})
}

// NaN and infinity spoil their row and no other, forwards and backwards.
func TestLayerNormSpoiledRows(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		const rows, c = 5, 37
		for _, bad := range []float32{nan[float32](), float32(math.Inf(1)), float32(math.Inf(-1))} {
			x, y := normal[float32](1, rows*c).Data.([]float32), make([]float32, rows*c)
			x[2*c+3] = bad
			k, err := NewLayerNorm[float32](e.Pool, rows, c, 1e-3)
			require.NoError(t, err)
			k.Run(y, x, nil, nil)
			g, err := NewLayerNormGrad[float32](e.Pool, rows, c, 1e-3)
			require.NoError(t, err)
			g.SetScratch(make([]float32, g.Workspace()))
			dx, dscale, dy := make([]float32, rows*c), make([]float32, c), normal[float32](2, rows*c).Data.([]float32)
			g.Run(dx, dscale, nil, x, nil, dy, nil)
			for i := range x {
				require.Equal(t, i/c == 2, y[i] != y[i], "element %d of y is %v", i, y[i])
				require.Equal(t, i/c == 2, dx[i] != dx[i], "element %d of dx is %v", i, dx[i])
			}
			require.True(t, dscale[0] != dscale[0])
		}
	})
}
