package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// nets are those of package arch, channels first, up to their logits.
var nets = map[string]func(*builder, *gorgonia.Node) *gorgonia.Node{"simplecnn": simpleCNN, "vgg16": vgg16, "resnet50": resNet50}

func simpleCNN(b *builder, x *gorgonia.Node) *gorgonia.Node {
	x = pool(relu(b.bias(b.conv(x, 16, 3, 1, 0))), 2, 0)
	x = pool(relu(b.bias(b.conv(x, 32, 3, 1, 0))), 2, 0)
	return b.dense(relu(b.dense(flat(x), 256)), peer.Classes)
}

func vgg16(b *builder, x *gorgonia.Node) *gorgonia.Node {
	for _, block := range [][2]int{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}} {
		for range block[0] {
			x = relu(b.bias(b.conv(x, block[1], 3, 1, 1)))
		}
		x = pool(x, 2, 0)
	}
	x = flat(x)
	for range 2 {
		x = relu(b.dense(x, 4096))
	}
	return b.dense(x, peer.Classes)
}

func resNet50(b *builder, x *gorgonia.Node) *gorgonia.Node {
	x = pool(relu(b.norm(b.conv(x, 64, 7, 2, 3))), 3, 1)
	for stage, blocks := range []int{3, 4, 6, 3} {
		width := 64 << stage
		for i := range blocks {
			stride, side := 1, x
			if stage > 0 && i == 0 {
				stride = 2
			}
			x = relu(b.norm(b.conv(x, width, 1, 1, 0)))
			x = relu(b.norm(b.conv(x, width, 3, stride, 1)))
			x = b.norm(b.conv(x, 4*width, 1, 1, 0))
			if i == 0 {
				side = b.norm(b.conv(side, 4*width, 1, stride, 0))
			}
			x = relu(must(gorgonia.Add(x, side)))
		}
	}
	return b.dense(average(x), peer.Classes)
}

// builder makes the nodes of a graph.
type builder struct {
	g       *gorgonia.ExprGraph
	weights gorgonia.Nodes
	norms   []*gorgonia.BatchNormOp

	random *rand.Rand
	made   int
}

func newBuilder() *builder {
	return &builder{g: gorgonia.NewGraph(), random: rand.New(rand.NewPCG(1, 2))}
}

func must(n *gorgonia.Node, err error) *gorgonia.Node { return gorgonia.Must(n, err) }

func (b *builder) fill(draw func(i int) float64, shape ...int) *gorgonia.Node {
	data := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range data {
		data[i] = float32(draw(i))
	}
	b.made++
	return gorgonia.NewTensor(b.g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprintf("in%d", b.made)),
		gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))))
}

func (b *builder) images(batch, size int) *gorgonia.Node {
	return b.fill(func(int) float64 { return b.random.Float64() }, batch, 3, size, size)
}

func (b *builder) weight(draw func() float64, shape ...int) *gorgonia.Node {
	n := b.fill(func(int) float64 { return draw() }, shape...)
	b.weights = append(b.weights, n)
	return n
}

// he are weights of He's deviation.
func (b *builder) he(fan int, shape ...int) *gorgonia.Node {
	deviation := math.Sqrt(2 / float64(fan))
	return b.weight(func() float64 { return deviation * b.random.NormFloat64() }, shape...)
}

func zero() float64 { return 0 }
func one() float64  { return 1 }

func (b *builder) conv(x *gorgonia.Node, filters, kernel, stride, pad int) *gorgonia.Node {
	last := x.Shape()[1]
	w := b.he(last*kernel*kernel, filters, last, kernel, kernel)
	return must(gorgonia.Conv2d(x, w, tensor.Shape{kernel, kernel}, []int{pad, pad}, []int{stride, stride}, []int{1, 1}))
}

func (b *builder) bias(x *gorgonia.Node) *gorgonia.Node {
	return must(gorgonia.BroadcastAdd(x, b.weight(zero, 1, x.Shape()[1], 1, 1), nil, []byte{0, 2, 3}))
}

func (b *builder) dense(x *gorgonia.Node, units int) *gorgonia.Node {
	last := x.Shape()[1]
	return must(gorgonia.BroadcastAdd(must(gorgonia.Mul(x, b.he(last, last, units))), b.weight(zero, 1, units), nil, []byte{0}))
}

func (b *builder) norm(x *gorgonia.Node) *gorgonia.Node {
	c := x.Shape()[1]
	y, _, _, op, err := gorgonia.BatchNorm(x, b.weight(one, 1, c, 1, 1), b.weight(zero, 1, c, 1, 1), 0.1, 1e-5)
	b.norms = append(b.norms, op)
	return must(y, err)
}

// crossEntropy is the mean cost of random classes.
func (b *builder) crossEntropy(logits *gorgonia.Node) *gorgonia.Node {
	rows, classes := logits.Shape()[0], logits.Shape()[1]
	label := 0
	labels := b.fill(func(i int) float64 {
		if i%classes == 0 {
			label = b.random.IntN(classes)
		}
		if i%classes == label {
			return 1
		}
		return 0
	}, rows, classes)
	picked := must(gorgonia.HadamardProd(must(gorgonia.Log(must(gorgonia.SoftMax(logits)))), labels))
	return must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.Sum(picked, 1))))))
}

func relu(x *gorgonia.Node) *gorgonia.Node { return must(gorgonia.Rectify(x)) }

// pool is the maximum of windows with stride 2.
func pool(x *gorgonia.Node, size, pad int) *gorgonia.Node {
	return must(gorgonia.MaxPool2D(x, tensor.Shape{size, size}, []int{pad, pad}, []int{2, 2}))
}

func flat(x *gorgonia.Node) *gorgonia.Node {
	s := x.Shape()
	return must(gorgonia.Reshape(x, tensor.Shape{s[0], s.TotalSize() / s[0]}))
}

// average is the mean of every channel. It is taken of a matrix: means over axes of four are wrong in Gorgonia.
func average(x *gorgonia.Node) *gorgonia.Node {
	s := x.Shape()
	pixels := s[2] * s[3]
	if pixels == 1 {
		return flat(x)
	}
	rows := must(gorgonia.Reshape(x, tensor.Shape{s[0] * s[1], pixels}))
	return must(gorgonia.Reshape(must(gorgonia.Mean(rows, 1)), tensor.Shape{s[0], s[1]}))
}
