package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// filterFusions are updates of the kernels of convolutions with the gradient that is made for them: large, and of few positions.
func filterFusions() []FusionCase {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	attrs := func(change func(a *op.ConvAttrs)) op.ConvAttrs {
		a := same
		change(&a)
		return a
	}
	// layer is a convolution of n images of size×size pixels and its loss.
	type layer struct{ w, v, lr, cost *gorgonia.Node }
	conv := func(b *B, a op.ConvAttrs, n, size, c, kernel, f int) layer {
		x := []int{n, size, size, c}
		if a.Format == shape.NCHW {
			x = []int{n, c, size, size}
		}
		w := b.Input("w", kernel, kernel, c/max(a.Groups, 1), f)
		y := b.Apply(&op.Conv2D{ConvAttrs: a}, b.Input("x", x...), w)
		cost := b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, y, b.Input("r", y.Shape()...)))
		return layer{w, b.Input("v", w.Shape()...), b.Scalar("lr", 0.1), cost}
	}
	penalized := func(b *B, l layer) layer {
		l.cost = b.Apply(&op.Add{}, l.cost, b.Apply(&op.L2Penalty{Lambda: 1e-4}, l.w))
		return l
	}
	momentum := func(b *B, l layer, g *gorgonia.Node) {
		v := b.Apply(&op.Momentum{Momentum: 0.9}, l.v, g, l.lr)
		b.Update(l.v, v)
		b.Update(l.w, b.Apply(&op.Add{}, l.w, v))
	}
	nesterov := func(b *B, l layer, g *gorgonia.Node) {
		g = b.Apply(&op.WeightDecay{Rate: 0.01}, g, l.w)
		v := b.Apply(&op.Momentum{Momentum: 0.9}, l.v, g, l.lr)
		b.Update(l.v, v)
		b.Update(l.w, b.Apply(&op.Nesterov{Momentum: 0.9}, l.w, v, g, l.lr))
	}
	adam := func(b *B, l layer, g *gorgonia.Node) {
		s := b.Positive("s", l.w.Shape()...)
		m1, v1 := b.Apply(&op.AdamMean{Beta: 0.9}, l.v, g), b.Apply(&op.AdamSquare{Beta: 0.999}, s, g)
		b.Update(l.v, m1)
		b.Update(s, v1)
		b.Update(l.w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, l.w, m1, v1, l.lr, b.Int("t", 2)))
	}
	grad := func(b *B, l layer) *gorgonia.Node {
		grads, err := gorgonia.Grad(l.cost, l.w)
		if err != nil {
			b.T.Fatal(err)
		}
		return grads[0]
	}
	step := func(b *B, l layer, by func(*B, layer, *gorgonia.Node)) {
		by(b, l, grad(b, l))
		b.out(l.cost)
	}
	const l2 = "+l2(lambda 0.0001)+penalty(lambda 0.0001)("
	gone := []string{"AddL2Grad", "L2Penalty("}
	return []FusionCase{
		fusion("", "of a convolution of tiny maps", func(b *B) {
			step(b, penalized(b, conv(b, same, 3, 2, 173, 3, 170)), momentum)
		}, []string{"Conv2DBackwardFilter(", "+MomentumUpdate(momentum 0.9, decay 0)" + l2}, gone...),
		fusion("", "of a convolution of one pixel, whose kernel's border sees padding only", func(b *B) {
			step(b, penalized(b, conv(b, same, 5, 1, 173, 3, 170)), nesterov)
		}, []string{"Conv2DBackwardFilter(", "decay 0.01)+nesterov" + l2}, gone...),
		fusion("", "of a convolution, by Adam", func(b *B) {
			step(b, penalized(b, conv(b, same, 3, 5, 173, 3, 170)), adam)
		}, []string{"Conv2DBackwardFilter(", "+AdamUpdate(", l2}, gone...),
		fusion("", "of a pointwise convolution", func(b *B) {
			step(b, conv(b, op.ConvAttrs{}, 5, 3, 521, 1, 509), momentum)
		}, []string{"+MomentumUpdate(momentum 0.9, decay 0)("}),
		fusion("", "of a convolution with strides", func(b *B) {
			step(b, conv(b, attrs(func(a *op.ConvAttrs) { a.Strides = [2]int{2, 2} }), 2, 9, 173, 3, 170), momentum)
		}, []string{"+MomentumUpdate(momentum 0.9, decay 0)("}),
		fusion("", "of a convolution in groups", func(b *B) {
			step(b, conv(b, attrs(func(a *op.ConvAttrs) { a.Groups = 2 }), 2, 5, 346, 3, 170), adam)
		}, []string{"+AdamUpdate("}),
		fusion("", "of a convolution with channels first", func(b *B) {
			step(b, conv(b, attrs(func(a *op.ConvAttrs) { a.Format = shape.NCHW }), 2, 3, 173, 3, 170), momentum)
		}, []string{"+MomentumUpdate(momentum 0.9, decay 0)("}),
		fusion("", "the gradient of a convolution is wanted", func(b *B) {
			l := conv(b, same, 3, 2, 173, 3, 170)
			momentum(b, l, b.out(grad(b, l)))
		}, nil),
		fusion("", "of a small convolution", func(b *B) { step(b, conv(b, same, 3, 4, 5, 3, 7), momentum) }, nil),
		fusion("", "of a convolution of many positions", func(b *B) { step(b, conv(b, op.ConvAttrs{}, 2, 12, 521, 1, 509), momentum) }, nil),
	}
}
