//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
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

// without are engines with the libraries and without them, so that our kernels run too where a library takes every call.
var without = map[string][]string{"libraries": nil, "own kernels": {"cudnn", "cublaslt"}}

// Shapes for each kernel of products: small, narrow along and across memory, tiles, tiles with ragged edges, cut sums.
func TestProductShapes(t *testing.T) {
	for name, libs := range without {
		e := open(t, cuda.Config{Without: libs})
		for _, c := range [][3]int{
			{3, 5, 4}, {1, 1, 1}, {1, 1, 5000}, {1, 100, 300}, {100, 1, 300}, {2, 100, 3000}, {100, 3, 3000}, {50, 4, 70},
			{20, 21, 400}, {70, 65, 33}, {64, 64, 1000}, {130, 129, 15}, {128, 128, 2048},
		} {
			for i := range 4 {
				mul := &op.MatMul{TransA: i&1 > 0, TransB: i&2 > 0}
				enginetest.Case{Name: fmt.Sprint("product ", c), Build: func(b *enginetest.B) {
					a, w := []int{c[0], c[2]}, []int{c[2], c[1]}
					if mul.TransA {
						a = []int{c[2], c[0]}
					}
					if mul.TransB {
						w = []int{c[1], c[2]}
					}
					y := b.Apply(mul, b.Input("a", a...), b.Input("w", w...))
					b.Want("y", numtest.Reduction, y)
					z := b.Apply(&op.BiasAdd{Axis: 1}, b.Apply(mul, b.Input("a2", a...), b.Input("w2", w...)), b.Input("bias", c[1]))
					b.Want("relu", numtest.Reduction, b.Apply(&op.ReLU{}, z))
				}}.RequireClose(t, e, floatTypes...)
				require.False(t, t.Failed(), "%s, %v %v", name, c, mul)
			}
		}
	}
}

var convShapes = []struct {
	x, w tensor.Shape
	a    op.ConvAttrs
}{
	{tensor.Shape{2, 9, 9, 20}, tensor.Shape{3, 3, 20, 70}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}},
	{tensor.Shape{1, 7, 7, 64}, tensor.Shape{3, 3, 64, 32}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}}, // cut sums
	{tensor.Shape{2, 21, 20, 3}, tensor.Shape{7, 7, 3, 8}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}},
	{tensor.Shape{2, 5, 7, 40}, tensor.Shape{1, 1, 40, 33}, op.ConvAttrs{}}, // a product
	{tensor.Shape{2, 6, 7, 40}, tensor.Shape{1, 1, 40, 33}, op.ConvAttrs{Strides: [2]int{2, 2}}},
	{tensor.Shape{2, 9, 8, 12}, tensor.Shape{3, 3, 1, 12}, op.ConvAttrs{Groups: 12, Padding: shape.Padding{Mode: shape.Same}}},
	{tensor.Shape{2, 60, 48, 6}, tensor.Shape{3, 3, 1, 12}, op.ConvAttrs{Groups: 6, Strides: [2]int{2, 1}, Padding: shape.Padding{Mode: shape.Same}}},
	{tensor.Shape{2, 9, 8, 16}, tensor.Shape{3, 3, 4, 24}, op.ConvAttrs{Groups: 4, Dilations: [2]int{2, 1}, Padding: shape.Padding{Mode: shape.Same}}},
	{tensor.Shape{2, 6, 7, 80}, tensor.Shape{3, 3, 40, 66}, op.ConvAttrs{Groups: 2, Padding: shape.Padding{Mode: shape.Same}}}, // tiles of groups
	{tensor.Shape{3, 11, 9, 5}, tensor.Shape{3, 2, 5, 7}, op.ConvAttrs{Strides: [2]int{2, 3}, Dilations: [2]int{2, 1}, Padding: shape.Padding{Mode: shape.Explicit, Top: 2, Left: 1, Right: 3}}},
	{tensor.Shape{1, 1, 1, 1}, tensor.Shape{1, 1, 1, 1}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Explicit, Top: 1}}},
}

// Shapes for each kernel of convolutions, in both formats.
func TestConvolutionShapes(t *testing.T) {
	for name, libs := range without {
		e := open(t, cuda.Config{Without: libs})
		for _, c := range convShapes {
			for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
				a, x := c.a, c.x
				a.Format = f
				channels := 3
				if f == shape.NCHW {
					x, channels = tensor.Shape{x[0], x[3], x[1], x[2]}, 1
				}
				enginetest.Case{Name: fmt.Sprintf("convolution %v by %v %v", x, c.w, a), Build: func(b *enginetest.B) {
					in, w := b.Input("x", x...), b.Input("w", c.w...)
					y := b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: a}, in, w))
					b.Grads(y, in, w)
					z := b.Apply(&op.Conv2D{ConvAttrs: a}, b.Input("x2", x...), w)
					z = b.Apply(&op.BiasAdd{Axis: channels}, z, b.Input("bias", c.w[3]))
					b.Want("relu", numtest.Reduction, b.Apply(&op.ReLU{}, z))
				}}.RequireClose(t, e, floatTypes...)
				require.False(t, t.Failed(), "%s, %v", name, c)
			}
		}
	}
}

// In bfloat16 the factors are rounded, to nearest: the results are those of float32 for factors that were rounded before. cuDNN's
// convolutions also round their results, by half of a last bit of 8, and cuBLASLt may round or not.
func TestFactorsAreRoundedToBFloat16(t *testing.T) {
	build := func(b *enginetest.B, input func(name string, dims ...int) *gorgonia.Node) []*gorgonia.Node {
		same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
		groups := same
		groups.Groups = 8
		x, w, dy := input("x", 2, 6, 7, 8), input("w", 3, 3, 8, 16), input("dy", 2, 6, 7, 16)
		return []*gorgonia.Node{
			b.Apply(&op.Conv2D{ConvAttrs: same}, x, w),
			b.Apply(&op.Conv2DBackwardInput{ConvAttrs: same, InputShape: x.Shape()}, dy, w),
			b.Apply(&op.Conv2DBackwardFilter{ConvAttrs: same, FilterShape: w.Shape()}, x, dy),
			b.Apply(&op.Conv2D{ConvAttrs: groups}, x, input("depthwise", 3, 3, 1, 16)),
			b.Apply(&op.MatMul{}, input("a", 70, 90), input("b", 90, 65)), // tiles
			b.Apply(&op.MatMul{}, input("c", 3, 9), input("d", 9, 5)),     // small
			b.Apply(&op.MatMul{TransB: true}, input("e", 1, 90), input("f", 65, 90)),
			b.Apply(&op.MatMul{}, input("e", 1, 90), input("b", 90, 65)),
		}
	}
	// compute runs the graph of inputs that round has changed.
	compute := func(e graph.Engine, round func(float32) float32) [][]float32 {
		b, made := enginetest.NewB(t, tensor.Float32), map[string]*gorgonia.Node{}
		nodes := build(b, func(name string, dims ...int) *gorgonia.Node {
			if made[name] == nil {
				x := numtest.Normal(uint64(len(made)), tensor.Float32, dims...).Data().([]float32)
				for i, v := range x {
					x[i] = round(v)
				}
				made[name] = b.Filled(name, x, dims...)
			}
			return made[name]
		})
		m, err := graph.Compile(b.G, graph.WithEngine(e), graph.WithOutputs(nodes...))
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		require.NoError(t, m.RunAll())
		var all [][]float32
		for _, n := range nodes {
			v, err := m.Value(n)
			require.NoError(t, err)
			all = append(all, append([]float32(nil), v.Data().([]float32)...))
		}
		return all
	}
	want := compute(enginetest.Reference{}, toBFloat16)
	for name, libs := range without {
		got := compute(open(t, cuda.Config{Without: libs, Precision: "bf16"}), func(x float32) float32 { return x })
		for i, w := range want {
			tol := numtest.Tol(tensor.Float32, numtest.Reduction)
			switch convolutions := 4; {
			case len(libs) > 0:
			case i < convolutions:
				tol.Rel += 0x1p-8
			default: // cuBLASLt may leave some factors as they are, each up to half of a last bit of 8 away
				tol.Norm += 0x1p-6
			}
			numtest.AssertClose(t, w, got[i], tol, fmt.Sprintf("%s, result %d", name, i))
		}
	}
}

// toBFloat16 rounds to the nearest number with 8 significant bits, to the even one of two.
func toBFloat16(x float32) float32 {
	if x == 0 {
		return 0
	}
	fraction, exponent := math.Frexp(float64(x))
	return float32(math.Ldexp(math.RoundToEven(math.Ldexp(fraction, 8)), exponent-8))
}
