package enginetest

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// convReLUGradFusions are for an engine that is [Joining].
func convReLUGradFusions() []FusionCase {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	// back is the gradient of the input of a convolution of 3×3 with 4 channels and 5 filters, over images of 6×7.
	back := func(b *B, a op.ConvAttrs) *gorgonia.Node {
		x, dy := []int{2, 6, 7, 4}, []int{2, 6, 7, 5}
		if a.Format == shape.NCHW {
			x, dy = []int{2, 4, 6, 7}, []int{2, 5, 6, 7}
		}
		return b.Apply(&op.Conv2DBackwardInput{ConvAttrs: a, InputShape: x}, b.Input("dy", dy...), b.Input("w", 3, 3, 4, 5))
	}
	mask := func(b *B, dx *gorgonia.Node) *gorgonia.Node {
		return b.Apply(&op.ReLUGrad{}, b.Input("y", dx.Shape().Clone()...), dx)
	}
	sums := func(b *B, dx *gorgonia.Node, axis int) { b.out(b.Apply(&op.BiasGrad{Axis: axis}, dx)) }
	first := same
	first.Format = shape.NCHW
	const joined = ")+ReLUGrad("
	all := []FusionCase{
		fusion("", "alone", func(b *B) { b.out(mask(b, back(b, same))) }, []string{joined}, " ReLUGrad("),
		fusion("", "with sums", func(b *B) { sums(b, b.out(mask(b, back(b, same))), -1) }, []string{")+ReLUGrad+BiasGrad("}, " ReLUGrad"),
		fusion("", "the sums alone are wanted", func(b *B) { sums(b, mask(b, back(b, same)), 3) }, []string{")+ReLUGrad+BiasGrad("}, " ReLUGrad"),
		fusion("", "in the other layout", func(b *B) { sums(b, b.out(mask(b, back(b, first))), 1) }, []string{")+ReLUGrad+BiasGrad("}, " ReLUGrad"),
		fusion("", "two sums", func(b *B) { // the first is of the rows, and the mask is one step with that
			dx := mask(b, back(b, same))
			sums(b, dx, 1)
			sums(b, dx, 3)
		}, nil),
		fusion("", "the gradient is wanted before it is masked", func(b *B) { sums(b, mask(b, b.out(back(b, same))), 3) }, nil),
		fusion("", "others read the gradient before it is masked", func(b *B) {
			dx := back(b, same)
			b.out(mask(b, dx))
			b.out(b.Apply(&op.Scale{Factor: 2}, dx))
		}, nil),
		fusion("", "the gradient masks something else", func(b *B) {
			b.out(b.Apply(&op.ReLUGrad{}, back(b, same), b.Input("dz", 2, 6, 7, 4)))
		}, nil),
		fusion("", "the gradient masks itself", func(b *B) {
			dx := back(b, same)
			b.out(b.Apply(&op.ReLUGrad{}, dx, dx))
		}, nil),
		fusion("", "a sum in between", func(b *B) {
			b.out(mask(b, b.Apply(&op.Add{}, back(b, same), b.Input("z", 2, 6, 7, 4))))
		}, nil),
		fusion("", "of something else", func(b *B) { b.out(mask(b, b.Input("dx", 2, 6, 7, 4))) }, nil),
		fusion("", "two layers", func(b *B) {
			x, w, bias := b.Input("x", 2, 6, 7, 3), b.Input("w", 3, 3, 3, 4), b.Input("bias", 4)
			y := b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{ConvAttrs: same}, x, w), bias))
			b.Grads(b.Apply(&op.Conv2D{ConvAttrs: same}, y, b.Input("next", 3, 3, 4, 5)), x, w, bias)
		}, []string{")+ReLUGrad+BiasGrad("}, " ReLUGrad"),
		fusion("", "two layers and a max pooling between them", func(b *B) {
			x, w, bias := b.Input("x", 2, 6, 8, 3), b.Input("w", 3, 3, 3, 4), b.Input("bias", 4)
			y := b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{ConvAttrs: same}, x, w), bias))
			y = b.Apply(&op.MaxPool2D{}, y)
			b.Grads(b.Apply(&op.Conv2D{ConvAttrs: same}, y, b.Input("next", 3, 3, 4, 5)), x, w, bias)
		}, []string{")+ReLUGrad("}, " ReLUGrad"),
	}
	for i := range all {
		all[i].Pass, all[i].Name = "conv-relu-grad", "conv-relu-grad: "+all[i].Name[len(": "):]
		all[i].After = []string{"cse", "pool", "pool-bias", "relu-bias"}
	}
	return all
}
