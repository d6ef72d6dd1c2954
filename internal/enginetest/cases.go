package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Cases is the table of the suite.
func Cases() []Case {
	var all []Case
	all = append(all, convCases()...)
	all = append(all, poolCases()...)
	all = append(all, channelCases()...)
	all = append(all, layerNormCases()...)
	all = append(all, denseCases()...)
	all = append(all, lossCases()...)
	all = append(all, specialCases()...)
	all = append(all, augmentCases()...)
	all = append(all, cropAndResizeCases()...)
	all = append(all, affineTransformCases()...)
	all = append(all, updateCases()...)
	all = append(all, netCases()...)
	all = append(all, frozenCases()...)
	all = append(all, wiringCases()...)
	all = append(all, primitiveCases()...)
	for _, f := range FusionCases() {
		all = append(all, f.Case)
	}
	return all
}

var (
	same     = shape.Padding{Mode: shape.Same}
	valid    = shape.Padding{}
	lopsided = shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 0, Left: 1, Right: 3}
)

// image returns the shape of a batch of images in a layout.
func image(f shape.Layout, n, h, w, c int) []int {
	if f == shape.NCHW {
		return []int{n, c, h, w}
	}
	return []int{n, h, w, c}
}

func convCases() []Case {
	var all []Case
	for _, c := range []struct {
		name         string
		n, h, w, cin int
		kh, kw, cout int
		strides, dil [2]int
		groups       int
		padding      shape.Padding
		bias, relu   bool
	}{
		{"3x3 same", 2, 7, 9, 5, 3, 3, 6, [2]int{}, [2]int{}, 1, same, true, true},
		{"3x3 valid batch 1", 1, 8, 8, 3, 3, 3, 16, [2]int{}, [2]int{}, 1, valid, true, false},
		{"3x3 wide channels", 3, 5, 5, 33, 3, 3, 37, [2]int{}, [2]int{}, 1, same, false, true},
		{"3x3 stride 2 same even", 2, 8, 8, 4, 3, 3, 8, [2]int{2, 2}, [2]int{}, 1, same, false, false},
		{"3x3 stride 2 same odd", 2, 7, 9, 4, 3, 3, 8, [2]int{2, 2}, [2]int{}, 1, same, false, false},
		{"3x3 stride 2x1", 2, 7, 6, 4, 3, 3, 5, [2]int{2, 1}, [2]int{}, 1, valid, true, false},
		{"1x1", 2, 5, 5, 16, 1, 1, 32, [2]int{}, [2]int{}, 1, valid, false, false},
		{"1x1 stride 2", 2, 8, 7, 16, 1, 1, 8, [2]int{2, 2}, [2]int{}, 1, valid, false, false},
		{"7x7 stride 2 stem", 2, 21, 21, 3, 7, 7, 8, [2]int{2, 2}, [2]int{}, 1, valid, false, false},
		{"dilation 2", 1, 11, 9, 3, 3, 3, 4, [2]int{}, [2]int{2, 2}, 1, same, true, true},
		{"dilation 2 stride 2", 1, 11, 9, 3, 3, 3, 4, [2]int{2, 2}, [2]int{2, 2}, 1, same, false, false},
		{"groups 2", 2, 6, 5, 8, 3, 3, 6, [2]int{}, [2]int{}, 2, same, true, false},
		{"depthwise", 2, 6, 5, 8, 3, 3, 8, [2]int{}, [2]int{}, 8, same, true, true},
		{"explicit lopsided padding", 2, 6, 7, 3, 4, 2, 5, [2]int{1, 2}, [2]int{}, 1, lopsided, true, true},
		{"5x1 kernel", 2, 9, 4, 3, 5, 1, 5, [2]int{}, [2]int{}, 1, same, false, false},
		{"map smaller than kernel", 2, 2, 1, 7, 3, 3, 9, [2]int{}, [2]int{}, 1, same, true, true},
	} {
		for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
			all = append(all, Case{Name: fmt.Sprintf("conv2d %s %v", c.name, f), Build: func(b *B) {
				x := b.Input("x", image(f, c.n, c.h, c.w, c.cin)...)
				w := b.Input("w", c.kh, c.kw, c.cin/c.groups, c.cout)
				wrt := []*gorgonia.Node{x, w}
				y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: c.strides, Dilations: c.dil, Groups: c.groups, Padding: c.padding, Format: f}}, x, w)
				if c.bias {
					bias := b.Input("bias", c.cout)
					_, _, axis := f.Axes()
					y = b.Apply(&op.BiasAdd{Axis: axis}, y, bias)
					wrt = append(wrt, bias)
				}
				if c.relu {
					y = b.Apply(&op.ReLU{}, y)
				}
				b.Want("y", numtest.Reduction, y)
				b.Grads(y, wrt...)
			}})
		}
	}
	return all
}

func poolCases() []Case {
	var all []Case
	for _, c := range []struct {
		name          string
		n, h, w, ch   int
		pool, strides [2]int
		padding       shape.Padding
	}{
		{"2x2", 2, 6, 8, 5, [2]int{2, 2}, [2]int{}, valid},
		{"2x2 ragged", 1, 7, 5, 17, [2]int{2, 2}, [2]int{}, valid},
		{"3x3 stride 2 same", 2, 8, 8, 4, [2]int{3, 3}, [2]int{2, 2}, same},
		{"3x3 stride 2 same odd", 2, 7, 9, 4, [2]int{3, 3}, [2]int{2, 2}, same},
		{"overlapping valid", 3, 9, 7, 3, [2]int{3, 3}, [2]int{1, 2}, valid},
		{"lopsided", 2, 6, 6, 3, [2]int{4, 4}, [2]int{2, 3}, lopsided},
	} {
		for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
			attrs := op.PoolAttrs{Pool: c.pool, Strides: c.strides, Padding: c.padding, Format: f}
			all = append(all, Case{Name: fmt.Sprintf("max pool %s %v", c.name, f), Build: func(b *B) {
				x := b.Input("x", image(f, c.n, c.h, c.w, c.ch)...)
				y := b.Want("y", numtest.Elementwise, b.Apply(&op.MaxPool2D{PoolAttrs: attrs}, x))
				b.Grads(y, x)
			}}, Case{Name: fmt.Sprintf("second derivative of max pool %s %v", c.name, f), Build: func(b *B) {
				x := b.Input("x", image(f, c.n, c.h, c.w, c.ch)...)
				y := b.Apply(&op.MaxPool2D{PoolAttrs: attrs}, x)
				dy := b.Input("dy", y.Shape().Clone()...)
				b.Grads(b.Want("dx", numtest.Gradient, b.Apply(&op.MaxPool2DGrad{PoolAttrs: attrs}, x, y, dy)), dy)
			}}, Case{Name: fmt.Sprintf("average pool %s %v", c.name, f), Build: func(b *B) {
				x := b.Input("x", image(f, c.n, c.h, c.w, c.ch)...)
				y := b.Want("y", numtest.Reduction, b.Apply(&op.AvgPool2D{PoolAttrs: attrs}, x))
				b.Grads(y, x)
			}})
		}
	}
	for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
		all = append(all, Case{Name: fmt.Sprintf("global average pool %v", f), Build: func(b *B) {
			x := b.Input("x", image(f, 3, 5, 7, 19)...)
			b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.GlobalAvgPool2D{Format: f}, x)), x)
		}}, Case{Name: fmt.Sprintf("zero padding %v", f), Build: func(b *B) {
			x := b.Input("x", image(f, 2, 5, 3, 7)...)
			y := b.Apply(&op.ZeroPad2D{Top: 3, Bottom: 1, Left: 0, Right: 2, Format: f}, x)
			b.Grads(b.Want("y", numtest.Elementwise, y), x)
		}})
	}
	// Ties: the gradient goes to the first of the equal maxima.
	all = append(all, Case{Name: "max pool ties", Build: func(b *B) {
		data := make([]float32, 2*6*6*3)
		for i := range data {
			data[i] = float32(i % 2)
		}
		x := b.Filled("x", data, 2, 6, 6, 3)
		y := b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: same}}, x)
		b.Grads(b.Want("y", numtest.Elementwise, y), x)
	}})
	return all
}

func channelCases() []Case {
	var all []Case
	for _, c := range []struct {
		shape []int
		axis  int
	}{
		{[]int{4, 3, 5, 6}, -1}, {[]int{1, 7, 7, 33}, 3}, {[]int{4, 6, 3, 5}, 1}, {[]int{9, 17}, -1}, {[]int{1, 1, 1, 5}, -1},
		{[]int{9, 31, 33, 3}, -1}, {[]int{3, 2, 61, 67}, 1}, {[]int{700, 300}, -1}, // sums that are worth cutting
	} {
		ch := c.shape[(c.axis+len(c.shape))%len(c.shape)]
		for _, after := range []string{"", "relu", "add relu"} {
			all = append(all, Case{Name: fmt.Sprintf("batch norm training %v axis %d %s", c.shape, c.axis, after), Build: func(b *B) {
				batchNorm(b, c.shape, ch, c.axis, after, true)
			}}, Case{Name: fmt.Sprintf("batch norm inference %v axis %d %s", c.shape, c.axis, after), Build: func(b *B) {
				batchNorm(b, c.shape, ch, c.axis, after, false)
			}})
		}
		all = append(all, Case{Name: fmt.Sprintf("bias and channel affine %v axis %d", c.shape, c.axis), Build: func(b *B) {
			x, bias := b.Input("x", c.shape...), b.Input("bias", ch)
			shift := make([]float64, ch)
			for i := range shift {
				shift[i] = float64(i) / 8
			}
			y := b.Apply(&op.ChannelAffine{Axis: c.axis, Scale: 255, Shift: shift}, b.Apply(&op.BiasAdd{Axis: c.axis}, x, bias))
			b.Grads(b.Want("y", numtest.Reduction, y), x, bias)
		}}, Case{Name: fmt.Sprintf("second derivative of a bias %v axis %d", c.shape, c.axis), Build: func(b *B) {
			dy := b.Input("dy", c.shape...)
			b.Grads(b.Want("db", numtest.Reduction, b.Apply(&op.BiasGrad{Axis: c.axis}, dy)), dy)
		}})
	}
	for _, training := range []bool{true, false} {
		for _, c := range []struct {
			shape []int
			axis  int
		}{{[]int{4, 3, 5, 33}, 3}, {[]int{4, 7, 3, 5}, 1}} {
			all = append(all, Case{Name: fmt.Sprintf("batch norm of large means, training %v, %v axis %d", training, c.shape, c.axis),
				Build: func(b *B) { largeMeans(b, c.shape, c.axis, training) }})
		}
	}
	return all
}

// batchNorm builds batch normalization, optionally followed by a residual addition and a ReLU, with its gradients and
// the updates of its running averages.
func batchNorm(b *B, dims []int, ch, axis int, after string, training bool) {
	const epsilon = 1e-3
	x, gamma, beta := b.Input("x", dims...), b.Input("gamma", ch), b.Input("beta", ch)
	wrt := []*gorgonia.Node{x, gamma, beta}
	var y *gorgonia.Node
	if training {
		var mean, variance *gorgonia.Node
		var err error
		y, mean, variance, err = op.BatchNormTraining(x, gamma, beta, axis, epsilon)
		if err != nil {
			b.T.Fatal(err)
		}
		moving := b.Input("moving mean", ch)
		movingVariance := b.Positive("moving variance", ch)
		b.Update(moving, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1}, moving, mean))
		b.Update(movingVariance, b.Apply(&op.MovingAverage{Momentum: 0.9, Factor: 1.25}, movingVariance, variance))
	} else {
		y = b.Apply(&op.BatchNormInference{Axis: axis, Epsilon: epsilon}, x, gamma, beta, b.Input("mean", ch), b.Positive("variance", ch))
	}
	if after == "add relu" {
		z := b.Input("z", dims...)
		y = b.Apply(&op.Add{}, y, z)
		wrt = append(wrt, z)
	}
	if after != "" {
		y = b.Apply(&op.ReLU{}, y)
	}
	if training && tensor.Shape(dims).TotalSize() == ch {
		wrt = wrt[1:] // one element a channel: the gradient of x is 0, what float32 makes of it is rounding of large terms
	}
	b.Grads(b.Want("y", numtest.Reduction, y), wrt...)
}

// largeMeans builds batch normalization of channels whose means are 10,000 standard deviations from 0: only the rounding of
// an engine may count, not that of the inputs, which are what they are. The second half of the batch, of even size, mirrors
// the first about the channel's mean, which makes the mean a float32 number, as engines keep it.
func largeMeans(b *B, dims []int, axis int, training bool) {
	const epsilon = 1e-3
	ch, inner := dims[axis], op.Len(dims[axis+1:])
	mean := make([]float32, ch)
	for c := range mean {
		mean[c] = 1e4 * float32(1-2*(c%2))
	}
	data := numtest.Normal(seedOf("large means"), tensor.Float32, dims...).Data().([]float32)
	half := len(data) / 2
	for i := range half {
		m := mean[i/inner%ch]
		data[i] += m
		data[half+i] = m - (data[i] - m)
	}
	x, gamma, beta := b.Filled("x", data, dims...), b.Input("gamma", ch), b.Input("beta", ch)
	var y *gorgonia.Node
	if training {
		var err error
		if y, _, _, err = op.BatchNormTraining(x, gamma, beta, axis, epsilon); err != nil {
			b.T.Fatal(err)
		}
	} else {
		y = b.Apply(&op.BatchNormInference{Axis: axis, Epsilon: epsilon}, x, gamma, beta, b.Filled("mean", mean, ch), b.Positive("variance", ch))
	}
	b.Grads(b.Want("y", numtest.Reduction, y), x, gamma, beta)
}

func denseCases() []Case {
	var all []Case
	for _, c := range []struct{ m, k, n int }{{5, 7, 9}, {1, 33, 17}, {64, 100, 50}, {3, 1, 1}, {17, 65, 130}} {
		for _, trans := range []struct{ a, b bool }{{}, {a: true}, {b: true}, {a: true, b: true}} {
			all = append(all, Case{Name: fmt.Sprintf("matmul %dx%dx%d %v", c.m, c.k, c.n, trans), Build: func(b *B) {
				as, bs := []int{c.m, c.k}, []int{c.k, c.n}
				if trans.a {
					as = []int{c.k, c.m}
				}
				if trans.b {
					bs = []int{c.n, c.k}
				}
				x, w := b.Input("a", as...), b.Input("b", bs...)
				b.Grads(b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{TransA: trans.a, TransB: trans.b}, x, w)), x, w)
			}})
		}
		all = append(all, Case{Name: fmt.Sprintf("dense with bias and relu %dx%dx%d", c.m, c.k, c.n), Build: func(b *B) {
			x, w, bias := b.Input("x", c.m, c.k), b.Input("w", c.k, c.n), b.Input("bias", c.n)
			y := b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.MatMul{}, x, w), bias))
			b.Grads(b.Want("y", numtest.Reduction, y), x, w, bias)
		}})
	}
	all = append(all, Case{Name: "reshape, permute, scale, mul", Build: func(b *B) {
		x := b.Input("x", 2, 3, 4, 5)
		y := b.Apply(&op.Permute{Axes: []int{0, 3, 1, 2}}, x)
		y = b.Apply(&op.Scale{Factor: 0.5}, b.Apply(&op.Mul{}, y, y))
		flat, err := op.Flatten(y)
		if err != nil {
			b.T.Fatal(err)
		}
		b.Grads(b.Want("y", numtest.Elementwise, flat), x)
	}}, Case{Name: "dropout", Runs: 2, Build: func(b *B) {
		x := b.Input("x", 7, 13)
		y := b.Apply(&op.Dropout{Rate: 0.4, Seed: 7, Stream: 3}, x, b.Int("step", 5))
		b.Grads(b.Want("y", numtest.Elementwise, y), x)
	}})
	return all
}
