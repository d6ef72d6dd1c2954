package enginetest

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// layerNormCases have lengths of rows that kernels treat differently: vectors of every size and what is left of them, one element, one row,
// rows that a thread, a warp or a block of a GPU handles, and rows that do not stay in registers.
func layerNormCases() []Case {
	var all []Case
	for _, dims := range [][]int{{1, 1}, {1, 13}, {7, 1}, {5, 3}, {3, 5, 8}, {2, 3, 4, 33}, {70, 96}, {1, 384}, {9, 1000}, {3, 1025}, {2, 4100}, {1, 9001}, {1300, 12}} {
		c := dims[len(dims)-1]
		for _, o := range []op.LayerNorm{{}, {NoScale: true}, {NoShift: true}, {NoScale: true, NoShift: true}} {
			if (o.NoScale || o.NoShift) && c > 100 {
				continue
			}
			all = append(all, Case{Name: fmt.Sprintf("layer norm %v, no scale %t, no shift %t", dims, o.NoScale, o.NoShift), Build: func(b *B) {
				in := []*gorgonia.Node{b.Input("x", dims...)}
				if !o.NoScale {
					in = append(in, b.Input("scale", c))
				}
				if !o.NoShift {
					in = append(in, b.Input("shift", c))
				}
				y := b.Want("y", numtest.Gradient, b.Apply(&op.LayerNorm{Epsilon: 1e-3, NoScale: o.NoScale, NoShift: o.NoShift}, in...))
				b.Grads(y, in...)
			}})
		}
	}
	return append(all, Case{Name: "layer norm of NaN and infinities", Build: func(b *B) {
		data := make([]float32, 6*70)
		for i := range data {
			data[i] = float32(i%17) - 3
		}
		data[0], data[2*70+69], data[4*70+33] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
		b.Want("y", numtest.Gradient, b.Apply(&op.LayerNorm{Epsilon: 1e-3}, b.Filled("x", data, 6, 70), b.Input("scale", 70), b.Input("shift", 70)))
	}}, Case{Name: "layer norm of equal elements", Build: func(b *B) {
		data := make([]float32, 3*40)
		for i := range data {
			data[i] = 0.1 * float32(i/40)
		}
		x := b.Filled("x", data, 3, 40)
		b.Want("y", numtest.Gradient, b.Apply(&op.LayerNorm{Epsilon: 1e-3}, x, b.Input("scale", 40), b.Input("shift", 40)))
	}}, Case{Name: "second derivative of layer norm", Build: func(b *B) {
		x, scale, dy := b.Input("x", 5, 7), b.Input("scale", 7), b.Input("dy", 5, 7)
		b.Grads(b.Apply(&op.LayerNormGrad{Epsilon: 1e-3}, x, scale, dy), x, scale, dy)
		b.Grads(b.Apply(&op.LayerNormGradScale{Epsilon: 1e-3}, x, dy), x, dy)
	}}, Case{Name: "layer norm in a residual branch", Build: func(b *B) {
		x, scale, shift, w := b.Input("x", 2, 5, 24), b.Input("scale", 24), b.Input("shift", 24), b.Input("w", 24, 24)
		y := b.node(op.Of(b.Apply(&op.LayerNorm{Epsilon: 1e-3}, x, scale, shift)).Reshape(10, 24))
		y = b.Apply(&op.Add{}, b.node(op.Of(b.Apply(&op.MatMul{}, y, w)).Reshape(2, 5, 24)), x)
		b.Grads(b.Want("y", numtest.Gradient, y), x, scale, shift, w)
	}})
}

func layerNormGradFusions() []FusionCase {
	const pass = "layer-norm-grad"
	norm := func(b *B, x *gorgonia.Node) (y, scale, shift *gorgonia.Node) {
		scale, shift = b.Input("scale", 3), b.Input("shift", 3)
		return b.Apply(&op.LayerNorm{Epsilon: 1e-3}, x, scale, shift), scale, shift
	}
	x := func(b *B) *gorgonia.Node { return b.Input("x", 5, 2, 3) }
	byHand := func(b *B, epsilon float64, axis int, more func(dx, x, dy *gorgonia.Node)) {
		x, dy, scale := b.Input("x", 4, 3), b.Input("dy", 4, 3), b.Input("scale", 3)
		dx := b.Apply(&op.LayerNormGrad{Epsilon: 1e-3}, x, scale, dy)
		b.out(b.Apply(&op.LayerNormGradScale{Epsilon: epsilon}, x, dy))
		b.out(b.Apply(&op.BiasGrad{Axis: axis}, dy))
		more(dx, x, dy)
	}
	alone := func(b *B) func(dx, x, dy *gorgonia.Node) { return func(dx, _, _ *gorgonia.Node) { b.out(dx) } }
	return []FusionCase{
		fusion(pass, "all", func(b *B) {
			x := x(b)
			y, scale, shift := norm(b, x)
			b.Grads(y, x, scale, shift)
		}, []string{"LayerNormBackward(epsilon 0.001)+dscale+dshift"}, "LayerNormGrad(", "LayerNormGradScale", "BiasGrad"),
		fusion(pass, "with a residual branch", func(b *B) {
			x := x(b)
			y, scale, shift := norm(b, x)
			b.Grads(b.Apply(&op.Add{}, x, y), x, scale, shift)
		}, []string{"LayerNormBackward(epsilon 0.001)+add+dscale+dshift"}, "LayerNormGrad("),
		fusion(pass, "no scale", func(b *B) {
			x, shift := x(b), b.Input("shift", 3)
			b.Grads(b.Apply(&op.LayerNorm{Epsilon: 1e-3, NoScale: true}, x, shift), x, shift)
		}, []string{"LayerNormBackward(epsilon 0.001)-scale+dshift"}, "LayerNormGrad("),
		fusion(pass, "no shift", func(b *B) {
			x, scale := x(b), b.Input("scale", 3)
			b.Grads(b.Apply(&op.LayerNorm{Epsilon: 1e-3, NoShift: true}, x, scale), x, scale)
		}, []string{"LayerNormBackward(epsilon 0.001)+dscale"}, "LayerNormGrad("),
		fusion(pass, "neither", func(b *B) {
			x := x(b)
			b.Grads(b.Apply(&op.LayerNorm{Epsilon: 1e-3, NoScale: true, NoShift: true}, x), x)
		}, nil),
		fusion(pass, "the gradient of x is not wanted", func(b *B) {
			y, scale, shift := norm(b, x(b))
			b.Grads(y, scale, shift)
		}, nil),
		fusion(pass, "by hand", func(b *B) { byHand(b, 1e-3, 1, alone(b)) }, []string{"+dscale+dshift"}, "+add"),
		fusion(pass, "another epsilon", func(b *B) { byHand(b, 1e-2, -1, alone(b)) }, []string{"LayerNormBackward(epsilon 0.001)+dshift", "LayerNormGradScale(epsilon 0.01)"}),
		fusion(pass, "sum over another axis", func(b *B) { byHand(b, 1e-3, 0, alone(b)) }, []string{"LayerNormBackward(epsilon 0.001)+dscale", "BiasGrad(axis 0)"}),
		fusion(pass, "the gradient is wanted, and added", func(b *B) {
			byHand(b, 1e-3, -1, func(dx, x, _ *gorgonia.Node) { b.out(b.Apply(&op.Add{}, b.out(dx), x)) })
		}, []string{"+dscale+dshift"}, "+add"),
		fusion(pass, "added to itself", func(b *B) {
			byHand(b, 1e-3, -1, func(dx, _, _ *gorgonia.Node) { b.out(b.Apply(&op.Add{}, dx, dx)) })
		}, []string{"+dscale+dshift"}, "+add"),
		fusion(pass, "added to what is made of the sums", func(b *B) {
			x, dy, scale := b.Input("x", 3, 3), b.Input("dy", 3, 3), b.Input("scale", 3)
			shift := b.out(b.Apply(&op.BiasGrad{Axis: -1}, dy))
			other := b.Apply(&op.BiasAdd{Axis: -1}, x, shift)
			b.out(b.Apply(&op.Add{}, b.Apply(&op.LayerNormGrad{Epsilon: 1e-3}, x, scale, dy), other))
		}, []string{"LayerNormBackward(epsilon 0.001)+dshift"}, "+add"),
		fusion(pass, "x is made of the sum of the gradient", func(b *B) {
			dy := b.Input("dy", 4, 3)
			x := b.Apply(&op.BiasAdd{Axis: 1}, b.Input("x", 4, 3), b.Apply(&op.BiasGrad{Axis: 1}, dy))
			b.out(b.Apply(&op.LayerNormGrad{Epsilon: 1e-3}, x, b.Input("scale", 3), dy))
		}, nil),
	}
}

// NarrowLayerNorms are the steps of a layer normalization of a shape, for operands in bfloat16.
func NarrowLayerNorms(dims []int) []NarrowStep {
	x, c := tensor.Shape(dims), tensor.Shape{dims[len(dims)-1]}
	in := func(s ...tensor.Shape) []tensor.Shape { return s }
	return []NarrowStep{
		{&op.LayerNorm{Epsilon: 1e-3}, in(x, c, c), in(x), nil},
		{&op.LayerNorm{Epsilon: 1e-3, NoScale: true, NoShift: true}, in(x), in(x), nil},
		{&op.LayerNormGrad{Epsilon: 1e-3}, in(x, c, x), in(x), nil},
		{&op.LayerNormGradScale{Epsilon: 1e-3}, in(x, x), in(c), nil},
		{&graph.LayerNormBackward{Epsilon: 1e-3, Add: true, Scale: true, Shift: true}, in(x, c, x, x), in(x, c, c), nil},
		{&graph.LayerNormBackward{Epsilon: 1e-3, NoScale: true, Shift: true}, in(x, x), in(x, c), nil},
	}
}
