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

var sizes = []int{1, 7, 16, 100, 1023, 3*grain + 5}

// special puts NaN, infinities and zeros among the first elements.
func special(a op.Array) op.Array {
	x := a.Data.([]float32)
	for i, v := range []float32{nan32, float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1))} {
		if i+1 < len(x) {
			x[i+1] = v
		}
	}
	return a
}

func TestElementwise(t *testing.T) {
	unary := func(f func(e Env, n int) (*Unary, error)) func(n int) func(e Env) (prepared, error) {
		return func(n int) func(e Env) (prepared, error) {
			return func(e Env) (prepared, error) {
				k, err := f(e, n)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)) }}, err
			}
		}
	}
	binary := func(f func(e Env, n int) (*Binary, error)) func(n int) func(e Env) (prepared, error) {
		return func(n int) func(e Env) (prepared, error) {
			return func(e Env) (prepared, error) {
				k, err := f(e, n)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			}
		}
	}
	times := func(f func(e Env, n int) (*ScalarTimes, error), one bool) func(n int) func(e Env) (prepared, error) {
		return func(n int) func(e Env) (prepared, error) {
			return func(e Env) (prepared, error) {
				k, err := f(e, n)
				return prepared{nil, func(out [][]float32, in inputs) {
					if one {
						k.Run(out[0], nil, in.f(0), in.f(1)[0])
					} else {
						k.Run(out[0], in.f(0), in.f(1), in.f(2)[0])
					}
				}}, err
			}
		}
	}
	combine := func(f func(e Env, n int) (*Combine, error)) func(n int) func(e Env) (prepared, error) {
		return func(n int) func(e Env) (prepared, error) {
			return func(e Env) (prepared, error) {
				k, err := f(e, n)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.f(1)) }}, err
			}
		}
	}
	a := func(n int) op.Array { return special(normal(1, n)) }
	b := func(n int) op.Array { return normal(2, n) }
	for _, c := range []struct {
		o     op.Op
		in    func(n int) inputs
		build func(n int) func(e Env) (prepared, error)
	}{
		{&op.ReLU{}, func(n int) inputs { return inputs{a(n)} }, unary(func(e Env, n int) (*Unary, error) { return NewReLU(e.Pool, n) })},
		{&op.Scale{Factor: -2.5}, func(n int) inputs { return inputs{a(n)} }, unary(func(e Env, n int) (*Unary, error) { return NewScale(e.Pool, n, -2.5) })},
		{&op.ReLUGrad{}, func(n int) inputs { return inputs{a(n), b(n)} }, binary(func(e Env, n int) (*Binary, error) { return NewReLUGrad(e.Pool, n) })},
		{&op.Add{}, func(n int) inputs { return inputs{a(n), b(n)} }, binary(func(e Env, n int) (*Binary, error) { return NewAdd(e.Pool, n) })},
		{&op.Mul{}, func(n int) inputs { return inputs{a(n), b(n)} }, binary(func(e Env, n int) (*Binary, error) { return NewMul(e.Pool, n) })},
		{&op.WeightDecay{Rate: 0.3}, func(n int) inputs { return inputs{a(n), b(n)} }, combine(func(e Env, n int) (*Combine, error) { return NewCombine(e.Pool, n, 1, 0.3) })},
		{&op.MovingAverage{Momentum: 0.9, Factor: 1.5}, func(n int) inputs { return inputs{a(n), b(n)} },
			combine(func(e Env, n int) (*Combine, error) { return NewCombine(e.Pool, n, 0.9, 0.1*1.5) })},
		{&op.AdamMean{Beta: 0.9}, func(n int) inputs { return inputs{a(n), b(n)} }, combine(func(e Env, n int) (*Combine, error) { return NewCombine(e.Pool, n, 0.9, 1-0.9) })},
		{&op.AdamSquare{Beta: 0.75}, func(n int) inputs { return inputs{a(n), b(n)} }, combine(func(e Env, n int) (*Combine, error) { return NewCombineSquare(e.Pool, n, 0.75, 1-0.75) })},
		{&op.L2PenaltyGrad{Lambda: 0.01}, func(n int) inputs { return inputs{a(n), scalar(3)} }, times(func(e Env, n int) (*ScalarTimes, error) { return NewScaleBy(e.Pool, n, 0.02) }, true)},
		{&op.Descend{}, func(n int) inputs { return inputs{a(n), b(n), scalar(0.1)} }, times(func(e Env, n int) (*ScalarTimes, error) { return NewAddScaled(e.Pool, n, -1) }, false)},
	} {
		t.Run(c.o.Kind(), func(t *testing.T) {
			for _, n := range sizes {
				// Sums of terms of opposite sign are small by cancellation: Norm, as of reductions, is the right measure.
				against(t, c.o, numtest.Reduction, c.in(n), c.build(n))
			}
		})
	}
	_, err := NewReLU(nil, 0)
	require.ErrorContains(t, err, "ReLU of 0 elements")
	_, err = NewAdd(nil, -1)
	require.ErrorContains(t, err, "Add of -1 elements")
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func TestFill(t *testing.T) {
	for _, v := range []float32{0, 0.25, nan32} {
		in := inputs{scalar(v)}
		against(t, &op.SumGrad{Shape: tensor.Shape{3, 700}}, numtest.Elementwise, in, func(e Env) (prepared, error) {
			k, err := NewFill(e.Pool, 2100)
			return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0)[0]) }}, err
		})
	}
}

func TestReductions(t *testing.T) {
	for _, n := range sizes {
		x := normal(1, n)
		for i := range x.Data.([]float32) {
			x.Data.([]float32)[i] += 3
		}
		for _, c := range []struct {
			o     op.Op
			build func(e Env) (*Reduction, error)
		}{
			{&op.Sum{}, func(e Env) (*Reduction, error) { return NewSum(e.Pool, n) }},
			{&op.Mean{}, func(e Env) (*Reduction, error) { return NewMean(e.Pool, n) }},
			{&op.L2Penalty{Lambda: 0.25}, func(e Env) (*Reduction, error) { return NewL2Penalty(e.Pool, n, 0.25) }},
		} {
			for _, x := range []op.Array{x, {Shape: x.Shape, Data: append([]float32{nan32}, x.Data.([]float32)[1:]...)}} {
				against(t, c.o, numtest.Elementwise, inputs{x}, func(e Env) (prepared, error) {
					k, err := c.build(e)
					return prepared{nil, func(out [][]float32, in inputs) { out[0][0] = k.Run(in.f(0)) }}, err
				})
			}
		}
	}
}

// The fused updates equal the operations they stand for, one after the other in float64.
func TestMomentumUpdate(t *testing.T) {
	const lr, momentum, decay = 0.1, 0.9, 0.01
	for _, nesterov := range []bool{false, true} {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%d nesterov %t", n, nesterov), func(t *testing.T) {
				in := inputs{normal(1, n), normal(2, n), special(normal(3, n))} // w, v, g
				w, v := make([]float64, n), make([]float64, n)
				for i := range w {
					g := float64(in.f(2)[i]) + decay*float64(in.f(0)[i])
					v[i] = momentum*float64(in.f(1)[i]) - lr*g
					step := v[i]
					if nesterov {
						step = momentum*v[i] - lr*g
					}
					w[i] = float64(in.f(0)[i]) + step
				}
				verify(t, in, []result{{w, numtest.Reduction}, {v, numtest.Reduction}}, func(e Env) (prepared, error) {
					k, err := NewMomentumUpdate(e.Pool, n, momentum, decay, nesterov)
					return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], out[1], in.f(0), in.f(1), in.f(2), lr) }}, err
				})
			})
		}
	}
}

func TestMomentumSteps(t *testing.T) {
	for _, n := range sizes {
		in := inputs{normal(1, n), normal(2, n), scalar(0.1)}
		against(t, &op.Momentum{Momentum: 0.9}, numtest.Reduction, in, func(e Env) (prepared, error) {
			k, err := NewMomentumStep(e.Pool, n, 0.9)
			return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], nil, in.f(0), in.f(1), in.f(2)[0]) }}, err
		})
		in = inputs{normal(3, n), normal(1, n), normal(2, n), scalar(0.1)}
		against(t, &op.Nesterov{Momentum: 0.9}, numtest.Reduction, in, func(e Env) (prepared, error) {
			k, err := NewMomentumStep(e.Pool, n, 0.9)
			return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3)[0]) }}, err
		})
	}
}

func TestAdam(t *testing.T) {
	const beta1, beta2, epsilon, decay, lr = 0.9, 0.999, 1e-7, 0.01, 0.05
	for _, n := range sizes {
		in := inputs{normal(1, n), normal(2, n), positive(3, n), normal(4, n)} // w, m, v, g
		g := reference(t, &op.WeightDecay{Rate: decay}, inputs{in[3], in[0]})
		m, v, w := make([]float64, n), make([]float64, n), make([]float64, n)
		const step = 3
		rate := lr * math.Sqrt(1-math.Pow(beta2, step)) / (1 - math.Pow(beta1, step))
		for i := range w {
			m[i] = beta1*float64(in.f(1)[i]) + (1-beta1)*g[i]
			v[i] = beta2*float64(in.f(2)[i]) + (1-beta2)*g[i]*g[i]
			w[i] = float64(in.f(0)[i]) - rate*m[i]/(math.Sqrt(v[i])+epsilon)
		}
		verify(t, in, []result{{w, numtest.Reduction}, {m, numtest.Reduction}, {v, numtest.Reduction}}, func(e Env) (prepared, error) {
			k, err := NewAdamUpdate(e.Pool, n, beta1, beta2, epsilon, decay)
			return prepared{nil, func(out [][]float32, in inputs) {
				k.Run(out[0], out[1], out[2], in.f(0), in.f(1), in.f(2), in.f(3), lr, step)
			}}, err
		})
		o := &op.AdamStep{Beta1: beta1, Beta2: beta2, Epsilon: epsilon}
		against(t, o, numtest.Reduction, inputs{in[0], in[1], in[2], scalar(lr), {Shape: tensor.ScalarShape(), Data: []int{step}}}, func(e Env) (prepared, error) {
			k, err := NewAdamStep(e.Pool, n, beta1, beta2, epsilon)
			return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3)[0], in.n(4)[0]) }}, err
		})
	}
}

func TestDropout(t *testing.T) {
	for _, n := range sizes {
		for _, rate := range []float64{0, 0.3, 0.5} {
			in := inputs{special(normal(1, n)), {Shape: tensor.ScalarShape(), Data: []int{1<<33 + 5}}}
			o := &op.Dropout{Rate: rate, Seed: 0x123456789abcdef, Stream: 4}
			against(t, o, numtest.Elementwise, in, func(e Env) (prepared, error) {
				k, err := NewDropout(e.Pool, n, rate, o.Seed, o.Stream)
				return prepared{nil, func(out [][]float32, in inputs) { k.Run(out[0], in.f(0), in.n(1)[0]) }}, err
			})
		}
	}
	for _, rate := range []float64{-0.1, 1, math.NaN()} {
		_, err := NewDropout(nil, 4, rate, 1, 1)
		require.ErrorContains(t, err, "rate")
	}
}
