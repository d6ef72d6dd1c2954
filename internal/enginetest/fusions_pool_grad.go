package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// poolReLUGradFusions are for an engine that is [Joining].
func poolReLUGradFusions() []FusionCase {
	const joined, summed, mask, pool, sum = " ReLUGrad+MaxPool2DGrad(", ")+BiasGrad(", " ReLUGrad(", " MaxPool2DGrad(", " BiasGrad("
	x := func(b *B) *gorgonia.Node { return b.Input("x", 2, 5, 6, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	sums := func(b *B, dx *gorgonia.Node, axis int) { b.out(b.Apply(&op.BiasGrad{Axis: axis}, dx)) }
	// pooled is what a convolution makes of a max pooling.
	pooled := func(b *B, a op.PoolAttrs, y *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.Conv2D{}, b.Apply(&op.MaxPool2D{PoolAttrs: a}, y), b.Input("next", 1, 1, 3, 4))
	}
	// byHand is the gradient of a pooling of x behind a mask, and what is masked.
	byHand := func(b *B, a op.PoolAttrs, of func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node)) (dx, masked *gorgonia.Node) {
		in := x(b)
		y := b.Apply(&op.MaxPool2D{PoolAttrs: a}, in)
		z, dy := of(y, b.Input("dy", y.Shape().Clone()...))
		masked = b.Apply(&op.ReLUGrad{}, z, dy)
		return b.out(b.Apply(&op.MaxPool2DGrad{PoolAttrs: a}, in, y, masked)), masked
	}
	plain := func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node) { return y, dy }
	first := three
	first.Format = shape.NCHW
	all := []FusionCase{
		fusion("", "alone", func(b *B) {
			in := x(b)
			b.Grads(pooled(b, halves, relu(b, in)), in)
		}, []string{joined}, mask, pool, sum),
		fusion("", "windows that overlap", func(b *B) {
			in := x(b)
			b.Grads(pooled(b, three, relu(b, in)), in)
		}, []string{joined}, mask, pool),
		fusion("", "in the other layout", func(b *B) {
			byHand(b, first, plain)
		}, []string{joined}, mask, pool),
		fusion("", "with sums", func(b *B) {
			in, bias := x(b), b.Input("bias", 3)
			y := relu(b, b.Apply(&op.BiasAdd{Axis: -1}, in, bias))
			b.Grads(pooled(b, halves, y), in, bias)
		}, []string{joined, summed}, mask, pool, sum),
		fusion("", "sums of the smaller gradient", func(b *B) {
			_, masked := byHand(b, halves, plain)
			sums(b, masked, 3)
		}, []string{joined, summed}, " ReLUGrad+BiasGrad", pool, sum),
		fusion("", "sums of the smaller gradient over another axis", func(b *B) {
			_, masked := byHand(b, halves, plain)
			sums(b, masked, 1)
		}, nil),
		fusion("", "sums of both", func(b *B) {
			dx, masked := byHand(b, halves, plain)
			sums(b, masked, 3)
			sums(b, dx, 3)
		}, nil),
		fusion("", "what is masked is wanted", func(b *B) {
			_, masked := byHand(b, halves, plain)
			b.out(masked)
		}, nil),
		fusion("", "others read what is masked", func(b *B) {
			_, masked := byHand(b, halves, plain)
			b.out(b.Apply(&op.MaxPool2D{}, masked))
		}, nil),
		fusion("", "the mask of something else", func(b *B) {
			byHand(b, halves, func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node) { return b.Input("z", y.Shape().Clone()...), dy })
		}, nil),
		fusion("", "the gradient masks the maxima", func(b *B) {
			byHand(b, halves, func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node) { return dy, y })
		}, nil),
		fusion("", "the maxima mask themselves", func(b *B) {
			byHand(b, halves, func(y, _ *gorgonia.Node) (_, _ *gorgonia.Node) { return y, y })
		}, []string{joined}, mask, pool),
		fusion("", "the maximum comes from elsewhere", func(b *B) {
			in := x(b)
			y := b.pooledTwice(in)
			b.out(b.Apply(&op.MaxPool2DGrad{PoolAttrs: halves}, in, y, b.Apply(&op.ReLUGrad{}, y, b.Input("dy", 2, 2, 3, 3))))
		}, nil),
		fusion("", "no ReLU", func(b *B) {
			in := x(b)
			b.Grads(pooled(b, halves, in), in)
		}, nil),
		fusion("", "a product in front of the mask", func(b *B) {
			in := x(b)
			b.Grads(b.Apply(&op.MaxPool2D{PoolAttrs: halves}, relu(b, in)), in)
		}, []string{joined}, mask, pool),
		fusion("", "a sum in front of the mask", func(b *B) {
			byHand(b, halves, func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node) {
				return y, b.Apply(&op.Add{}, dy, b.Input("z", y.Shape().Clone()...))
			})
		}, []string{joined}, mask, pool),
		fusion("", "a sum in front of the mask that is wanted, and sums of channels", func(b *B) {
			_, masked := byHand(b, halves, func(y, dy *gorgonia.Node) (_, _ *gorgonia.Node) {
				return y, b.out(b.Apply(&op.Add{}, dy, b.Input("z", y.Shape().Clone()...)))
			})
			sums(b, masked, 3)
		}, []string{joined, summed}, " ReLUGrad+BiasGrad", pool, sum),
	}
	for i := range all {
		all[i].Pass, all[i].Name = "pool-relu-grad", "pool-relu-grad: "+all[i].Name[len(": "):]
		all[i].After = []string{"cse", "pool", "pool-bias", "relu-bias"}
	}
	return all
}
