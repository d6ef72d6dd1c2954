package demo

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Rand is the same stream of numbers in every run of a program.
func Rand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// Dense is a tensor of type dt with the given numbers.
func Dense(dt tensor.Dtype, numbers []float64, shape ...int) *tensor.Dense {
	var backing any = numbers
	if dt == tensor.Float32 {
		short := make([]float32, len(numbers))
		for i, x := range numbers {
			short[i] = float32(x)
		}
		backing = short
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
}

// Normal is a tensor of normally distributed numbers.
func Normal(r *rand.Rand, dt tensor.Dtype, std float64, shape ...int) *tensor.Dense {
	numbers := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range numbers {
		numbers[i] = std * r.NormFloat64()
	}
	return Dense(dt, numbers, shape...)
}

// Params makes the parameters of a model, and remembers them.
type Params struct {
	G     *gorgonia.ExprGraph
	Dtype tensor.Dtype
	Nodes gorgonia.Nodes

	r *rand.Rand
}

// NewParams makes parameters in a new graph.
func NewParams(dt tensor.Dtype) *Params {
	return &Params{G: gorgonia.NewGraph(), Dtype: dt, r: Rand()}
}

func (p *Params) add(v *tensor.Dense) *gorgonia.Node {
	n := gorgonia.NewTensor(p.G, p.Dtype, v.Dims(), gorgonia.WithShape(v.Shape()...), gorgonia.WithValue(v),
		gorgonia.WithName(fmt.Sprintf("w%d", len(p.Nodes)))) // inputs without names of their own would be one node
	p.Nodes = append(p.Nodes, n)
	return n
}

// Weight is normally distributed with He's deviation for a layer of so many inputs.
func (p *Params) Weight(inputs int, shape ...int) *gorgonia.Node {
	return p.add(Normal(p.r, p.Dtype, math.Sqrt(2/float64(inputs)), shape...))
}

// Filled is x everywhere.
func (p *Params) Filled(x float64, shape ...int) *gorgonia.Node {
	numbers := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range numbers {
		numbers[i] = x
	}
	return p.add(Dense(p.Dtype, numbers, shape...))
}

// Input is a tensor that every step binds anew.
func (p *Params) Input(name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(p.G, p.Dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// Const is a number of the graph's type.
func (p *Params) Const(x float64) *gorgonia.Node {
	if p.Dtype == tensor.Float32 {
		return gorgonia.NewConstant(float32(x))
	}
	return gorgonia.NewConstant(x)
}

// Dense is x·w + b, of a matrix with a row for each example.
func (p *Params) Dense(x *gorgonia.Node, outputs int) *gorgonia.Node {
	inputs := x.Shape()[1]
	y := gorgonia.Must(gorgonia.Mul(x, p.Weight(inputs, inputs, outputs)))
	return gorgonia.Must(gorgonia.BroadcastAdd(y, p.Filled(0, 1, outputs), nil, []byte{0}))
}

// Conv is a convolution of (n, c, h, w) images with square kernels, padded so that stride 1 keeps the size.
func (p *Params) Conv(x *gorgonia.Node, filters, kernel, stride int) *gorgonia.Node {
	channels := x.Shape()[1]
	w := p.Weight(channels*kernel*kernel, filters, channels, kernel, kernel)
	pad := kernel / 2
	return gorgonia.Must(gorgonia.Conv2d(x, w, tensor.Shape{kernel, kernel}, []int{pad, pad}, []int{stride, stride}, []int{1, 1}))
}

// Flatten makes a row of each image.
func Flatten(x *gorgonia.Node) *gorgonia.Node {
	s := x.Shape()
	return gorgonia.Must(gorgonia.Reshape(x, tensor.Shape{s[0], s.TotalSize() / s[0]}))
}

// CrossEntropy is the mean over examples of -log of the probability that a softmax gives the true class. classes has a row
// for each example: 1 at the true class, else 0.
func (p *Params) CrossEntropy(logits, classes *gorgonia.Node) *gorgonia.Node {
	probability := gorgonia.Must(gorgonia.SoftMax(logits))
	picked := gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Log(probability)), classes))
	perExample := gorgonia.Must(gorgonia.Sum(picked, 1))
	return gorgonia.Must(gorgonia.Neg(gorgonia.Must(gorgonia.Mean(perExample))))
}
