//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
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
	for name, libs := range without {
		want, got := enginetest.RoundedProducts(t, open(t, cuda.Config{Without: libs, Precision: "bf16"}))
		for i, w := range want {
			tol := numtest.Tol(tensor.Float32, numtest.Reduction)
			switch {
			case len(libs) > 0:
			case w.Convolution:
				tol.Rel += 0x1p-8
			default: // cuBLASLt may leave some factors as they are, each up to half of a last bit of 8 away
				tol.Norm += 0x1p-6
			}
			numtest.AssertClose(t, w.Value, got[i].Value, tol, name+", "+w.Name)
		}
	}
}
