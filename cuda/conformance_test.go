//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// ways are the ways in which an engine can compute: with the libraries that there are, and on its own kernels alone.
var ways = []struct {
	name   string
	config cuda.Config
}{
	{"libraries", cuda.Config{}},
	{"own kernels", cuda.Config{Without: []string{"cudnn", "cublaslt"}}},
}

func TestConformance(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) graph.Engine { return open(t, w.config) }, floatTypes...)
		})
	}
}

func TestConformanceWithoutPasses(t *testing.T) {
	enginetest.RunWithoutPasses(t, func(t *testing.T) graph.Engine { return open(t, cuda.Config{}) }, floatTypes...)
}

func TestOps(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { enginetest.RunOps(t, open(t, w.config), floatTypes...) })
	}
}

// Random graphs: fused kernels in reused memory against single reference loops in float64.
func TestRandomGraphs(t *testing.T) {
	e := open(t, cuda.Config{})
	graphs := uint64(60)
	if testing.Short() {
		graphs = 10
	}
	for seed := range graphs {
		c := enginetest.Random(seed, 12)
		c.Runs = 3 // the second and third as a CUDA graph
		t.Run(c.Name, func(t *testing.T) { c.RequireClose(t, e, floatTypes...) })
	}
}

// All runs give the same bits, whatever the order in which blocks and threads get their turn, which the simulated GPU changes.
func TestRunsRepeatThemselves(t *testing.T) {
	e := open(t, cuda.Config{})
	orders := []string{"reverse", "random"}
	if testing.Short() {
		orders = orders[:1]
	}
	for _, dt := range floatTypes {
		for _, c := range enginetest.OpCases(dt) {
			first := c.Run(t, e, dt, nil)
			for _, order := range orders {
				t.Setenv("STHENO_SIM_ORDER", order)
				require.True(t, enginetest.SameBits(first, c.Run(t, e, dt, nil)), "%v %s, %s", dt, c.Name, order)
			}
			t.Setenv("STHENO_SIM_ORDER", "")
		}
	}
}

// tolerance is what a precision may cost in a sum of products of normal numbers: its factors are rounded to a mantissa of 11 (tf32)
// or 8 bits (bf16), which moves each product by some 2⁻¹¹ or 2⁻⁸ of its size, at random, and with it the sum by as much of the
// usual size of such a sum. The tensors here have up to some hundred elements, whose largest error is three times the usual.
var tolerance = map[string]float64{"fp32": 5e-6, "tf32": 3 * 0x1p-11, "bf16": 3 * 0x1p-8}

// products are convolutions and matrix products with their gradients and no step between them that magnifies rounding.
func products() []enginetest.Case {
	var all []enginetest.Case
	for _, c := range []struct {
		name           string
		n, h, w, cin   int
		kernel, cout   int
		stride, groups int
		padding        shape.PadMode
		layout         shape.Layout
		bias           bool
	}{
		{"3x3", 2, 8, 8, 16, 3, 32, 1, 1, shape.Same, shape.NHWC, true},
		{"3x3 odd", 3, 7, 5, 3, 3, 5, 1, 1, shape.Valid, shape.NHWC, false},
		{"1x1 stride 2", 2, 8, 8, 16, 1, 8, 2, 1, shape.Valid, shape.NHWC, false},
		{"3x3 stride 2", 2, 8, 8, 4, 3, 8, 2, 1, shape.Same, shape.NHWC, false},
		{"groups", 2, 6, 6, 8, 3, 8, 1, 4, shape.Same, shape.NHWC, false},
		{"channels first", 2, 6, 6, 8, 3, 8, 1, 1, shape.Same, shape.NCHW, true},
	} {
		all = append(all, enginetest.Case{Name: "conv " + c.name, Build: func(b *enginetest.B) {
			dims := []int{c.n, c.h, c.w, c.cin}
			if c.layout == shape.NCHW {
				dims = []int{c.n, c.cin, c.h, c.w}
			}
			x, w := b.Input("x", dims...), b.Input("w", c.kernel, c.kernel, c.cin/c.groups, c.cout)
			y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int{c.stride, c.stride}, Groups: c.groups,
				Padding: shape.Padding{Mode: c.padding}, Format: c.layout}}, x, w)
			wrt := []*gorgonia.Node{x, w}
			if c.bias {
				bias := b.Input("bias", c.cout)
				_, _, axis := c.layout.Axes()
				y = b.Apply(&op.BiasAdd{Axis: axis}, y, bias)
				wrt = append(wrt, bias)
			}
			b.Want("y", numtest.Reduction, y)
			b.Grads(y, wrt...)
		}})
	}
	for _, dims := range [][3]int{{64, 32, 48}, {5, 7, 3}, {1, 300, 10}, {33, 1, 20}} {
		all = append(all, enginetest.Case{Name: "matmul", Build: func(b *enginetest.B) {
			x, w := b.Input("x", dims[0], dims[1]), b.Input("w", dims[1], dims[2])
			y := b.Apply(&op.MatMul{}, x, w)
			b.Want("y", numtest.Reduction, y)
			b.Grads(y, x, w)
		}})
	}
	return all
}

// Every precision keeps its tolerance, and none but fp32 computes as fp32 does everywhere.
func TestPrecisions(t *testing.T) {
	for _, w := range ways {
		for precision, norm := range tolerance {
			t.Run(w.name+" "+precision, func(t *testing.T) {
				config := w.config
				config.Precision = precision
				e := open(t, config)
				for _, c := range products() {
					c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: norm} }, tensor.Float32)
					c.RequireClose(t, e, tensor.Float64) // which no precision changes
				}
			})
		}
	}
}

func TestPrecisionHasAnEffect(t *testing.T) {
	for _, w := range ways {
		config := w.config
		config.Precision = "bf16"
		e := open(t, config)
		g := gorgonia.NewGraph()
		input := func(name string, dims ...int) *gorgonia.Node {
			return gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(dims...), gorgonia.WithName(name),
				gorgonia.WithValue(numtest.Normal(1, tensor.Float32, dims...)))
		}
		// A convolution: of a product with bf16 cuBLASLt only says that it may round.
		y, err := op.Apply(&op.Conv2D{}, input("x", 1, 8, 8, 16), input("w", 3, 3, 16, 16))
		require.NoError(t, err)
		result := func(e graph.Engine) []float32 {
			m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
			require.NoError(t, err)
			require.NoError(t, m.RunAll())
			v, err := m.Value(y)
			require.NoError(t, err)
			require.NoError(t, m.Close())
			return v.Data().([]float32)
		}
		require.NotEqual(t, result(open(t, w.config)), result(e), w.name)
	}
}
