package graph_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Where Gorgonia's results are wrong ours are right. Each case is a row of docs/gorgonia.md: what is right, and that
// Gorgonia's machine has something else still.
func TestTapeDifferences(t *testing.T) {
	inf := float32(math.Inf(-1))
	ramp := func(n int) (xs []float32) {
		for i := range n {
			xs = append(xs, float32(i))
		}
		return xs
	}
	for name, c := range map[string]struct {
		x     []float32
		shape []int
		y     func(x *gorgonia.Node) (*gorgonia.Node, error)
		want  []float64 // y
		slope []float64 // derivative of Σ y by x; nil to leave it out
	}{
		"average pooling divides by the window": {
			x: ramp(16), shape: []int{1, 1, 4, 4},
			y: func(x *gorgonia.Node) (*gorgonia.Node, error) {
				return gorgonia.AveragePool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
			},
			want: []float64{2.5, 4.5, 10.5, 12.5}, slope: slices.Repeat([]float64{0.25}, 16),
		},
		"average pooling leaves out the padding": {
			x: ramp(4), shape: []int{1, 1, 2, 2},
			y: func(x *gorgonia.Node) (*gorgonia.Node, error) {
				return gorgonia.AveragePool2D(x, tensor.Shape{2, 2}, []int{1, 1}, []int{2, 2})
			},
			want: []float64{0, 1, 2, 3}, slope: []float64{1, 1, 1, 1},
		},
		"sums over inner axes": {
			x: ramp(12), shape: []int{1, 2, 3, 2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Sum(x, 2) },
			want: []float64{6, 9, 24, 27}, slope: slices.Repeat([]float64{1}, 12),
		},
		"means over two axes": {
			x: ramp(12), shape: []int{1, 2, 3, 2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Mean(x, 2, 3) },
			want: []float64{2.5, 8.5}, slope: slices.Repeat([]float64{1. / 6}, 12),
		},
		"maxima over inner axes": {
			x: ramp(12), shape: []int{1, 2, 3, 2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Max(x, 2) },
			want: []float64{4, 5, 10, 11},
		},
		"softmax of large logits": {
			x: []float32{0, 0, -900, -900}, shape: []int{2, 2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.SoftMax(x) },
			want: []float64{0.5, 0.5, 0.5, 0.5},
		},
		"logarithm of a softmax of large logits": {
			x: []float32{0, 0, -900, -901}, shape: []int{2, 2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LogSoftMax(x) },
			want: []float64{-math.Ln2, -math.Ln2, -0.31326168751822286, -1.3132616875182228},
		},
		"rectifier at -Inf": {
			x: []float32{inf, 2}, shape: []int{2},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Rectify(x) },
			want: []float64{0, 2},
		},
		"rectifier's gradient at 0": {
			x: []float32{-1, 0, 2}, shape: []int{3},
			y:    func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Rectify(x) },
			want: []float64{0, 0, 2}, slope: []float64{0, 0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(vm newVM) []float64 {
				b := enginetest.NewB(t, tensor.Float64)
				x := b.Filled("x", c.x, c.shape...)
				y := built(c.y(x))
				var read, slope gorgonia.Value
				gorgonia.Read(y, &read)
				if c.slope != nil {
					flat := built(gorgonia.Reshape(y, tensor.Shape{y.Shape().TotalSize()})) // whose sum both machines can make
					gorgonia.Read(built(gorgonia.Grad(built(gorgonia.Sum(flat)), x))[0], &slope)
				}
				m := vm(b.G)
				defer m.Close()
				require.NoError(t, m.RunAll())
				if slope == nil {
					return numbers(t, read)
				}
				return numbers(t, read, slope)
			}
			right := append(slices.Clone(c.want), c.slope...)
			require.InDeltaSlice(t, right, run(ourVM), 1e-9)
			require.False(t, near(right, run(stockVM)), "Gorgonia has been mended: docs/gorgonia.md must change")
		})
	}
}

// The sign of 0 is 0, of a number too.
func TestTapeSignDifference(t *testing.T) {
	at0 := func(vm newVM) []float64 {
		b := enginetest.NewB(t, tensor.Float64)
		x := b.Scalar("x", 0)
		var sign, slope gorgonia.Value
		gorgonia.Read(built(gorgonia.Sign(x)), &sign)
		gorgonia.Read(built(gorgonia.Grad(built(gorgonia.Abs(x)), x))[0], &slope)
		m := vm(b.G)
		defer m.Close()
		require.NoError(t, m.RunAll())
		return numbers(t, sign, slope)
	}
	require.Equal(t, []float64{0, 0}, at0(ourVM))
	require.Equal(t, []float64{1, 1}, at0(stockVM), "if this is mended, docs/gorgonia.md must change")
}

// Only the gradient of Rectify is 0 at 0. What else is masked by x ≥ 0 keeps what it has there.
func TestTapeMasksAtZero(t *testing.T) {
	for name, program := range map[string]func(b *enginetest.B) (cost *gorgonia.Node, wrt gorgonia.Nodes){
		"leaky rectifier": func(b *enginetest.B) (*gorgonia.Node, gorgonia.Nodes) {
			x := b.Filled("x", []float32{-1, 0, 2}, 3)
			return built(gorgonia.LeakyRelu(x, 0.25)), gorgonia.Nodes{x}
		},
		"mask beside a rectifier": func(b *enginetest.B) (*gorgonia.Node, gorgonia.Nodes) {
			x, w := b.Filled("x", []float32{-1, 0, 2}, 3), b.Input("w", 3)
			masked := built(gorgonia.HadamardProd(w, built(gorgonia.Gte(x, gorgonia.NewConstant(0.0), true))))
			twice := built(gorgonia.HadamardProd(built(gorgonia.Rectify(x)), b.Input("u", 3)))
			return built(gorgonia.Add(masked, twice)), gorgonia.Nodes{w}
		},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, 1e-12, func(t *testing.T, vm newVM) (all []float64) {
				b := enginetest.NewB(t, tensor.Float64)
				y, wrt := program(b)
				built(gorgonia.Grad(built(gorgonia.Sum(y)), wrt...))
				m := vm(b.G, gorgonia.BindDualValues(wrt...))
				defer m.Close()
				require.NoError(t, m.RunAll())
				for _, n := range wrt {
					all = append(all, numbers(t, grad(t, n))...)
				}
				return all
			})
		})
	}
}

func near(a, b []float64) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) < 1e-9) { // NaN is near to nothing
			return false
		}
	}
	return true
}

// The gradient of dropout is 1/(1-rate) where nothing was dropped. Gorgonia's is 1/rate.
func TestTapeDropoutDifference(t *testing.T) {
	largest := func(vm newVM) float64 {
		b, _, _, dx := dropNet(t, tensor.Float64, 0.2, 100)
		var read gorgonia.Value
		gorgonia.Read(dx, &read)
		m := vm(b.G)
		defer m.Close()
		require.NoError(t, m.RunAll())
		return slices.Max(numbers(t, read))
	}
	require.InDelta(t, 1.25, largest(ourVM), 1e-12)
	require.InDelta(t, 5, largest(stockVM), 1e-12, "if this is mended, docs/gorgonia.md must change")
}

// In evaluation a batch norm is x times a number for every channel, and its gradient that number.
func TestTapeBatchNormDifference(t *testing.T) {
	slopes := func(vm newVM) (dx, want []float64) {
		n := newNormNet(t, tensor.Float64, 2, 3, 2, 2)
		mean, variance := n.op.Stats()
		copy(mean.Data().([]float64), []float64{1, 2, 3})
		copy(variance.Data().([]float64), []float64{4, 5, 6})
		built(gorgonia.Grad(built(gorgonia.Sum(n.y)), append(n.model, n.x)...))
		var read gorgonia.Value
		gorgonia.Read(n.x.Deriv(), &read)
		m := vm(n.G, gorgonia.EvalMode())
		defer m.Close()
		require.NoError(t, m.RunAll())
		for i, s := range numbers(t, n.G.Inputs()[1].Value()) {
			want = append(want, s/math.Sqrt([]float64{4, 5, 6}[i/4%3]+1e-3))
		}
		return numbers(t, read), want
	}
	dx, want := slopes(ourVM)
	require.InDeltaSlice(t, want, dx, 1e-9)
	dx, want = slopes(stockVM)
	require.False(t, near(want, dx), "if this is mended, docs/gorgonia.md must change")
}
