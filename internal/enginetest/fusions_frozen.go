package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// inferred is batch norm in inference along an axis of c channels, with weights that keep makes.
func (b *B) inferred(name string, x *gorgonia.Node, axis, c int, keep func(*gorgonia.Node) *gorgonia.Node) *gorgonia.Node {
	return b.Apply(&op.BatchNormInference{Axis: axis, Epsilon: 1e-3}, x, keep(b.Input(name+"/gamma", c)), keep(b.Input(name+"/beta", c)),
		keep(b.Input(name+"/mean", c)), keep(b.Positive(name+"/variance", c)))
}

func normFusions() []FusionCase {
	const pass = "norm"
	conv := func(b *B, f shape.Layout, c, groups int) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same, Format: f, Groups: groups}}, b.Input("x", image(f, 2, 4, 3, 4)...),
			b.Weight("w", 3, 3, 4/groups, c))
	}
	bias := func(b *B, y *gorgonia.Node, axis int) *gorgonia.Node {
		return b.Apply(&op.BiasAdd{Axis: axis}, y, b.Weight("bias", y.Shape()[axis]))
	}
	mul := func(b *B, trans bool) *gorgonia.Node {
		w := b.Weight("w", 3, 5)
		if trans {
			w = b.Weight("w", 5, 3)
		}
		return b.Apply(&op.MatMul{TransB: trans}, b.Input("x", 4, 3), w)
	}
	given := func(n *gorgonia.Node) *gorgonia.Node { return n }
	folded := []string{"once", "FoldNorm(", "BiasAdd("}
	return []FusionCase{
		fusion(pass, "convolution", func(b *B) { b.out(b.inferred("bn", conv(b, shape.NHWC, 6, 1), 3, 6, b.Resident)) }, folded, "Inference"),
		fusion(pass, "convolution with bias", func(b *B) {
			b.out(b.inferred("bn", bias(b, conv(b, shape.NHWC, 6, 1), 3), -1, 6, b.Resident))
		}, folded, "Inference"),
		fusion(pass, "groups in NCHW, then ReLU", func(b *B) {
			b.out(b.Apply(&op.ReLU{}, b.inferred("bn", bias(b, conv(b, shape.NCHW, 6, 2), 1), 1, 6, b.Resident)))
		}, folded, "Inference"),
		fusion(pass, "depthwise", func(b *B) { b.out(b.inferred("bn", conv(b, shape.NHWC, 4, 4), 3, 4, b.Resident)) }, folded, "Inference"),
		fusion(pass, "matmul with bias", func(b *B) { b.out(b.inferred("bn", bias(b, mul(b, false), 1), 1, 5, b.Resident)) }, folded, "Inference"),
		fusion(pass, "matmul with transposed weights", func(b *B) { b.out(b.inferred("bn", mul(b, true), 1, 5, b.Resident)) }, folded, "Inference"),
		fusion(pass, "weights that are computed once", func(b *B) {
			w := b.Apply(&op.Scale{Factor: 2}, b.Weight("w", 3, 5))
			b.out(b.inferred("bn", b.Apply(&op.MatMul{}, b.Input("x", 4, 3), w), 1, 5, b.Resident))
		}, folded, "Inference"),
		fusion(pass, "two in a row", func(b *B) {
			y := b.inferred("bn", mul(b, false), 1, 5, b.Resident)
			b.out(b.inferred("second", y, 1, 5, b.Resident))
		}, append([]string{"Inference"}, folded...)),
		fusion(pass, "one filter, two batch norms", func(b *B) {
			x, w := b.Input("x", 2, 4, 4, 3), b.Weight("w", 1, 1, 3, 3)
			c := func(x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Conv2D{}, x, w) }
			b.out(b.inferred("second", c(b.inferred("bn", c(x), 3, 3, b.Resident)), 3, 3, b.Resident))
		}, folded, "Inference"),
		fusion(pass, "statistics that change", func(b *B) {
			b.out(b.inferred("bn", conv(b, shape.NHWC, 6, 1), 3, 6, given))
		}, nil),
		fusion(pass, "a filter that is trained", func(b *B) {
			w := b.Weight("w", 1, 1, 3, 3)
			b.out(b.inferred("bn", b.Apply(&op.Conv2D{}, b.Input("x", 2, 4, 4, 3), w), 3, 3, b.Resident))
			b.Update(w, b.Apply(&op.Scale{Factor: 2}, w))
		}, nil),
		fusion(pass, "along another axis", func(b *B) { b.out(b.inferred("bn", conv(b, shape.NHWC, 3, 1), 2, 3, b.Resident)) }, nil),
		fusion(pass, "the convolution is wanted", func(b *B) {
			b.out(b.inferred("bn", b.out(conv(b, shape.NHWC, 6, 1)), 3, 6, b.Resident))
		}, nil),
		fusion(pass, "a bias that changes", func(b *B) {
			y := b.Apply(&op.BiasAdd{Axis: 3}, conv(b, shape.NHWC, 6, 1), b.Input("bias", 6))
			b.out(b.inferred("bn", y, 3, 6, b.Resident))
		}, nil),
	}
}

func paddingFusions() []FusionCase {
	const pass = "padding"
	pad := func(b *B, x *gorgonia.Node, f shape.Layout, top, bottom, left, right int) *gorgonia.Node {
		return b.Apply(&op.ZeroPad2D{Top: top, Bottom: bottom, Left: left, Right: right, Format: f}, x)
	}
	conv := func(b *B, x *gorgonia.Node, a op.ConvAttrs) *gorgonia.Node {
		_, _, c := a.Format.Axes()
		return b.Apply(&op.Conv2D{ConvAttrs: a}, x, b.Input("w", 3, 3, x.Shape()[c], 4))
	}
	both := func(f shape.Layout, p shape.Padding, widths [4]int) func(b *B) {
		return func(b *B) {
			x := b.Input("x", image(f, 2, 5, 6, 3)...)
			y := conv(b, pad(b, x, f, widths[0], widths[1], widths[2], widths[3]), op.ConvAttrs{Strides: [2]int{2, 1}, Padding: p, Format: f})
			b.out(y)
			b.Grads(y, x)
		}
	}
	return []FusionCase{
		fusion(pass, "forward and backward", both(shape.NHWC, valid, [4]int{1, 1, 1, 1}),
			[]string{"Conv2D(", "explicit(1,1,1,1)", "Conv2DBackwardInput("}, "ZeroPad2D", "Crop2D"),
		fusion(pass, "explicit padding in NCHW", both(shape.NCHW, lopsided, [4]int{0, 1, 2, 1}),
			[]string{"explicit(2,1,3,4)"}, "ZeroPad2D", "Crop2D"),
		fusion(pass, "the filter's gradient", func(b *B) {
			x := pad(b, b.Input("x", 2, 5, 5, 3), shape.NHWC, 2, 2, 2, 2)
			w := b.Input("w", 3, 3, 3, 4)
			b.Grads(b.Apply(&op.Conv2D{}, x, w), w)
		}, []string{"explicit(2,2,2,2)"}, "ZeroPad2D"),
		fusion(pass, "the border is wanted as well", func(b *B) {
			x := b.out(pad(b, b.Input("x", 2, 5, 5, 3), shape.NHWC, 1, 1, 1, 1))
			b.out(conv(b, x, op.ConvAttrs{}))
		}, []string{"ZeroPad2D", "explicit(1,1,1,1)"}),
		fusion(pass, "padding that depends on the size", both(shape.NHWC, same, [4]int{1, 1, 1, 1}), nil),
		fusion(pass, "borders in another layout", func(b *B) {
			b.out(conv(b, pad(b, b.Input("x", 2, 5, 5, 3), shape.NCHW, 1, 1, 1, 1), op.ConvAttrs{}))
		}, nil),
	}
}

// residualFusions are those of the pass "bias" with a residual.
func residualFusions() []FusionCase {
	conv := func(b *B, name string) *gorgonia.Node {
		return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, b.Input(name, 2, 4, 4, 4), b.Input("w", 3, 3, 4, 4))
	}
	bias := func(b *B, y *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.BiasAdd{Axis: -1}, y, b.Input("bias", 4))
	}
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	add := func(b *B, y, z *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, y, z) }
	z := func(b *B) *gorgonia.Node { return b.Input("z", 2, 4, 4, 4) }
	mul := func(b *B) *gorgonia.Node { return b.Apply(&op.MatMul{}, b.Input("x", 4, 3), b.Input("w", 3, 4)) }
	return []FusionCase{
		fusion("bias", "convolution, bias, residual, ReLU", func(b *B) { b.out(relu(b, add(b, bias(b, conv(b, "x")), z(b)))) }, []string{"+bias+add+relu("}),
		fusion("bias", "residual first", func(b *B) { b.out(add(b, z(b), conv(b, "x"))) }, []string{"+add("}, "+bias", "Add("),
		fusion("bias", "of two convolutions, the later one adds", func(b *B) {
			b.out(relu(b, add(b, bias(b, conv(b, "x")), bias(b, conv(b, "u")))))
		}, []string{"+bias(", "+bias+add+relu("}, " Add(", "ReLU("),
		fusion("bias", "also if it comes first in the sum", func(b *B) {
			first := conv(b, "x")
			b.out(add(b, conv(b, "u"), first))
		}, []string{"+add("}, "Add("),
		fusion("bias", "of a convolution that is wanted, the other one adds", func(b *B) {
			b.out(add(b, conv(b, "x"), b.out(conv(b, "u"))))
		}, []string{"+add("}, "Add("),
		fusion("bias", "a chain of blocks", func(b *B) {
			x := relu(b, add(b, bias(b, conv(b, "x")), z(b)))
			y := b.Apply(&op.Conv2D{}, x, b.Input("w2", 1, 1, 4, 4))
			b.out(relu(b, add(b, y, x)))
		}, []string{"+bias+add+relu(", "+add+relu("}, " Add("),
		fusion("bias", "added to itself", func(b *B) {
			y := bias(b, conv(b, "x"))
			b.out(relu(b, add(b, y, y)))
		}, []string{"+bias(", "Add("}, "+add"),
		fusion("bias", "matmul, residual, ReLU", func(b *B) { b.out(relu(b, add(b, mul(b), b.Input("z", 4, 4)))) }, []string{"+add+relu("}),
	}
}
