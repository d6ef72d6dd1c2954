package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// builder makes the nodes of a graph, with the same numbers in every graph.
type builder struct {
	g       *gorgonia.ExprGraph
	dtype   tensor.Dtype
	weights gorgonia.Nodes

	r    *rand.Rand
	made int
}

func newBuilder(dt tensor.Dtype) *builder {
	return &builder{g: gorgonia.NewGraph(), dtype: dt, r: rand.New(rand.NewPCG(3, 4))}
}

func must(n *gorgonia.Node, err error) *gorgonia.Node { return gorgonia.Must(n, err) }

func (b *builder) fill(draw func() float64, shape ...int) *gorgonia.Node {
	n := tensor.Shape(shape).TotalSize()
	var backing any
	if b.dtype == f32 {
		d := make([]float32, n)
		for i := range d {
			d[i] = float32(draw())
		}
		backing = d
	} else {
		d := make([]float64, n)
		for i := range d {
			d[i] = draw()
		}
		backing = d
	}
	b.made++
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
	return gorgonia.NewTensor(b.g, b.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprintf("in%d", b.made)), gorgonia.WithValue(v))
}

// input is normally distributed.
func (b *builder) input(std float64, shape ...int) *gorgonia.Node {
	return b.fill(func() float64 { return std * b.r.NormFloat64() }, shape...)
}

// uniform is between 0 and 1.
func (b *builder) uniform(shape ...int) *gorgonia.Node { return b.fill(b.r.Float64, shape...) }

// weight is an input to train, of He's deviation for matrices (in, out) and filters (out, in, h, w).
func (b *builder) weight(shape ...int) *gorgonia.Node {
	fan := shape[0]
	if len(shape) == 4 {
		fan = shape[1] * shape[2] * shape[3]
	}
	return b.trained(b.input(math.Sqrt(2/float64(fan)), shape...))
}

func (b *builder) trained(n *gorgonia.Node) *gorgonia.Node {
	b.weights = append(b.weights, n)
	return n
}

func (b *builder) scalar(x float64) *gorgonia.Node {
	b.made++
	return gorgonia.NewScalar(b.g, b.dtype, gorgonia.WithName(fmt.Sprintf("in%d", b.made)), gorgonia.WithValue(x))
}

func (b *builder) constant(x float64) *gorgonia.Node {
	if b.dtype == f32 {
		return gorgonia.NewConstant(float32(x))
	}
	return gorgonia.NewConstant(x)
}

func (b *builder) dense(x *gorgonia.Node, units int) *gorgonia.Node {
	y := must(gorgonia.Mul(x, b.weight(x.Shape()[1], units)))
	return must(gorgonia.BroadcastAdd(y, b.trained(b.input(0, 1, units)), nil, []byte{0}))
}

// conv is padded so that stride 1 keeps the size.
func (b *builder) conv(x *gorgonia.Node, filters, kernel, stride int) *gorgonia.Node {
	w := b.weight(filters, x.Shape()[1], kernel, kernel)
	pad := kernel / 2
	return must(gorgonia.Conv2d(x, w, tensor.Shape{kernel, kernel}, []int{pad, pad}, []int{stride, stride}, []int{1, 1}))
}

func (b *builder) bias(x *gorgonia.Node) *gorgonia.Node {
	return must(gorgonia.BroadcastAdd(x, b.trained(b.input(0.1, 1, x.Shape()[1], 1, 1)), nil, []byte{0, 2, 3}))
}

func (b *builder) batchNorm(x *gorgonia.Node, scale float64) *gorgonia.Node {
	c := x.Shape()[1]
	y, _, _, _, err := gorgonia.BatchNorm(x, b.trained(b.fill(func() float64 { return scale }, 1, c, 1, 1)), b.trained(b.input(0, 1, c, 1, 1)), 0.1, 1e-5)
	return must(y, err)
}

// crossEntropy is the mean cost of classes that go round.
func (b *builder) crossEntropy(logits *gorgonia.Node) *gorgonia.Node {
	rows, classes := logits.Shape()[0], logits.Shape()[1]
	i := 0
	y := b.fill(func() float64 {
		row, class := i/classes, i%classes
		i++
		if row%classes == class {
			return 1
		}
		return 0
	}, rows, classes)
	picked := must(gorgonia.HadamardProd(must(gorgonia.Log(must(gorgonia.SoftMax(logits)))), y))
	return must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.Sum(picked, 1))))))
}

func (b *builder) meanSquare(x *gorgonia.Node) *gorgonia.Node {
	return must(gorgonia.Mean(must(gorgonia.Square(x))))
}

func relu(x *gorgonia.Node) *gorgonia.Node { return must(gorgonia.Rectify(x)) }

func maxPool(x *gorgonia.Node, size, stride, pad int) *gorgonia.Node {
	return must(gorgonia.MaxPool2D(x, tensor.Shape{size, size}, []int{pad, pad}, []int{stride, stride}))
}

func flatten(x *gorgonia.Node) *gorgonia.Node {
	s := x.Shape()
	return must(gorgonia.Reshape(x, tensor.Shape{s[0], s.TotalSize() / s[0]}))
}
