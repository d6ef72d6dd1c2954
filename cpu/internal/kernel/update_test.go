package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// updateOptions are those that updates are tested with.
var updateOptions = []UpdateOptions{{}, {WeightDecay: 0.01}, {L2: 0.02}, {L2: 0.02, Penalty: 0.03}, {L2: 0.02, WeightDecay: 0.01, Penalty: 0.03}}

// penaltyScale is the gradient of the penalty in the tests.
const penaltyScale = 1.5

// regularized is the gradient with what o adds to it, and the penalty, in float64.
func regularized[T Float](o UpdateOptions, w []T, g []float64) (sum []float64, penalty float64) {
	sum = make([]float64, len(g))
	for i, x := range g {
		wi := float64(w[i])
		sum[i] = x + 2*o.L2*penaltyScale*wi
		sum[i] += o.WeightDecay * wi
		penalty += o.Penalty * wi * wi
	}
	return sum, penalty
}

// The fused updates equal the operations they stand for, one after the other in float64.
func TestMomentumUpdate(t *testing.T) {
	bothTypes(t, testMomentumUpdate[float32], testMomentumUpdate[float64])
}

func testMomentumUpdate[T Float](t *testing.T) {
	const lr, momentum = 0.1, 0.9
	for _, nesterov := range []bool{false, true} {
		for _, o := range updateOptions {
			for _, n := range sizes {
				t.Run(fmt.Sprintf("%d nesterov %t %v", n, nesterov, o), func(t *testing.T) {
					in := inputs[T]{normal[T](1, n), normal[T](2, n), special[T](normal[T](3, n))} // w, v, g
					w, v := make([]float64, n), make([]float64, n)
					grad, penalty := regularized(o, in.f(0), widened(in.f(2)))
					for i, g := range grad {
						v[i] = momentum*float64(in.f(1)[i]) - lr*g
						step := v[i]
						if nesterov {
							step = momentum*v[i] - lr*g
						}
						w[i] = float64(in.f(0)[i]) + step
					}
					verify(t, in, []result{{w, numtest.Reduction}, {v, numtest.Reduction}, {[]float64{penalty}, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
						k, err := NewMomentumUpdate[T](e.Pool, n, momentum, nesterov, o)
						return prepared[T]{k, func(out [][]T, in inputs[T]) {
							k.Begin(out[0], out[1], in.f(0), in.f(1), lr, penaltyScale)
							k.Apply(in.f(2))
							out[2][0] = k.LastPenalty()
						}}, err
					})
				})
			}
		}
	}
}

func TestMomentumSteps(t *testing.T) {
	bothTypes(t, testMomentumSteps[float32], testMomentumSteps[float64])
}

func testMomentumSteps[T Float](t *testing.T) {
	for _, n := range sizes {
		in := inputs[T]{normal[T](1, n), normal[T](2, n), scalar[T](0.1)}
		against(t, &op.Momentum{Momentum: 0.9}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
			k, err := NewMomentumStep[T](e.Pool, n, 0.9)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], nil, in.f(0), in.f(1), in.f(2)[0]) }}, err
		})
		in = inputs[T]{normal[T](3, n), normal[T](1, n), normal[T](2, n), scalar[T](0.1)}
		against(t, &op.Nesterov{Momentum: 0.9}, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
			k, err := NewMomentumStep[T](e.Pool, n, 0.9)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3)[0]) }}, err
		})
	}
}

func TestAdam(t *testing.T) { bothTypes(t, testAdam[float32], testAdam[float64]) }

func testAdam[T Float](t *testing.T) {
	const beta1, beta2, epsilon, lr, step = 0.9, 0.999, 1e-7, 0.05, 3
	rate := lr * math.Sqrt(1-math.Pow(beta2, step)) / (1 - math.Pow(beta1, step))
	for _, n := range sizes {
		in := inputs[T]{normal[T](1, n), normal[T](2, n), positive[T](3, n), normal[T](4, n)} // w, m, v, g
		for _, o := range updateOptions {
			m, v, w := make([]float64, n), make([]float64, n), make([]float64, n)
			grad, penalty := regularized(o, in.f(0), widened(in.f(3)))
			for i, g := range grad {
				m[i] = beta1*float64(in.f(1)[i]) + (1-beta1)*g
				v[i] = beta2*float64(in.f(2)[i]) + (1-beta2)*g*g
				w[i] = float64(in.f(0)[i]) - rate*m[i]/(math.Sqrt(v[i])+epsilon)
			}
			want := []result{{w, numtest.Reduction}, {m, numtest.Reduction}, {v, numtest.Reduction}, {[]float64{penalty}, numtest.Reduction}}
			verify(t, in, want, func(e Env[T]) (prepared[T], error) {
				k, err := NewAdamUpdate[T](e.Pool, n, beta1, beta2, epsilon, o)
				return prepared[T]{k, func(out [][]T, in inputs[T]) {
					k.Begin(out[0], out[1], out[2], in.f(0), in.f(1), in.f(2), lr, step, penaltyScale)
					k.Apply(in.f(3))
					out[3][0] = k.LastPenalty()
				}}, err
			})
		}
		o := &op.AdamStep{Beta1: beta1, Beta2: beta2, Epsilon: epsilon}
		against(t, o, numtest.Reduction, inputs[T]{in[0], in[1], in[2], scalar[T](lr), {Shape: tensor.ScalarShape(), Data: []int{step}}}, func(e Env[T]) (prepared[T], error) {
			k, err := NewAdamStep[T](e.Pool, n, beta1, beta2, epsilon)
			return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1), in.f(2), in.f(3)[0], in.n(4)[0]) }}, err
		})
	}
}

// What an update does to the gradient, and the penalty it takes, are those of the kernels that would do it alone, bit by bit.
func TestUpdateEqualsItsParts(t *testing.T) {
	bothTypes(t, testUpdateEqualsItsParts[float32], testUpdateEqualsItsParts[float64])
}

func testUpdateEqualsItsParts[T Float](t *testing.T) {
	const lambda = 0.02
	withEnv(t, func(t *testing.T, e Env[T]) {
		for _, n := range sizes {
			w, v, m, g := normal[T](1, n).Data.([]T), positive[T](2, n).Data.([]T), normal[T](3, n).Data.([]T), normal[T](4, n).Data.([]T)
			sum := make([]T, n)
			l2, err := NewAddScaled[T](e.Pool, n, 2*lambda)
			require.NoError(t, err)
			l2.Run(sum, g, w, penaltyScale)
			penalty, err := NewL2Penalty[T](e.Pool, n, lambda)
			require.NoError(t, err)
			want := penalty.Run(w)
			both := func(run func(k UpdateOptions, out [][]T, g []T) (T, error)) {
				fused, parts := [][]T{make([]T, n), make([]T, n), make([]T, n)}, [][]T{make([]T, n), make([]T, n), make([]T, n)}
				got, err := run(UpdateOptions{L2: lambda, Penalty: lambda}, fused, g)
				require.NoError(t, err)
				_, err = run(UpdateOptions{}, parts, sum)
				require.NoError(t, err)
				require.Equal(t, parts, fused, "%d elements", n)
				require.Equal(t, want, got)
			}
			both(func(o UpdateOptions, out [][]T, g []T) (T, error) {
				k, err := NewMomentumUpdate[T](e.Pool, n, 0.9, true, o)
				if err != nil {
					return 0, err
				}
				k.Begin(out[0], out[1], w, v, 0.1, penaltyScale)
				k.Apply(g)
				return k.LastPenalty(), nil
			})
			both(func(o UpdateOptions, out [][]T, g []T) (T, error) {
				k, err := NewAdamUpdate[T](e.Pool, n, 0.9, 0.99, 1e-7, o)
				if err != nil {
					return 0, err
				}
				k.SetScratch(make([]T, k.Workspace()))
				k.Begin(out[0], out[1], out[2], w, m, v, 0.1, 3, penaltyScale)
				k.Apply(g)
				return k.LastPenalty(), nil
			})
		}
	})
}

// Updates that add something to the gradient before the loop over the weights need memory for it, a block a worker; the others none.
func TestUpdateWorkspace(t *testing.T) {
	p := pool.New(3)
	defer p.Close()
	for _, o := range updateOptions {
		for n, block := range map[int]int{1: 16, 100: 112, 1 << 20: updateBlock} {
			m, err := NewMomentumUpdate[float32](p, n, 0.9, false, o)
			require.NoError(t, err)
			a, err := NewAdamUpdate[float32](p, n, 0.9, 0.99, 1e-7, o)
			require.NoError(t, err)
			of := map[bool]int{true: 3 * block}
			require.Equal(t, of[o.L2 != 0 && o.WeightDecay != 0], m.Workspace(), "%v", o)
			require.Equal(t, of[o.L2 != 0 || o.WeightDecay != 0], a.Workspace(), "%v", o)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	p := pool.New(1)
	defer p.Close()
	_, err := NewMomentumUpdate[float32](p, 0, 0.9, false, UpdateOptions{})
	require.ErrorContains(t, err, "MomentumUpdate of 0 elements")
	_, err = NewAdamUpdate[float32](p, 3, 0.9, 0.99, 1e-7, UpdateOptions{Penalty: 1})
	require.ErrorContains(t, err, "without its gradient")
}
