package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

var rowCases = [][2]int{{1, 1}, {1, 10}, {7, 3}, {64, 100}, {33, 1000}}

// logits are normal numbers with a few rows of ±1e4 and one of NaN among them.
func logits[T Float](seed uint64, n, c int) op.Array {
	a := normal[T](seed, n, c)
	x := a.Data.([]T)
	for r := range n {
		for i := range c {
			switch r % 5 {
			case 2:
				x[r*c+i] *= 1e4
			case 3:
				x[r*c+i] = 1e4 + x[r*c+i]
			}
		}
	}
	if n > 6 {
		x[6*c] = nan[T]()
	}
	return a
}

func TestSoftmax(t *testing.T) { bothTypes(t, testSoftmax[float32], testSoftmax[float64]) }

func testSoftmax[T Float](t *testing.T) {
	for _, s := range rowCases {
		n, c := s[0], s[1]
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			in := inputs[T]{logits[T](1, n, c)}
			for _, log := range []bool{false, true} {
				var forward, backward op.Op = &op.Softmax{}, &op.SoftmaxGrad{}
				if log {
					forward, backward = &op.LogSoftmax{}, &op.LogSoftmaxGrad{}
				}
				against(t, forward, numtest.Elementwise, in, func(e Env[T]) (prepared[T], error) {
					k, err := NewSoftmax[T](e.Pool, n, c, log)
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0)) }}, err
				})
				y := reference(t, forward, inputs[T]{normal[T](1, n, c)})
				in := inputs[T]{{Shape: tensor.Shape{n, c}, Data: narrow[T](y)}, normal[T](2, n, c)}
				against(t, backward, numtest.Reduction, in, func(e Env[T]) (prepared[T], error) {
					k, err := NewSoftmaxGrad[T](e.Pool, n, c, log)
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.f(1)) }}, err
				})
			}
		})
	}
	_, err := NewSoftmax[T](nil, 0, 3, false)
	require.ErrorContains(t, err, "0 rows")
}

// A score of −Inf is impossible; one of +Inf or NaN, and −Inf for all, leave nothing to say: NaN in their row and nowhere else.
func TestSoftmaxNotFinite(t *testing.T) {
	bothTypes(t, testSoftmaxNotFinite[float32], testSoftmaxNotFinite[float64])
}

func testSoftmaxNotFinite[T Float](t *testing.T) {
	isNaN := func(v T) bool { return v != v }
	for _, c := range []int{2, 3, 16, 17, 100, expRoom + 3} {
		const n = 5 // rows: finite, −Inf but for one, +Inf, NaN, all −Inf
		x := normal[T](1, n, c).Data.([]T)
		low, high := T(math.Inf(-1)), T(math.Inf(1))
		for i := range c {
			if i != c/2 {
				x[c+i] = low
			}
			x[4*c+i] = low
		}
		x[2*c+c-1], x[3*c+c-1] = high, nan[T]()
		withEnv(t, func(t *testing.T, e Env[T]) {
			for _, log := range []bool{false, true} {
				y := make([]T, n*c)
				k, err := NewSoftmax[T](e.Pool, n, c, log)
				require.NoError(t, err)
				k.Run(y, x)
				require.False(t, slices.ContainsFunc(y[:2*c], isNaN), "%d classes", c)
				require.NotContains(t, y[:c], low)
				one, zero := T(1), T(0)
				if log {
					one, zero = 0, low
				}
				for i, v := range y[c : 2*c] {
					require.Equal(t, map[bool]T{true: one, false: zero}[i == c/2], v, "%d classes", c)
				}
				for r := 2; r < n; r++ {
					for _, v := range y[r*c : r*c+c] {
						// With +Inf, exp(−Inf)/NaN of the others is NaN as well.
						require.True(t, isNaN(v), "row %d of %d classes, log %v", r, c, log)
					}
				}
			}
			for _, wantGrad := range []bool{true, false} {
				loss, d := make([]T, n), make([]T, n*c)
				k, err := NewSoftmaxCrossEntropy[T](e.Pool, n, c)
				require.NoError(t, err)
				var grad, dloss []T
				if wantGrad {
					grad, dloss = d, slices.Repeat([]T{1}, n)
				}
				k.Run(loss, grad, x, []int{0, c / 2, 0, 0, 0}, dloss)
				require.False(t, isNaN(loss[0]))
				require.Zero(t, loss[1])
				require.False(t, slices.ContainsFunc(d[:2*c], isNaN))
				for r := 2; r < n; r++ {
					require.True(t, isNaN(loss[r]), "row %d", r)
				}
				k.Run(loss, grad, x, []int{0, (c/2 + 1) % c, 0, 0, 0}, dloss)
				require.Equal(t, high, loss[1], "an impossible label")
			}
		})
	}
}

func TestSoftmaxCrossEntropy(t *testing.T) {
	bothTypes(t, testSoftmaxCrossEntropy[float32], testSoftmaxCrossEntropy[float64])
}

func testSoftmaxCrossEntropy[T Float](t *testing.T) {
	for _, s := range rowCases {
		n, c := s[0], s[1]
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			in := inputs[T]{logits[T](1, n, c), labels(2, n, c), normal[T](3, n)}
			loss := reference(t, &op.SoftmaxCrossEntropy{}, in[:2])
			grad := reference(t, &op.SoftmaxCrossEntropyGrad{}, in)
			build := func(wantLoss, wantGrad bool) func(e Env[T]) (prepared[T], error) {
				return func(e Env[T]) (prepared[T], error) {
					k, err := NewSoftmaxCrossEntropy[T](e.Pool, n, c)
					return prepared[T]{nil, func(out [][]T, in inputs[T]) {
						switch {
						case wantLoss && wantGrad:
							k.Run(out[0], out[1], in.f(0), in.n(1), in.f(2))
						case wantLoss:
							k.Run(out[0], nil, in.f(0), in.n(1), nil)
						default:
							k.Run(nil, out[0], in.f(0), in.n(1), in.f(2))
						}
					}}, err
				}
			}
			verify(t, in, []result{{loss, numtest.Loss}, {grad, numtest.Reduction}}, build(true, true))
			verify(t, in, []result{{loss, numtest.Loss}}, build(true, false))
			verify(t, in, []result{{grad, numtest.Reduction}}, build(false, true))
		})
	}
}

// A label out of range gives NaN in its row and nowhere else.
func TestLossesOfBadLabels(t *testing.T) {
	bothTypes(t, testLossesOfBadLabels[float32], testLossesOfBadLabels[float64])
}

func testLossesOfBadLabels[T Float](t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[T]) {
		x, dloss := positive[T](1, 3, 4).Data.([]T), []T{1, 1, 1}
		for _, bad := range []int{-1, 4, math.MaxInt} {
			loss, d := make([]T, 3), make([]T, 12)
			check := func() {
				for r := range 3 {
					require.Equal(t, r == 1, loss[r] != loss[r], "row %d", r)
					require.Equal(t, r == 1, d[r*4] != d[r*4], "row %d", r)
				}
			}
			k, err := NewSoftmaxCrossEntropy[T](e.Pool, 3, 4)
			require.NoError(t, err)
			k.Run(loss, d, x, []int{0, bad, 3}, dloss)
			check()
			ce, err := NewCrossEntropy[T](e.Pool, 3, 4)
			require.NoError(t, err)
			ce.Run(loss, x, []int{0, bad, 3})
			cg, err := NewCrossEntropyGrad[T](e.Pool, 3, 4)
			require.NoError(t, err)
			cg.Run(d, x, []int{0, bad, 3}, dloss)
			check()
			top, err := NewTopKCorrect[T](3, 4, 4)
			require.NoError(t, err)
			require.Equal(t, T(2), top.Run(x, []int{0, bad, 3}))
		}
	})
}

func TestCrossEntropyAndTopK(t *testing.T) {
	bothTypes(t, testCrossEntropyAndTopK[float32], testCrossEntropyAndTopK[float64])
}

func testCrossEntropyAndTopK[T Float](t *testing.T) {
	for _, s := range rowCases {
		n, c := s[0], s[1]
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			p := op.Array{Shape: tensor.Shape{n, c}, Data: narrow[T](reference(t, &op.Softmax{}, inputs[T]{logits[T](1, n, c)}))}
			in := inputs[T]{p, labels(2, n, c), normal[T](3, n)}
			against(t, &op.CrossEntropy{}, numtest.Loss, in[:2], func(e Env[T]) (prepared[T], error) {
				k, err := NewCrossEntropy[T](e.Pool, n, c)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.n(1)) }}, err
			})
			against(t, &op.CrossEntropyGrad{}, numtest.Elementwise, in, func(e Env[T]) (prepared[T], error) {
				k, err := NewCrossEntropyGrad[T](e.Pool, n, c)
				return prepared[T]{nil, func(out [][]T, in inputs[T]) { k.Run(out[0], in.f(0), in.n(1), in.f(2)) }}, err
			})
			for _, top := range []int{1, 5} {
				against(t, &op.TopKCorrect{K: top}, numtest.Elementwise, in[:2], func(e Env[T]) (prepared[T], error) {
					k, err := NewTopKCorrect[T](n, c, top)
					return prepared[T]{nil, func(out [][]T, in inputs[T]) { out[0][0] = k.Run(in.f(0), in.n(1)) }}, err
				})
			}
		})
	}
	_, err := NewTopKCorrect[T](3, 4, 0)
	require.Error(t, err)
}

func TestMatMul(t *testing.T) { products(t, testMatMul[float32], testMatMul[float64]) }

func testMatMul[T Float](t *testing.T) {
	for i, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {64, 100, 512}, {1, 10, 300}, {37, 3, 130}} {
		m, n, k := s[0], s[1], s[2]
		for trans := range 4 {
			if !inShare[T](i + trans) {
				continue
			}
			ta, tb := trans&1 != 0, trans&2 != 0
			if testing.Short() && m*n*k > 1<<20 && ta != tb {
				continue // slow under the race detector, and dealt out to workers as the two others
			}
			t.Run(fmt.Sprint(s, ta, tb), func(t *testing.T) {
				in := inputs[T]{normal[T](1, m, k), normal[T](2, k, n), normal[T](3, n), normal[T](4, m, n)}
				if ta {
					in[0] = normal[T](1, k, m)
				}
				if tb {
					in[1] = normal[T](2, n, k)
				}
				y := reference(t, &op.MatMul{TransA: ta, TransB: tb}, in[:2])
				for _, o := range []MatMulOptions{{}, {Bias: true, ReLU: true}, {Frozen: true}, {Bias: true, Add: true, ReLU: true, Frozen: true}} {
					o.TransA, o.TransB = ta, tb
					want := slices.Clone(y)
					for i := range want {
						if o.Bias {
							want[i] += float64(in.f(2)[i%n])
						}
						if o.Add {
							want[i] += float64(in.f(3)[i])
						}
						if o.ReLU {
							want[i] = max(want[i], 0)
						}
					}
					verify(t, in, []result{{want, numtest.Reduction}}, func(e Env[T]) (prepared[T], error) {
						mm, err := NewMatMul[T](e, m, n, k, o)
						kept, fine := guarded[T](mm.KeptLen())
						mm.SetKept(kept)
						packed := false
						return prepared[T]{mm, func(out [][]T, in inputs[T]) {
							b := in.f(1)
							if o.Frozen {
								if !packed {
									mm.Pack(b)
									fine(t)
									packed = true
								}
								b = nil
							}
							mm.Run(out[0], in.f(0), b, in.f(2), in.f(3))
						}}, err
					})
				}
			})
		}
	}
	_, err := NewMatMul[T](Env[T]{}, 0, 1, 1, MatMulOptions{})
	require.ErrorContains(t, err, "0×1")
}
