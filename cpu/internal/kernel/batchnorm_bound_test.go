package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// A batch norm with a ReLU that has a bound, against references, with a residual and without.
func TestBatchNormBound(t *testing.T) {
	bothTypes(t, testBatchNormBound[float32], testBatchNormBound[float64])
}

func testBatchNormBound[T Float](t *testing.T) {
	const epsilon, most = 1e-3, 0.75
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		in := inputs[T]{normal[T](1, dims...), normal[T](2, c.C), normal[T](3, c.C), normal[T](4, c.C), positive[T](5, c.C), normal[T](6, dims...)}
		farFromZero(c, in.f(0), in.f(3))
		for _, add := range []bool{false, true} {
			y := reference(t, &op.BatchNorm{Axis: axis, Epsilon: epsilon}, in[:5])
			for i := range y {
				if add {
					y[i] += float64(in.f(5)[i])
				}
				y[i] = min(max(y[i], 0), most)
			}
			verify(t, in, []result{{y, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
				k, err := NewBatchNorm[T](e.Pool, c, epsilon, true)
				if err == nil {
					k.Bound(most)
				}
				return prepared[T]{k, func(out [][]T, in inputs[T]) {
					var z []T
					if add {
						z = in.f(5)
					}
					k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), z)
				}}, err
			})
		}
	})
}

// What a bound gives, forward and backward, has the bits of the steps that it stands for: the minimum, and the mask 1 − (most ≤ y) of the
// gradient, which is 0 where the ReLU gives the bound exactly. That is so for NaN and infinities too.
func TestBatchNormBoundIsExact(t *testing.T) {
	bothTypes(t, testBatchNormBoundIsExact[float32], testBatchNormBoundIsExact[float64])
}

func testBatchNormBoundIsExact[T Float](t *testing.T) {
	const epsilon = 1e-3
	r, n := ir.Register, ir.Number
	eachChannelCase(t, func(t *testing.T, dims []int, _ int, c Channels) {
		x, dy := normal[T](1, dims...).Data.([]T), normal[T](6, dims...).Data.([]T)
		gamma, beta, mean := normal[T](2, c.C).Data.([]T), normal[T](3, c.C).Data.([]T), normal[T](4, c.C).Data.([]T)
		variance, dgamma, dbeta := positive[T](5, c.C).Data.([]T), normal[T](7, c.C).Data.([]T), normal[T](8, c.C).Data.([]T)
		for _, marks := range []bool{false, true} {
			if marks {
				marked(x)
				marked(dy[len(dy)/2:])
			}
			withEnv(t, func(t *testing.T, e Env[T]) {
				norm := func(most float64) []T {
					k, err := NewBatchNorm[T](e.Pool, c, epsilon, true)
					require.NoError(t, err)
					if most != 0 {
						k.Bound(most)
					}
					k.SetScratch(make([]T, k.Workspace()))
					y := make([]T, len(x))
					k.Run(y, x, gamma, beta, mean, variance, nil)
					return y
				}
				relu := norm(0)
				most := 0.5
				for _, v := range relu {
					if v > 0.1 && !math.IsInf(float64(v), 1) { // reached exactly
						most = float64(v)
						break
					}
				}
				lowest := &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply2(ir.Min, n(most), r(0))}, Results: []int{1}}
				require.True(t, sameBits(behind(t, e, lowest, relu), norm(most)), "forward")
				below := behind(t, e, &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply2(ir.Lte, n(most), r(0)), ir.Apply2(ir.Sub, n(1), r(1))}, Results: []int{2}}, relu)
				masked := make([]T, len(dy))
				reluGrad(masked, below, dy)

				s, err := NewBatchNormSums[T](e.Pool, c, epsilon)
				require.NoError(t, err)
				s.SetScratch(make([]T, s.Workspace()))
				a, b, p, q := make([]T, c.C), make([]T, c.C), make([]T, c.C), make([]T, c.C)
				s.RunReLU(a, b, x, gamma, beta, mean, variance, masked)
				s.RunBound(p, q, x, gamma, beta, mean, variance, dy, T(most))
				require.True(t, sameBits(a, p) && sameBits(b, q), "sums")

				g, err := NewBatchNormGradInput[T](e.Pool, c, epsilon)
				require.NoError(t, err)
				g.SetScratch(make([]T, g.Workspace()))
				dx, dz := make([]T, len(x)), make([]T, len(x))
				g.RunReLU(dx, x, gamma, beta, mean, variance, masked, dgamma, dbeta)
				g.RunBound(dz, x, gamma, beta, mean, variance, dy, dgamma, dbeta, T(most))
				require.True(t, sameBits(dx, dz), "gradient of x")
			})
		}
	})
}
