package enginetest

import (
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// The passes that look for what stock Gorgonia spells out.

// Must hands on what one of Gorgonia's functions returned.
func (b *B) Must(n *gorgonia.Node, err error) *gorgonia.Node {
	b.T.Helper()
	require.NoError(b.T, err)
	return n
}

// number is a constant scalar of the graph's element type.
func (b *B) number(x float64) *gorgonia.Node {
	if b.Dt == tensor.Float32 {
		return gorgonia.NewConstant(float32(x))
	}
	return gorgonia.NewConstant(x)
}

// conv is a stock convolution.
func (b *B) conv(x, w *gorgonia.Node, pad, stride, dilation int) *gorgonia.Node {
	k := w.Shape()[2:]
	return b.Must(gorgonia.Conv2d(x, w, tensor.Shape{k[0], k[1]}, []int{pad, pad}, []int{stride, stride}, []int{dilation, dilation}))
}

// stockNorm is a stock batch norm with a scale and a shift per channel.
func (b *B) stockNorm(x *gorgonia.Node) (y, gamma, beta *gorgonia.Node) {
	c := x.Shape()[1]
	gamma, beta = b.Input("gamma of "+x.Name(), 1, c, 1, 1), b.Input("beta of "+x.Name(), 1, c, 1, 1)
	y, _, _, _, err := gorgonia.BatchNorm(x, gamma, beta, 0.1, 1e-3)
	require.NoError(b.T, err)
	return y, gamma, beta
}

func deadFusions() []FusionCase {
	return []FusionCase{
		fusion("dead", "the values around a dropout that only its gradient names", func(b *B) {
			x := b.Input("x", 3, 5)
			b.Grads(b.Must(gorgonia.Dropout(b.Must(gorgonia.Neg(x)), 0.5)), x)
		}, []string{"Dropout("}, "neg)(%0)"),
		fusion("dead", "logits of which only the gradient is wanted", func(b *B) {
			x := b.Input("x", 3, 5)
			b.Grads(b.Must(gorgonia.SoftMax(b.Must(gorgonia.Neg(x)))), x)
		}, nil), // the probabilities are read, and so are they
	}
}

func foldFusions() []FusionCase {
	return []FusionCase{
		fusion("fold", "the divisor of a mean", func(b *B) {
			b.out(b.Must(gorgonia.Mean(b.Input("x", 3, 5))))
		}, []string{"Binary(/)"}, "Mul("),
		fusion("fold", "nothing that depends on an input", func(b *B) {
			b.out(b.Must(gorgonia.Mul(b.Input("x", 3, 5), b.Input("w", 5, 2))))
		}, nil),
		fusion("fold", "a product that engines make faster", func(b *B) {
			x := make([]float64, 256*256)
			for i := range x {
				x[i] = float64(i%7-3) / 4
			}
			m := b.Must(gorgonia.Reshape(b.constant(x...), tensor.Shape{256, 256}))
			b.out(b.Must(gorgonia.Mul(m, m)))
		}, []string{"MatMul("}, "Reshape"),
	}
}

func algebraFusions() []FusionCase {
	return []FusionCase{
		fusion("algebra", "a reshape of a reshape", func(b *B) {
			y := b.Must(gorgonia.Reshape(b.Must(gorgonia.Reshape(b.Input("x", 4, 6), tensor.Shape{2, 12})), tensor.Shape{8, 3}))
			b.out(b.Must(gorgonia.Neg(y)))
		}, []string{"= Copy(%0) f32(8, 3)"}, "(2, 12)"),
		fusion("algebra", "a permutation and its inverse", func(b *B) {
			y := b.Must(gorgonia.Transpose(b.Must(gorgonia.Transpose(b.Input("x", 2, 3, 4), 2, 0, 1)), 1, 2, 0))
			b.out(b.Must(gorgonia.Neg(y)))
		}, []string{"neg"}, "Permute"),
		fusion("algebra", "a permutation that moves axes of size 1 only", func(b *B) {
			b.out(b.Must(gorgonia.Neg(b.Must(gorgonia.Transpose(b.Input("x", 1, 3, 4), 1, 0, 2)))))
		}, []string{"Copy"}, "Permute"),
		fusion("algebra", "minus minus, times 1, to the power of 2", func(b *B) {
			y := b.Must(gorgonia.Neg(b.Must(gorgonia.Neg(b.Input("x", 2, 3)))))
			y = b.Must(gorgonia.HadamardProd(y, b.number(1)))
			b.out(b.Must(gorgonia.Pow(y, b.number(2))))
		}, []string{"Unary(square)"}, "neg", "Binary"),
		fusion("algebra", "a bias along the columns", func(b *B) {
			b.out(b.Must(gorgonia.BroadcastAdd(b.Input("x", 3, 5), b.Input("b", 5), nil, []byte{0})))
		}, []string{"BiasAdd(axis 1)"}, "Repeat"),
		fusion("algebra", "a factor along the rows", func(b *B) {
			b.out(b.Must(gorgonia.BroadcastHadamardProd(b.Input("x", 3, 5), b.Input("b", 3), nil, []byte{1})))
		}, []string{"Binary(*)"}, "Repeat"),
		fusion("algebra", "both sides stretched stay as they are", func(b *B) {
			b.out(b.Must(gorgonia.BroadcastAdd(b.Input("x", 1, 5), b.Input("b", 3, 1), []byte{0}, []byte{1})))
		}, []string{"arena"}),
		fusion("algebra", "the gradient of a bias", func(b *B) {
			x, bias := b.Input("x", 2, 3, 2, 2), b.Input("b", 1, 3, 1, 1)
			b.Grads(b.Must(gorgonia.BroadcastAdd(x, bias, nil, []byte{0, 2, 3})), bias)
		}, []string{"BiasGrad(axis 1)"}, "Reduce(sum, axes [3])"),
	}
}

func convFusions() []FusionCase {
	conv := func(b *B, pad, stride, dilation int, wrt bool) {
		x, w := b.Input("x", 2, 3, 7, 6), b.Input("w", 4, 3, 3, 3)
		y := b.conv(x, w, pad, stride, dilation)
		b.out(y)
		if wrt {
			b.Grads(y, x, w)
		}
	}
	return []FusionCase{
		fusion("conv", "forward", func(b *B) { conv(b, 1, 1, 1, false) }, []string{"Conv2D("}, "Im2Col", "MatMul"),
		fusion("conv", "forward and backward", func(b *B) { conv(b, 1, 1, 1, true) },
			[]string{"Conv2D(", "Conv2DBackwardInput(", "Conv2DBackwardFilter("}, "Im2Col", "Col2Im", "MatMul"),
		fusion("conv", "stride and dilation", func(b *B) { conv(b, 2, 2, 2, true) },
			[]string{"strides 2x2", "dilations 2x2"}, "Im2Col", "MatMul"),
		fusion("conv", "patches of one pixel are the image", func(b *B) {
			x, w := b.Input("x", 2, 3, 7, 6), b.Input("w", 4, 3, 1, 1)
			y := b.conv(x, w, 0, 1, 1)
			b.out(y)
			b.Grads(y, x, w)
		}, []string{"MatMul("}, "Im2Col", "Col2Im", "Conv2D"),
		fusion("conv", "one pixel in two steps", func(b *B) {
			x, w := b.Input("x", 2, 3, 7, 6), b.Input("w", 4, 3, 1, 1)
			y := b.conv(x, w, 0, 2, 1)
			b.out(y)
			b.Grads(y, x, w)
		}, []string{"Conv2D(", "Conv2DBackwardInput("}, "Im2Col", "Col2Im", "MatMul"),
		fusion("conv", "two that share their patches", func(b *B) {
			x := b.Input("x", 2, 3, 7, 6)
			y := b.Must(gorgonia.Add(b.conv(x, b.Input("w", 4, 3, 3, 3), 1, 1, 1), b.conv(x, b.Input("v", 4, 3, 3, 3), 1, 1, 1)))
			b.out(y)
			b.Grads(y, x)
		}, []string{"Conv2D(", "Conv2DBackwardInput("}, "Im2Col", "Col2Im", "MatMul"),
		fusion("conv", "patches alone stay patches", func(b *B) {
			b.out(b.Must(gorgonia.Im2Col(b.Input("x", 2, 3, 5, 5), tensor.Shape{3, 3}, tensor.Shape{1, 1}, tensor.Shape{1, 1}, tensor.Shape{1, 1})))
		}, nil),
	}
}

func rectifyFusions() []FusionCase {
	return []FusionCase{
		fusion("rectify", "forward and backward", func(b *B) {
			x := b.Input("x", 3, 5)
			y := b.Must(gorgonia.Rectify(x))
			b.out(y)
			b.Grads(y, x)
		}, []string{"ReLU(", "ReLUGrad("}, "Binary(>=)"),
		fusion("rectify", "of a sum, whose terms have the same gradient", func(b *B) {
			x, z := b.Input("x", 3, 5), b.Input("z", 3, 5)
			y := b.Must(gorgonia.Rectify(b.Must(gorgonia.Add(b.Must(gorgonia.Tanh(x)), b.Must(gorgonia.Add(x, z))))))
			b.out(y)
			b.Grads(y, x, z)
		}, []string{"ReLU(", "ReLUGrad("}, "Binary(>=)"),
		fusion("rectify", "a mask of something else", func(b *B) {
			x := b.Input("x", 3, 5)
			mask := b.Must(gorgonia.Gte(x, b.number(0), true))
			b.out(b.Must(gorgonia.HadamardProd(b.Input("z", 3, 5), mask)))
		}, nil),
		fusion("rectify", "another threshold", func(b *B) {
			x := b.Input("x", 3, 5)
			b.out(b.Must(gorgonia.HadamardProd(x, b.Must(gorgonia.Gte(x, b.number(0.5), true)))))
		}, nil),
	}
}

func softmaxFusions() []FusionCase {
	return []FusionCase{
		fusion("softmax", "loss and gradient", func(b *B) {
			z, labels := b.Input("z", 3, 5), b.Labels("labels", 3, 5)
			y := b.Apply(&op.CrossEntropy{}, b.Apply(&op.Softmax{}, z), labels)
			b.out(y)
			b.Grads(y, z)
		}, []string{"SoftmaxCrossEntropy(", "SoftmaxCrossEntropyGrad("}, "Softmax("),
		fusion("softmax", "the probabilities are wanted", func(b *B) {
			y := b.out(b.Apply(&op.Softmax{}, b.Input("z", 3, 5)))
			b.out(b.Apply(&op.CrossEntropy{}, y, b.Labels("labels", 3, 5)))
		}, []string{"SoftmaxCrossEntropy(", " Softmax("}),
		fusion("softmax", "of other probabilities", func(b *B) {
			b.out(b.Apply(&op.CrossEntropy{}, b.Positive("p", 3, 5), b.Labels("labels", 3, 5)))
		}, nil),
	}
}

func affineFusions() []FusionCase {
	after := func(c FusionCase) FusionCase {
		c.After = []string{"fold", "algebra"}
		return c
	}
	return []FusionCase{
		after(fusion("affine", "forward", func(b *B) {
			y, _, _ := b.stockNorm(b.Input("x", 2, 3, 4, 4))
			b.out(y)
		}, []string{"BatchNorm(axis 1"}, "Binary(*)", "BiasAdd")),
		after(fusion("affine", "forward and backward", func(b *B) {
			x := b.Input("x", 2, 3, 4, 4)
			y, gamma, beta := b.stockNorm(x)
			b.out(y)
			b.Grads(y, x, gamma, beta)
		}, []string{"BatchNorm(axis 1", "BatchNormGradScale(axis 1", "BatchNormGradInput(axis 1"}, "Binary(*)", "BiasAdd")),
		after(fusion("affine", "the normalised value is wanted too", func(b *B) {
			x, gamma := b.Input("x", 2, 3, 4, 4), b.Input("gamma", 1, 3, 1, 1)
			y, _, _, _, err := gorgonia.BatchNorm(x, gamma, b.Input("beta", 1, 3, 1, 1), 0.1, 1e-3)
			require.NoError(b.T, err)
			b.out(y)
			b.out(b.Must(gorgonia.Neg(y)))
		}, []string{"BatchNorm(axis 1"}, "Binary(*)")),
	}
}

func layoutFusions() []FusionCase {
	nchw := func(b *B, x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Permute{Axes: []int{0, 3, 1, 2}}, x) }
	nhwc := func(b *B, x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Permute{Axes: []int{0, 2, 3, 1}}, x) }
	return []FusionCase{
		fusion("layout", "elementwise between two permutations", func(b *B) {
			b.out(nhwc(b, b.Apply(&op.ReLU{}, nchw(b, b.Input("x", 2, 4, 5, 3)))))
		}, []string{"ReLU("}, "Permute"),
		fusion("layout", "a sum with an image in the other layout", func(b *B) {
			y := b.Apply(&op.Add{}, nchw(b, b.Input("x", 2, 4, 5, 3)), b.Input("z", 2, 3, 4, 5))
			b.out(nhwc(b, b.Apply(&op.ReLU{}, y)))
		}, []string{"Permute[0 2 3 1]"}, "Permute[0 3 1 2]"),
		fusion("layout", "max pool and its gradient", func(b *B) {
			x := b.Input("x", 2, 4, 6, 3)
			y := b.Must(gorgonia.MaxPool2D(nchw(b, x), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
			b.out(nhwc(b, y))
			b.Grads(nhwc(b, y), x)
		}, []string{"MaxPool2D(", "MaxPool2DGrad("}, "NCHW", "Permute"),
		fusion("layout", "channels", func(b *B) {
			x := nchw(b, b.Input("x", 2, 4, 5, 3))
			y := b.Apply(&op.BiasAdd{Axis: 1}, x, b.Input("bias", 3))
			b.out(b.Apply(&op.BatchMean{Axis: 1}, y))
			b.out(nhwc(b, b.Apply(&op.BatchNormInference{Axis: 1, Epsilon: 1e-3}, y, b.Input("gamma", 3), b.Input("beta", 3), b.Input("mean", 3), b.Positive("variance", 3))))
		}, []string{"BiasAdd(axis 3)", "BatchMean(axis 3)", "BatchNormInference(axis 3"}, "Permute"),
		fusion("layout", "a sum over the pixels", func(b *B) {
			b.out(b.Must(gorgonia.Sum(nchw(b, b.Input("x", 2, 4, 5, 3)), 2, 3)))
		}, []string{"axes [1 2]"}, "Permute"),
		fusion("layout", "a sum over the samples keeps its layout", func(b *B) {
			b.out(b.Must(gorgonia.Sum(nchw(b, b.Input("x", 2, 4, 5, 3)), 0)))
		}, nil),
		fusion("layout", "channels joined", func(b *B) {
			x, z := nchw(b, b.Input("x", 2, 4, 5, 3)), nchw(b, b.Input("z", 2, 4, 5, 2))
			b.out(nhwc(b, b.Must(gorgonia.Concat(1, x, z))))
		}, []string{"Concat(axis 3)"}, "Permute"),
		fusion("layout", "a convolution with channels first and its gradients", func(b *B) {
			x, w := b.Input("x", 2, 3, 6, 5), b.Input("w", 3, 3, 3, 4)
			attrs := op.ConvAttrs{Padding: same, Format: shape.NCHW}
			y := b.Apply(&op.BiasAdd{Axis: 1}, b.Apply(&op.Conv2D{ConvAttrs: attrs}, x, w), b.Input("bias", 4))
			b.out(b.Apply(&op.GlobalAvgPool2D{Format: shape.NCHW}, b.Apply(&op.ReLU{}, y)))
			b.Grads(b.Apply(&op.Conv2D{ConvAttrs: attrs}, b.Apply(&op.ReLU{}, y), b.Input("v", 1, 1, 4, 2)), x, w)
		}, []string{"NHWC", "BiasAdd(axis 3)"}, "NCHW"),
		fusion("layout", "images that are flattened are permuted once", func(b *B) {
			y := b.Apply(&op.ReLU{}, nchw(b, b.Input("x", 2, 4, 5, 3)))
			b.out(b.Apply(&op.Reshape{From: y.Shape().Clone(), To: tensor.Shape{2, 60}}, y))
		}, []string{"Permute[0 3 1 2]"}),
	}
}

func cseFusions() []FusionCase {
	again := func(b *B, x *gorgonia.Node) *gorgonia.Node { // x by another way: Gorgonia merges equal nodes itself
		return b.Must(gorgonia.Reshape(b.Must(gorgonia.Reshape(x, tensor.Shape{3, 2})), tensor.Shape{2, 3}))
	}
	after := func(c FusionCase, passes ...string) FusionCase {
		c.After = passes
		return c
	}
	return []FusionCase{
		after(fusion("cse", "the same twice", func(b *B) {
			x := b.Input("x", 2, 3)
			b.out(b.Must(gorgonia.Neg(b.Must(gorgonia.Exp(x)))))
			b.out(b.Must(gorgonia.Square(b.Must(gorgonia.Exp(again(b, x))))))
		}, []string{"exp"}), "algebra"),
		after(fusion("cse", "both are wanted", func(b *B) {
			x := b.Input("x", 2, 3)
			b.out(b.Must(gorgonia.Exp(x)))
			b.out(b.Must(gorgonia.Exp(again(b, x))))
		}, []string{"exp"}), "algebra"),
		after(fusion("cse", "other attributes, other operands", func(b *B) {
			x := b.Input("x", 2, 3)
			b.out(b.Apply(&op.Scale{Factor: 2}, x))
			b.out(b.Apply(&op.Scale{Factor: 3}, x))
			b.out(b.Apply(&op.Scale{Factor: 3}, b.Input("y", 2, 3)))
			b.out(b.Must(gorgonia.Slice(x, gorgonia.S(0))))
			b.out(b.Must(gorgonia.Slice(x, gorgonia.S(1))))
		}, nil), "algebra"),
		after(fusion("cse", "the permutations around a convolution", func(b *B) {
			x, w := b.Input("x", 2, 3, 7, 6), b.Input("w", 4, 3, 3, 3)
			y := b.conv(x, w, 1, 1, 1)
			b.out(y)
			b.Grads(y, x, w)
		}, []string{"Permute"}), "conv"),
	}
}
