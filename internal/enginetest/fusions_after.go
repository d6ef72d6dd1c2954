package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// afterFusions are elementwise steps behind products and convolutions.
func afterFusions() []FusionCase {
	const pass = "epilogues"
	conv := func(b *B, a op.ConvAttrs, x ...int) *gorgonia.Node {
		c := x[3]
		if a.Format == shape.NCHW {
			c = x[1]
		}
		return b.Apply(&op.Conv2D{ConvAttrs: a}, b.Input("x", x...), b.Input("w", 3, 3, c/max(a.Groups, 1), 6))
	}
	small := func(b *B) *gorgonia.Node { return conv(b, op.ConvAttrs{Padding: same}, 2, 5, 7, 3) }
	bias := func(b *B, y *gorgonia.Node, axis int) *gorgonia.Node {
		return b.Apply(&op.BiasAdd{Axis: axis}, y, b.Input("bias", 6))
	}
	mul := func(b *B, rows int) *gorgonia.Node {
		return b.Apply(&op.MatMul{}, b.Input("x", rows, 5), b.Input("w", 5, 6))
	}
	of := func(b *B, y *gorgonia.Node, f func(x op.Expr) op.Expr) *gorgonia.Node { return b.node(f(op.Of(y))) }
	relu6 := func(x op.Expr) op.Expr { return x.ReLU().Minimum(op.Number(1.5)).Minimum(op.Number(6)) }
	clip := func(x op.Expr) op.Expr { return x.ReLU().Minimum(op.Number(6)) }
	swish := func(x op.Expr) op.Expr { return x.Mul(x.Sigmoid()) }
	gelu := func(x op.Expr) op.Expr {
		return x.Mul(op.Number(0.5)).Mul(x.Mul(op.Number(0.7071067811865476)).Erf().Add(op.Number(1)))
	}
	all := []FusionCase{
		fusion(pass, "ReLU with a bound", func(b *B) { b.out(of(b, bias(b, small(b), -1), clip)) }, []string{"+bias+relu6("}, "Binary"),
		fusion(pass, "the same in NCHW", func(b *B) {
			b.out(of(b, bias(b, conv(b, op.ConvAttrs{Format: shape.NCHW}, 1, 3, 9, 8), 1), clip))
		}, []string{"+bias+relu6("}, "Binary"),
		fusion(pass, "the same depthwise", func(b *B) {
			b.out(of(b, bias(b, conv(b, op.ConvAttrs{Groups: 6}, 2, 5, 7, 6), 3), clip))
		}, []string{"+bias+relu6("}, "Binary"),
		fusion(pass, "another bound as well", func(b *B) { b.out(of(b, bias(b, small(b), -1), relu6)) },
			[]string{"+relu+loop(r1 = min(r0, 1.5); r2 = min(r1, 6); out r2)("}, "Loop(", "Binary"),
		fusion(pass, "swish without a bias", func(b *B) { b.out(of(b, small(b), swish)) }, []string{"+swish("}, "Loop(", "Unary"),
		fusion(pass, "GELU behind a product", func(b *B) { b.out(of(b, bias(b, mul(b, 7), 1), gelu)) }, []string{"+bias+gelu("}, "Loop("),
		fusion(pass, "behind a view of a product", func(b *B) {
			y := b.Apply(&op.Reshape{From: []int{6, 6}, To: []int{2, 3, 6}}, bias(b, mul(b, 6), 1))
			b.out(b.node(op.Of(of(b, y, gelu)).Sum(1)))
		}, []string{"+bias+gelu("}, "Loop("),
		fusion(pass, "behind a residual", func(b *B) {
			y := b.Apply(&op.Add{}, bias(b, small(b), -1), b.Input("residual", 2, 5, 7, 6))
			b.out(of(b, y, func(x op.Expr) op.Expr { return x.Tanh() }))
		}, []string{"+bias+add+tanh("}, "Unary"),
		fusion(pass, "behind a product and a residual", func(b *B) {
			y := b.Apply(&op.Add{}, mul(b, 4), b.Input("residual", 4, 6))
			b.out(of(b, y, func(x op.Expr) op.Expr { return x.Exp().Mul(op.Number(0.25)) }))
		}, []string{"+add+loop(r1 = exp r0; r2 = r1 * 0.25; out r2)("}, "Loop("),
		fusion(pass, "a ReLU behind a view", func(b *B) {
			y := b.Apply(&op.Reshape{From: []int{6, 6}, To: []int{36}}, mul(b, 6))
			b.out(b.Apply(&op.Scale{Factor: 2}, b.Apply(&op.Reshape{From: []int{36}, To: []int{4, 9}}, b.Apply(&op.ReLU{}, y))))
		}, []string{"+loop(r1 = max(r0, 0); out r1)("}, " ReLU("),
		fusion(pass, "a loop of a training step, which hands out more", func(b *B) {
			y := of(b, bias(b, mul(b, 5), 1), func(x op.Expr) op.Expr { return x.Sigmoid() })
			z := b.Apply(&op.MatMul{}, y, b.Input("v", 6, 3))
			b.CostGrads(b.node(op.Of(z).Square().Mean()), b.G.ByName("x")[0])
		}, nil),
		fusion(pass, "the sum is wanted", func(b *B) { b.out(of(b, b.out(bias(b, small(b), -1)), swish)) }, nil),
		fusion(pass, "a view of the sum is wanted", func(b *B) {
			y := bias(b, mul(b, 6), 1)
			b.out(b.Apply(&op.Reshape{From: []int{6, 6}, To: []int{36}}, y))
			b.out(of(b, y, swish))
		}, nil),
		fusion(pass, "the sum is an update", func(b *B) {
			y := mul(b, 4)
			b.Update(b.Input("state", 4, 6), y)
			b.out(of(b, y, swish))
		}, nil),
		fusion(pass, "the sum is read twice", func(b *B) {
			y := mul(b, 4)
			b.out(of(b, y, swish))
			b.out(b.Apply(&op.Softmax{}, y))
		}, nil),
		fusion(pass, "of two products", func(b *B) {
			b.out(b.node(op.Of(mul(b, 4)).Mul(op.Of(b.Apply(&op.MatMul{}, b.Input("y", 4, 3), b.Input("v", 3, 6))))))
		}, nil),
		fusion(pass, "with another tensor", func(b *B) {
			b.out(b.node(op.Of(mul(b, 4)).Mul(op.Of(b.Input("scale", 6)))))
		}, nil),
		fusion(pass, "stretched later by another tensor", func(b *B) {
			b.out(b.node(op.Of(mul(b, 1)).Exp().Mul(op.Of(b.Input("scale", 4, 6)))))
		}, []string{"+loop(r1 = exp r0; out r1)(", "Binary(*)("}),
		fusion(pass, "a comparison", func(b *B) {
			y := mul(b, 4)
			b.out(of(b, y, func(x op.Expr) op.Expr { return x.Greater(op.Number(0.5)) }))
		}, []string{"+loop(r1 = r0 > 0.5; out r1)("}),
		fusion(pass, "behind a view, whose result is an output", func(b *B) {
			y := b.Apply(&op.Reshape{From: []int{6, 6}, To: []int{36}}, mul(b, 6))
			b.out(of(b, y, swish))
		}, nil),
	}
	for i := range all {
		all[i].After = []string{"bias", "loops"}
	}
	return all
}
