package enginetest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// PrecisionError is what a precision may cost in a sum of products of normal numbers: its factors are rounded to a mantissa of 11 (tf32)
// or 8 bits (bf16), which moves each product by some 2⁻¹¹ or 2⁻⁸ of its size, at random, and with it the sum by as much of the
// usual size of such a sum. The tensors here have up to some hundred elements, whose largest error is three times the usual.
var PrecisionError = map[string]float64{"fp32": 5e-6, "tf32": 3 * 0x1p-11, "bf16": 3 * 0x1p-8}

// Products are convolutions and matrix products with their gradients and no step between them that magnifies rounding.
func Products() []Case {
	var all []Case
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
		all = append(all, Case{Name: "conv " + c.name, Build: func(b *B) {
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
		all = append(all, Case{Name: "matmul", Build: func(b *B) {
			x, w := b.Input("x", dims[0], dims[1]), b.Input("w", dims[1], dims[2])
			y := b.Apply(&op.MatMul{}, x, w)
			b.Want("y", numtest.Reduction, y)
			b.Grads(y, x, w)
		}})
	}
	return all
}

// RunPrecision runs Products on an engine of a precision whose error is norm.
func RunPrecision(t *testing.T, e graph.Engine, norm float64) {
	for _, c := range Products() {
		c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: norm} }, tensor.Float32)
		c.RequireClose(t, e, tensor.Float64) // which no precision changes
	}
}

// Product is a result of RoundedProducts.
type Product struct {
	Name                   string
	Convolution, Depthwise bool
	Value                  []float32
}

// RoundedProducts computes products of every kind on e and, of factors that were rounded to bfloat16 before, by the reference
// loops: what an engine gives in bf16 that rounds factors, to nearest, and nothing else.
func RoundedProducts(t *testing.T, e graph.Engine) (want, got []Product) {
	return products(t, Reference{}, toBFloat16), products(t, e, func(x float32) float32 { return x })
}

// products computes them of inputs that round has changed.
func products(t *testing.T, e graph.Engine, round func(float32) float32) []Product {
	b, made := NewB(t, tensor.Float32), map[string]*gorgonia.Node{}
	input := func(name string, dims ...int) *gorgonia.Node {
		if made[name] == nil {
			x := numtest.Normal(uint64(len(made)), tensor.Float32, dims...).Data().([]float32)
			for i, v := range x {
				x[i] = round(v)
			}
			made[name] = b.Filled(name, x, dims...)
		}
		return made[name]
	}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	groups := same
	groups.Groups = 8
	x, w, dy := input("x", 2, 6, 7, 8), input("w", 3, 3, 8, 16), input("dy", 2, 6, 7, 16)
	all := []Product{
		{Name: "convolution", Convolution: true}, {Name: "gradient of images", Convolution: true}, {Name: "gradient of the kernel", Convolution: true},
		{Name: "depthwise", Convolution: true, Depthwise: true},
		{Name: "product"}, {Name: "small product"}, {Name: "product with a transposed factor"}, {Name: "product of a row"},
	}
	nodes := []*gorgonia.Node{
		b.Apply(&op.Conv2D{ConvAttrs: same}, x, w),
		b.Apply(&op.Conv2DBackwardInput{ConvAttrs: same, InputShape: x.Shape()}, dy, w),
		b.Apply(&op.Conv2DBackwardFilter{ConvAttrs: same, FilterShape: w.Shape()}, x, dy),
		b.Apply(&op.Conv2D{ConvAttrs: groups}, x, input("depthwise", 3, 3, 1, 16)),
		b.Apply(&op.MatMul{}, input("a", 70, 90), input("b", 90, 65)), // tiles
		b.Apply(&op.MatMul{}, input("c", 3, 9), input("d", 9, 5)),     // small
		b.Apply(&op.MatMul{TransB: true}, input("e", 1, 90), input("f", 65, 90)),
		b.Apply(&op.MatMul{}, input("e", 1, 90), input("b", 90, 65)),
	}
	m, err := graph.Compile(b.G, graph.WithEngine(e), graph.WithOutputs(nodes...))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.RunAll())
	for i, n := range nodes {
		v, err := m.Value(n)
		require.NoError(t, err)
		all[i].Value = append([]float32(nil), v.Data().([]float32)...)
	}
	return all
}

// toBFloat16 rounds to the nearest number with 8 significant bits, to the even one of two.
func toBFloat16(x float32) float32 {
	if x == 0 {
		return 0
	}
	fraction, exponent := math.Frexp(float64(x))
	return float32(math.Ldexp(math.RoundToEven(math.Ldexp(fraction, 8)), exponent-8))
}
