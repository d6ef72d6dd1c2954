package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

var (
	halves = op.PoolAttrs{}
	three  = op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: same}
)

// unpooled is the gradient of a max pooling of x.
func (b *B) unpooled(a op.PoolAttrs, x *gorgonia.Node, dy string) *gorgonia.Node {
	y := b.out(b.Apply(&op.MaxPool2D{PoolAttrs: a}, x))
	return b.Apply(&op.MaxPool2DGrad{PoolAttrs: a}, x, y, b.Input(dy, y.Shape().Clone()...))
}

// pooledTwice is the maximum of the windows of x and once more that of each alone, which no pass sees through.
func (b *B) pooledTwice(x *gorgonia.Node) *gorgonia.Node {
	return b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{1, 1}}}, b.Apply(&op.MaxPool2D{PoolAttrs: halves}, x))
}

func poolFusions() []FusionCase {
	const pass = "pool"
	x := func(b *B) *gorgonia.Node { return b.Input("x", 2, 5, 6, 3) }
	relu := func(b *B, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLU{}, y) }
	mask := func(b *B, y, dy *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.ReLUGrad{}, y, dy) }
	return []FusionCase{
		fusion(pass, "behind a ReLU", func(b *B) {
			in := x(b)
			b.Grads(b.Apply(&op.MaxPool2D{PoolAttrs: halves}, relu(b, in)), in)
		}, []string{"ReLUGrad(%3, %6) f32(2, 2, 3, 3)"}, "ReLUGrad(%2"),
		fusion(pass, "windows that overlap", func(b *B) {
			in := x(b)
			b.Grads(b.Apply(&op.MaxPool2D{PoolAttrs: three}, relu(b, in)), in)
		}, []string{"ReLUGrad(%3, %6) f32(2, 3, 3, 3)"}, "ReLUGrad(%2"),
		fusion(pass, "the pooling's gradient is wanted", func(b *B) {
			y := relu(b, x(b))
			b.out(mask(b, y, b.out(b.unpooled(halves, y, "dy"))))
		}, nil),
		fusion(pass, "the pooling's gradient is read twice", func(b *B) {
			y := relu(b, x(b))
			dx := b.unpooled(halves, y, "dy")
			b.out(b.Apply(&op.Add{}, dx, mask(b, y, dx)))
		}, nil),
		fusion(pass, "the ReLU of something else", func(b *B) {
			b.out(mask(b, b.Input("z", 2, 5, 6, 3), b.unpooled(halves, relu(b, x(b)), "dy")))
		}, nil),
		fusion(pass, "the maximum comes from elsewhere", func(b *B) {
			y := relu(b, x(b))
			b.out(mask(b, y, b.Apply(&op.MaxPool2DGrad{PoolAttrs: halves}, y, b.pooledTwice(y), b.Input("dy", 2, 2, 3, 3))))
		}, nil),
	}
}

func poolBiasFusions() []FusionCase {
	const pass = "pool-bias"
	x := func(b *B) *gorgonia.Node { return b.Input("x", 2, 5, 6, 3) }
	sums := func(b *B, dx *gorgonia.Node, axis int) *gorgonia.Node {
		return b.out(b.Apply(&op.BiasGrad{Axis: axis}, dx))
	}
	first := three
	first.Format = shape.NCHW
	return []FusionCase{
		fusion(pass, "the gradient is wanted", func(b *B) { sums(b, b.out(b.unpooled(halves, x(b), "dy")), -1) }, []string{"+BiasGrad("}, " BiasGrad("),
		fusion(pass, "the sums alone are", func(b *B) { sums(b, b.unpooled(three, x(b), "dy"), 3) }, []string{"+BiasGrad("}, " BiasGrad("),
		fusion(pass, "in the other layout", func(b *B) { sums(b, b.unpooled(first, x(b), "dy"), 1) }, []string{"+BiasGrad("}, " BiasGrad("),
		fusion(pass, "sums over another axis", func(b *B) { sums(b, b.unpooled(halves, x(b), "dy"), 1) }, nil),
		fusion(pass, "the maximum comes from elsewhere", func(b *B) {
			in := x(b)
			sums(b, b.Apply(&op.MaxPool2DGrad{PoolAttrs: halves}, in, b.pooledTwice(in), b.Input("dy", 2, 2, 3, 3)), 3)
		}, nil),
		fusion(pass, "through a bias and a ReLU", func(b *B) {
			bias := b.Input("bias", 3)
			y := b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, x(b), bias))
			b.Grads(b.Apply(&op.MaxPool2D{PoolAttrs: halves}, y), bias)
		}, nil),
	}
}

func reluBiasFusions() []FusionCase {
	const pass = "relu-bias"
	const fused, alone = "ReLUGrad+BiasGrad(", " BiasGrad("
	masked := func(b *B, dy *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.ReLUGrad{}, b.Input("y", dy.Shape().Clone()...), dy)
	}
	dy := func(b *B, dims ...int) *gorgonia.Node { return b.Input("dy", dims...) }
	sums := func(b *B, dx *gorgonia.Node, axis int) { b.out(b.Apply(&op.BiasGrad{Axis: axis}, dx)) }
	return []FusionCase{
		fusion(pass, "the gradient is wanted", func(b *B) { sums(b, b.out(masked(b, dy(b, 2, 5, 6, 8))), -1) }, []string{fused}, alone),
		fusion(pass, "the sums alone are", func(b *B) { sums(b, masked(b, dy(b, 7, 5)), 1) }, []string{fused}, alone),
		fusion(pass, "in the other layout", func(b *B) { sums(b, b.out(masked(b, dy(b, 2, 3, 5, 6))), 1) }, []string{fused}, alone),
		fusion(pass, "two sums", func(b *B) {
			dx := masked(b, dy(b, 4, 6))
			sums(b, dx, 0)
			sums(b, dx, 1)
		}, []string{fused, alone}),
		fusion(pass, "through a bias and a ReLU", func(b *B) {
			x, w, bias := b.Input("x", 2, 5, 6, 3), b.Input("w", 3, 3, 3, 8), b.Input("bias", 8)
			y := b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{}, x, w), bias))
			b.Grads(b.Apply(&op.Conv2D{}, y, b.Input("next", 2, 2, 8, 5)), x, w, bias)
		}, []string{fused}, alone),
		fusion(pass, "of a sum that a loop makes", func(b *B) {
			sums(b, b.out(masked(b, b.Apply(&op.Add{}, dy(b, 4, 6), b.Input("z", 4, 6)))), 1)
		}, nil),
		fusion(pass, "of a sum that others read", func(b *B) {
			sums(b, b.out(masked(b, b.out(b.Apply(&op.Add{}, dy(b, 4, 6), b.Input("z", 4, 6))))), 1)
		}, []string{fused}, alone),
	}
}
