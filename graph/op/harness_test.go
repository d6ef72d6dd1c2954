package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// program is a piece of graph under test: inputs with float64 values (labels and steps are int) and what is built on
// them.
type program struct {
	name   string
	inputs []Array
	build  func(in []*gorgonia.Node) (*gorgonia.Node, error)
}

// operation is a program of one operation.
func operation(name string, o func() Op, inputs ...Array) program {
	return program{name, inputs, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return Apply(o(), in...) }}
}

func normal(rng *rand.Rand, s ...int) Array {
	a := Array{tensor.Shape(s), make([]float64, Len(s))}
	for i := range a.Data.([]float64) {
		a.Data.([]float64)[i] = rng.NormFloat64()
	}
	return a
}

func positive(rng *rand.Rand, s ...int) Array {
	a := normal(rng, s...)
	for i, v := range a.Data.([]float64) {
		a.Data.([]float64)[i] = 0.2 + math.Abs(v)
	}
	return a
}

// distribution is a matrix of rows that sum to 1.
func distribution(rng *rand.Rand, n, c int) Array {
	a := positive(rng, n, c)
	x := a.Data.([]float64)
	for r := range n {
		s := total(x[r*c : (r+1)*c])
		for i := r * c; i < (r+1)*c; i++ {
			x[i] /= s
		}
	}
	return a
}

func classes(rng *rand.Rand, n, c int) Array {
	l := make([]int, n)
	for i := range l {
		l[i] = rng.IntN(c)
	}
	return Array{tensor.Shape{n}, l}
}

func number(v float64) Array    { return Array{tensor.ScalarShape(), []float64{v}} }
func integer(v int) Array       { return Array{tensor.ScalarShape(), []int{v}} }
func vector(v ...float64) Array { return Array{tensor.Shape{len(v)}, v} }
func labels(v ...int) Array     { return Array{tensor.Shape{len(v)}, v} }

func matrix(rows, cols int, v ...float64) Array {
	return Array{tensor.Shape{rows, cols}, v}
}

// as copies a to another float type; integers stay.
func as(t *testing.T, dt tensor.Dtype, a Array) Array {
	if a.Dtype() == tensor.Int {
		return a
	}
	out, err := NewArray(dt, a.Shape)
	require.NoError(t, err)
	store(out, wide(a))
	return out
}

// feed makes an input node that holds a.
func feed(g *gorgonia.ExprGraph, name string, a Array) *gorgonia.Node {
	if len(a.Shape) == 0 {
		return gorgonia.NewScalar(g, a.Dtype(), gorgonia.WithName(name), gorgonia.WithValue(a.Value()))
	}
	return gorgonia.NewTensor(g, a.Dtype(), len(a.Shape), gorgonia.WithShape(a.Shape...), gorgonia.WithName(name),
		gorgonia.WithValue(a.Value()))
}

func feedAll(g *gorgonia.ExprGraph, inputs []Array) []*gorgonia.Node {
	nodes := make([]*gorgonia.Node, len(inputs))
	for i, a := range inputs {
		nodes[i] = feed(g, fmt.Sprintf("in%d", i), a)
	}
	return nodes
}

// stock runs g on Gorgonia's TapeMachine and returns the values of nodes. Only Read is reliable there: the machine
// reuses memory.
func stock(t *testing.T, g *gorgonia.ExprGraph, nodes ...*gorgonia.Node) []Array {
	values := make([]gorgonia.Value, len(nodes))
	for i, n := range nodes {
		gorgonia.Read(n, &values[i])
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	require.NoError(t, m.RunAll())
	out := make([]Array, len(nodes))
	for i, v := range values {
		var err error
		out[i], err = AsArray(v)
		require.NoError(t, err)
	}
	return out
}

// tryReference is reference for inputs whose values, not shapes, may be bad.
func tryReference(t *testing.T, o Op, in ...Array) (Array, error) {
	shapes := make([]tensor.Shape, len(in))
	for i, a := range in {
		shapes[i] = a.Shape
	}
	s, err := o.Infer(shapes)
	require.NoError(t, err)
	out, err := NewArray(in[0].Dtype(), s)
	require.NoError(t, err)
	return out, o.Reference(out, in)
}

// costOf makes a scalar of y: the sum of y times fixed weights, so that every element has a gradient of its own.
func costOf(t *testing.T, y *gorgonia.Node) *gorgonia.Node {
	if y.Dims() == 0 {
		return y
	}
	r := feed(y.Graph(), "direction", as(t, nodeDtype(y), normal(rand.New(rand.NewPCG(7, 7)), y.Shape()...)))
	m, err := Apply(&Mul{}, y, r)
	require.NoError(t, err)
	c, err := Apply(&Sum{}, m)
	require.NoError(t, err)
	return c
}
