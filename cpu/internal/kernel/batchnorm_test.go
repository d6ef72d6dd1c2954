package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func TestBatchNorm(t *testing.T) { bothTypes(t, testBatchNorm[float32], testBatchNorm[float64]) }

func testBatchNorm[T Float](t *testing.T) {
	const epsilon = 1e-3
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		in := inputs[T]{normal[T](1, dims...), normal[T](2, c.C), normal[T](3, c.C), normal[T](4, c.C), positive[T](5, c.C), normal[T](6, dims...)}
		farFromZero(c, in.f(0), in.f(3))
		for _, add := range []bool{false, true} {
			for _, relu := range []bool{false, true} {
				y := reference(t, &op.BatchNorm{Axis: axis, Epsilon: epsilon}, in[:5])
				for i := range y {
					if add {
						y[i] += float64(in.f(5)[i])
					}
					if relu {
						y[i] = max(y[i], 0)
					}
				}
				verify(t, in, []result{{y, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
					k, err := NewBatchNorm[T](e.Pool, c, epsilon, relu)
					return prepared[T]{k, func(out [][]T, in inputs[T]) {
						var z []T
						if add {
							z = in.f(5)
						}
						k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), z)
					}}, err
				})
			}
		}
	})
}

func TestBatchNormBackward(t *testing.T) {
	bothTypes(t, testBatchNormBackward[float32], testBatchNormBackward[float64])
}

func testBatchNormBackward[T Float](t *testing.T) {
	const epsilon = 1e-3
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		// x, gamma, mean, variance, dy, y
		in := inputs[T]{normal[T](1, dims...), normal[T](2, c.C), normal[T](3, c.C), positive[T](4, c.C), normal[T](5, dims...), special[T](normal[T](6, dims...))}
		farFromZero(c, in.f(0), in.f(2))
		for _, relu := range []bool{false, true} {
			masked := in[4]
			if relu {
				masked = op.Array{Shape: in[4].Shape, Data: narrow[T](reference(t, &op.ReLUGrad{}, inputs[T]{in[5], in[4]}))}
			}
			y := func(in inputs[T]) []T {
				if relu {
					return in.f(5)
				}
				return nil
			}
			dgamma := reference(t, &op.BatchNormGradScale{Axis: axis, Epsilon: epsilon}, inputs[T]{in[0], in[2], in[3], masked})
			dbeta := reference(t, &op.BiasGrad{Axis: axis}, inputs[T]{masked})
			verify(t, in, []result{{dgamma, numtest.Reduction}, {dbeta, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
				k, err := NewBatchNormSums[T](e.Pool, c, epsilon)
				return prepared[T]{k, func(out [][]T, in inputs[T]) {
					k.Run(out[0], out[1], in.f(0), in.f(2), in.f(3), in.f(4), y(in))
				}}, err
			})

			sums := inputs[T]{{Shape: tensor.Shape{c.C}, Data: narrow[T](dgamma)}, {Shape: tensor.Shape{c.C}, Data: narrow[T](dbeta)}}
			all := append(append(inputs[T]{}, in...), sums...)
			dx := reference(t, &op.BatchNormGradInput{Axis: axis, Epsilon: epsilon}, inputs[T]{in[0], in[1], in[2], in[3], masked, sums[0], sums[1]})
			inference := reference(t, &op.BatchNormInferenceGradInput{Axis: axis, Epsilon: epsilon}, inputs[T]{in[1], in[3], masked})
			verify(t, all, []result{{dx, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
				k, err := NewBatchNormGradInput[T](e.Pool, c, epsilon)
				return prepared[T]{k, func(out [][]T, in inputs[T]) {
					k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), in.f(6), in.f(7), y(in))
				}}, err
			})
			verify(t, all, []result{{inference, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
				k, err := NewBatchNormInferenceGradInput[T](e.Pool, c, epsilon)
				return prepared[T]{k, func(out [][]T, in inputs[T]) {
					k.Run(out[0], nil, in.f(1), nil, in.f(3), in.f(4), nil, nil, y(in))
				}}, err
			})
		}
	})
}

func TestBatchNormReLUBackward(t *testing.T) {
	bothTypes(t, testBatchNormReLUBackward[float32], testBatchNormReLUBackward[float64])
}

func testBatchNormReLUBackward[T Float](t *testing.T) {
	const epsilon = 1e-3
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		// x, gamma, beta, mean, variance, dy, dgamma, dbeta
		in := inputs[T]{normal[T](1, dims...), normal[T](2, c.C), normal[T](3, c.C), normal[T](4, c.C), positive[T](5, c.C),
			normal[T](6, dims...), normal[T](7, c.C), normal[T](8, c.C)}
		farFromZero(c, in.f(0), in.f(3))
		y := reference(t, &op.BatchNorm{Axis: axis, Epsilon: epsilon}, in[:5])
		masked := append([]T(nil), in.f(5)...)
		for i, v := range y {
			if math.Abs(v) < 1e-3 { // rounding may turn it over
				in.f(5)[i] = 0
			}
			if v <= 0 || in.f(5)[i] == 0 {
				masked[i] = 0
			}
		}
		dy := op.Array{Shape: in[5].Shape, Data: masked}
		dgamma := reference(t, &op.BatchNormGradScale{Axis: axis, Epsilon: epsilon}, inputs[T]{in[0], in[3], in[4], dy})
		dbeta := reference(t, &op.BiasGrad{Axis: axis}, inputs[T]{dy})
		verify(t, in, []result{{dgamma, numtest.Reduction}, {dbeta, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchNormSums[T](e.Pool, c, epsilon)
			return prepared[T]{k, func(out [][]T, in inputs[T]) {
				k.RunReLU(out[0], out[1], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), in.f(5))
			}}, err
		})
		dx := reference(t, &op.BatchNormGradInput{Axis: axis, Epsilon: epsilon}, inputs[T]{in[0], in[1], in[3], in[4], dy, in[6], in[7]})
		verify(t, in, []result{{dx, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchNormGradInput[T](e.Pool, c, epsilon)
			return prepared[T]{k, func(out [][]T, in inputs[T]) {
				k.RunReLU(out[0], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), in.f(5), in.f(6), in.f(7))
			}}, err
		})
	})
}

func TestBatchNormJoin(t *testing.T) {
	bothTypes(t, testBatchNormJoin[float32], testBatchNormJoin[float64])
}

func testBatchNormJoin[T Float](t *testing.T) {
	const epsilon = 1e-3
	eachChannelCase(t, func(t *testing.T, dims []int, axis int, c Channels) {
		// x, mean, variance, a, b, y
		in := inputs[T]{normal[T](1, dims...), normal[T](2, c.C), positive[T](3, c.C), normal[T](4, dims...), normal[T](5, dims...), special[T](normal[T](6, dims...))}
		farFromZero(c, in.f(0), in.f(1))
		sum := op.Array{Shape: in[3].Shape, Data: narrow[T](reference(t, &op.Add{}, in[3:5]))}
		masked := reference(t, &op.ReLUGrad{}, inputs[T]{in[5], sum})
		dy := op.Array{Shape: in[3].Shape, Data: narrow[T](masked)}
		dgamma := reference(t, &op.BatchNormGradScale{Axis: axis, Epsilon: epsilon}, inputs[T]{in[0], in[1], in[2], dy})
		dbeta := reference(t, &op.BiasGrad{Axis: axis}, inputs[T]{dy})
		verify(t, in, []result{{dgamma, numtest.Reduction}, {dbeta, numtest.Reduction}, {masked, numtest.Elementwise}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewBatchNormSums[T](e.Pool, c, epsilon)
			return prepared[T]{k, func(out [][]T, in inputs[T]) {
				k.RunJoin(out[0], out[1], out[2], in.f(0), in.f(1), in.f(2), in.f(3), in.f(4), in.f(5))
			}}, err
		})
	})
}

// A ReLU's zeros are the same whether they are found from its result or from the batch norm's input, bit by bit.
func TestBatchNormMasksAgree(t *testing.T) {
	bothTypes(t, testBatchNormMasksAgree[float32], testBatchNormMasksAgree[float64])
}

func testBatchNormMasksAgree[T Float](t *testing.T) {
	for _, c := range []Channels{{500, 40, 1}, {60, 300, 1}, {4, 30, 50}} {
		n := c.Len()
		x, gamma, mean, variance := normal[T](1, n), normal[T](2, c.C), normal[T](3, c.C), positive[T](4, c.C)
		in := inputs[T]{x, gamma, mean, variance}
		beta := make([]T, c.C) // many elements at the very edge: x is the mean
		for i := range n {
			if i%3 == 0 {
				in.f(0)[i] = in.f(2)[i/c.Inner%c.C]
			}
			if i < c.C && i%2 == 0 {
				beta[i] = T(1e-30)
			}
		}
		withEnv(t, func(t *testing.T, e Env[T]) {
			y, dx, again := make([]T, n), make([]T, n), make([]T, n)
			dy := normal[T](5, n).Data.([]T)
			bn, err := NewBatchNorm[T](e.Pool, c, 1e-3, true)
			require.NoError(t, err)
			bn.SetScratch(make([]T, bn.Workspace()))
			bn.Run(y, in.f(0), in.f(1), beta, in.f(2), in.f(3), nil)
			k, err := NewBatchNormGradInput[T](e.Pool, c, 1e-3)
			require.NoError(t, err)
			k.SetScratch(make([]T, k.Workspace()))
			zero := make([]T, c.C)
			k.Run(dx, in.f(0), in.f(1), in.f(2), in.f(3), dy, zero, zero, y)
			k.RunReLU(again, in.f(0), in.f(1), beta, in.f(2), in.f(3), dy, zero, zero)
			require.True(t, sameBits(dx, again))
		})
	}
}
