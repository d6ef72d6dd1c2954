package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var sizes = []int{1, 7, 16, 100, 1023, 3*grain + 5}

// special puts NaN, infinities and zeros among the first elements.
func special[T Float](a op.Array) op.Array {
	x := a.Data.([]T)
	for i, v := range []T{nan[T](), T(math.Inf(1)), T(math.Inf(-1)), 0, T(math.Copysign(0, -1))} {
		if i+1 < len(x) {
			x[i+1] = v
		}
	}
	return a
}

func TestElementwise(t *testing.T) { bothTypes(t, testElementwise[float32], testElementwise[float64]) }

func testElementwise[T Float](t *testing.T) {
	unary := func(f func(e Env[T], n int) (*Unary[T], error)) func(n int) func(e Env[T]) (prepared[T], error) {
		return func(n int) func(e Env[T]) (prepared[T], error) {
			return func(e Env[T]) (prepared[T], error) {
				k, err := f(e, n)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
			}
		}
	}
	binary := func(f func(e Env[T], n int) (*Binary[T], error)) func(n int) func(e Env[T]) (prepared[T], error) {
		return func(n int) func(e Env[T]) (prepared[T], error) {
			return func(e Env[T]) (prepared[T], error) {
				k, err := f(e, n)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			}
		}
	}
	times := func(f func(e Env[T], n int) (*ScalarTimes[T], error), one bool) func(n int) func(e Env[T]) (prepared[T], error) {
		return func(n int) func(e Env[T]) (prepared[T], error) {
			return func(e Env[T]) (prepared[T], error) {
				k, err := f(e, n)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) {
					if one {
						k.Run(out[0], nil, in.f(0), in.f(1)[0])
					} else {
						k.Run(out[0], in.f(0), in.f(1), in.f(2)[0])
					}
				}}, err
			}
		}
	}
	combine := func(f func(e Env[T], n int) (*Combine[T], error)) func(n int) func(e Env[T]) (prepared[T], error) {
		return func(n int) func(e Env[T]) (prepared[T], error) {
			return func(e Env[T]) (prepared[T], error) {
				k, err := f(e, n)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			}
		}
	}
	a := func(n int) op.Array { return special[T](normal[T](1, n)) }
	b := func(n int) op.Array { return normal[T](2, n) }
	for _, c := range []struct {
		o     op.Op
		in    func(n int) inputs[T]
		build func(n int) func(e Env[T]) (prepared[T], error)
	}{
		{&op.ReLU{}, func(n int) inputs[T] { return inputs[T]{a(n)} }, unary(func(e Env[T], n int) (*Unary[T], error) { return NewReLU[T](e.Pool, n) })},
		{&op.Scale{Factor: -2.5}, func(n int) inputs[T] { return inputs[T]{a(n)} }, unary(func(e Env[T], n int) (*Unary[T], error) { return NewScale[T](e.Pool, n, -2.5) })},
		{&op.ReLUGrad{}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, binary(func(e Env[T], n int) (*Binary[T], error) { return NewReLUGrad[T](e.Pool, n) })},
		{&op.Add{}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, binary(func(e Env[T], n int) (*Binary[T], error) { return NewAdd[T](e.Pool, n) })},
		{&op.Mul{}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, binary(func(e Env[T], n int) (*Binary[T], error) { return NewMul[T](e.Pool, n) })},
		{&op.WeightDecay{Rate: 0.3}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, combine(func(e Env[T], n int) (*Combine[T], error) { return NewCombine[T](e.Pool, n, 1, 0.3) })},
		{&op.MovingAverage{Momentum: 0.9, Factor: 1.5}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} },
			combine(func(e Env[T], n int) (*Combine[T], error) { return NewCombine[T](e.Pool, n, 0.9, 0.1*1.5) })},
		{&op.AdamMean{Beta: 0.9}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, combine(func(e Env[T], n int) (*Combine[T], error) { return NewCombine[T](e.Pool, n, 0.9, 1-0.9) })},
		{&op.AdamSquare{Beta: 0.75}, func(n int) inputs[T] { return inputs[T]{a(n), b(n)} }, combine(func(e Env[T], n int) (*Combine[T], error) { return NewCombineSquare[T](e.Pool, n, 0.75, 1-0.75) })},
		{&op.L2PenaltyGrad{Lambda: 0.01}, func(n int) inputs[T] { return inputs[T]{a(n), scalar[T](3)} }, times(func(e Env[T], n int) (*ScalarTimes[T], error) { return NewScaleBy[T](e.Pool, n, 0.02) }, true)},
		{&op.Descend{}, func(n int) inputs[T] { return inputs[T]{a(n), b(n), scalar[T](0.1)} }, times(func(e Env[T], n int) (*ScalarTimes[T], error) { return NewAddScaled[T](e.Pool, n, -1) }, false)},
	} {
		t.Run(c.o.Kind(), func(t *testing.T) {
			for _, n := range sizes {
				// Sums of terms of opposite sign are small by cancellation: Norm, as of reductions, is the right measure.
				against(t, c.o, numtest.Reduction, c.in(n), c.build(n))
			}
		})
	}
	_, err := NewReLU[T](nil, 0)
	require.ErrorContains(t, err, "ReLU of 0 elements")
	_, err = NewAdd[T](nil, -1)
	require.ErrorContains(t, err, "Add of -1 elements")
}

func narrow[T Float](x []float64) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

func TestFill(t *testing.T) { bothTypes(t, testFill[float32], testFill[float64]) }

func testFill[T Float](t *testing.T) {
	for _, v := range []T{0, 0.25, nan[T]()} {
		in := inputs[T]{scalar[T](v)}
		against(t, &op.SumGrad{Shape: tensor.Shape{3, 700}}, numtest.Elementwise, in, func(e Env[T]) (prepared[T], error) {
			k, err := NewFill[T](e.Pool, 2100)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)[0]) }}, err
		})
	}
}

func TestReductions(t *testing.T) { bothTypes(t, testReductions[float32], testReductions[float64]) }

func testReductions[T Float](t *testing.T) {
	for _, n := range sizes {
		x := normal[T](1, n)
		for i := range x.Data.([]T) {
			x.Data.([]T)[i] += 3
		}
		for _, c := range []struct {
			o     op.Op
			build func(e Env[T]) (*Reduction[T], error)
		}{
			{&op.Sum{}, func(e Env[T]) (*Reduction[T], error) { return NewSum[T](e.Pool, n) }},
			{&op.Mean{}, func(e Env[T]) (*Reduction[T], error) { return NewMean[T](e.Pool, n) }},
			{&op.L2Penalty{Lambda: 0.25}, func(e Env[T]) (*Reduction[T], error) { return NewL2Penalty[T](e.Pool, n, 0.25) }},
		} {
			for _, x := range []op.Array{x, {Shape: x.Shape, Data: append([]T{nan[T]()}, x.Data.([]T)[1:]...)}} {
				against(t, c.o, numtest.Elementwise, inputs[T]{x}, func(e Env[T]) (prepared[T], error) {
					k, err := c.build(e)
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { out[0][0] = k.Run(in.f(0)) }}, err
				})
			}
		}
	}
}

func TestDropout(t *testing.T) { bothTypes(t, testDropout[float32], testDropout[float64]) }

func testDropout[T Float](t *testing.T) {
	for _, n := range sizes {
		for _, rate := range []float64{0, 0.3, 0.5} {
			in := inputs[T]{special[T](normal[T](1, n)), {Shape: tensor.ScalarShape(), Data: []int{1<<33 + 5}}}
			o := &op.Dropout{Rate: rate, Seed: 0x123456789abcdef, Stream: 4}
			against(t, o, numtest.Elementwise, in, func(e Env[T]) (prepared[T], error) {
				k, err := NewDropout[T](e.Pool, n, rate, o.Seed, o.Stream)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.n(1)[0]) }}, err
			})
		}
	}
	for _, rate := range []float64{-0.1, 1, math.NaN()} {
		_, err := NewDropout[T](nil, 4, rate, 1, 1)
		require.ErrorContains(t, err, "rate")
	}
}
