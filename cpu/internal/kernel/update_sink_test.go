package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// A product that updates a weight equals the product and the update one after the other in float64.
func TestMatMulUpdate(t *testing.T) {
	products(t, testMatMulUpdate[float32], testMatMulUpdate[float64])
}

func testMatMulUpdate[T Float](t *testing.T) {
	for i, s := range [][3]int{{1, 1, 1}, {7, 5, 3}, {100, 1500, 32}, {70, 33, 300}, {3, 9000, 2}} {
		m, n, depth := s[0], s[1], s[2]
		for j, o := range updateOptions {
			for _, trans := range []bool{false, true} {
				if !inShare[T](i + j) {
					continue
				}
				t.Run(fmt.Sprintf("%v %v trans %t", s, o, trans), func(t *testing.T) {
					mul := &op.MatMul{TransA: !trans, TransB: trans}
					x, y := normal[T](1, depth, m), normal[T](2, depth, n)
					if trans {
						x, y = normal[T](1, m, depth), normal[T](2, n, depth)
					}
					in := inputs[T]{normal[T](3, m*n), normal[T](4, m*n), x, y} // w, v, x, y
					momentumOf(t, o, in, reference(t, mul, in[2:4]), func(e Env[T], k *MomentumUpdate[T]) (*MatMul[T], error) {
						return NewMatMulUpdate(e, m, n, depth, MatMulOptions{TransA: !trans, TransB: trans}, k)
					})
				})
			}
		}
	}
}

// gradientUpdate is a kernel that computes a gradient and updates the weight with it.
type gradientUpdate[T Float] interface {
	Workspace() int
	SetScratch([]T)
	Update(x, y []T)
}

// momentumOf verifies a step of in[0] with velocities in[1] whose gradient a kernel computes from in[2] and in[3].
func momentumOf[T Float, K gradientUpdate[T]](t *testing.T, o UpdateOptions, in inputs[T], grad []float64, build func(e Env[T], k *MomentumUpdate[T]) (K, error)) {
	t.Helper()
	const lr, momentum = 0.1, 0.9
	sum, penalty := regularized(o, in.f(0), grad)
	w, v := make([]float64, len(sum)), make([]float64, len(sum))
	for i, g := range sum {
		v[i] = momentum*float64(in.f(1)[i]) - lr*g
		w[i] = float64(in.f(0)[i]) + v[i]
	}
	want := []result{{w, numtest.Reduction}, {v, numtest.Reduction}, {[]float64{penalty}, numtest.Reduction}}
	verify(t, in, want, func(e Env[T]) (prepared[T], error) {
		k, err := NewMomentumUpdate[T](e.Pool, len(w), momentum, false, o)
		require.NoError(t, err)
		u, err := build(e, k)
		return prepared[T]{u, func(out [][]T, in inputs[T]) {
			k.Begin(out[0], out[1], in.f(0), in.f(1), lr, penaltyScale)
			u.Update(in.f(2), in.f(3))
			out[2][0] = k.LastPenalty()
		}}, err
	})
}

// The gradient that is handed out has the bits of the one that is written.
func TestMatMulUpdateEqualsItsParts(t *testing.T) {
	bothTypes(t, testMatMulUpdateEqualsItsParts[float32], testMatMulUpdateEqualsItsParts[float64])
}

func testMatMulUpdateEqualsItsParts[T Float](t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[T]) {
		for _, s := range [][3]int{{1, 1, 1}, {70, 530, 32}, {130, 64, 500}} {
			m, n, depth := s[0], s[1], s[2]
			w, v, g := normal[T](1, m*n).Data.([]T), normal[T](2, m*n).Data.([]T), make([]T, m*n)
			x, y := normal[T](3, depth*m).Data.([]T), normal[T](4, depth*n).Data.([]T)
			o := MatMulOptions{TransA: true}
			step := func() *MomentumUpdate[T] {
				k, err := NewMomentumUpdate[T](e.Pool, m*n, 0.9, true, UpdateOptions{L2: 0.1})
				require.NoError(t, err)
				return k
			}
			parts, fused := [][]T{make([]T, m*n), make([]T, m*n)}, [][]T{make([]T, m*n), make([]T, m*n)}
			mul, err := NewMatMul[T](e, m, n, depth, o)
			require.NoError(t, err)
			mul.SetScratch(make([]T, mul.Workspace()))
			mul.Run(g, x, y, nil, nil)
			k := step()
			k.Begin(parts[0], parts[1], w, v, 0.1, penaltyScale)
			k.Apply(g)
			k = step()
			both, err := NewMatMulUpdate(e, m, n, depth, o, Updater[T](k))
			require.NoError(t, err)
			both.SetScratch(make([]T, both.Workspace()))
			k.Begin(fused[0], fused[1], w, v, 0.1, penaltyScale)
			both.Update(x, y)
			require.Equal(t, parts, fused, "%v", s)
		}
	})
}

func TestMatMulUpdateRefusesAnotherSize(t *testing.T) {
	p := pool.New(1)
	defer p.Close()
	k, err := NewMomentumUpdate[float32](p, 12, 0.9, false, UpdateOptions{})
	require.NoError(t, err)
	_, err = NewMatMulUpdate(Env[float32]{Pool: p}, 3, 5, 1, MatMulOptions{}, Updater[float32](k))
	require.ErrorContains(t, err, "a gradient of 3×5 elements for the update of 12")
}

// The gradient of a convolution that updates the kernel, in every way in which it is computed.
func TestConv2DBackwardFilterUpdate(t *testing.T) {
	products(t, testConv2DBackwardFilterUpdate[float32], testConv2DBackwardFilterUpdate[float64])
}

func testConv2DBackwardFilterUpdate[T Float](t *testing.T) {
	for i, c := range convCases() {
		if !inShare[T](i) {
			continue
		}
		force(t, c)
		t.Run(c.String(), func(t *testing.T) {
			g := c.geometry(t)
			n := op.Len(g.Filter())
			in := inputs[T]{normal[T](3, n), normal[T](4, n), convInput[T](c, 1), normal[T](2, g.Output()...)}
			grad := reference(t, &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: g.Filter()}, in[2:])
			o := UpdateOptions{L2: 0.02, WeightDecay: 0.01, Penalty: 0.03}
			momentumOf(t, o, in, grad, func(e Env[T], k *MomentumUpdate[T]) (*Conv2DBackwardFilter[T], error) {
				return NewConv2DBackwardFilterUpdate(e, g, Updater[T](k))
			})
		})
	}
}
