package enginetest

import (
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// B builds the graph of a case.
type B struct {
	T  testing.TB
	G  *gorgonia.ExprGraph
	Dt tensor.Dtype

	wanted   []wanted
	updates  []op.Update
	resident []*gorgonia.Node
}

type wanted struct {
	name string
	kind numtest.Kind
	node *gorgonia.Node
}

// NewB returns a builder of graphs with elements of type dt.
func NewB(t testing.TB, dt tensor.Dtype) *B {
	return &B{T: t, G: gorgonia.NewGraph(), Dt: dt}
}

// Input is an input filled with normal numbers, the same (to float32) for every element type; they depend on the name.
func (b *B) Input(name string, shape ...int) *gorgonia.Node {
	return b.input(name, numtest.Normal(seedOf(name), tensor.Float32, shape...))
}

// Positive is an input filled with numbers between 0.5 and 1.5, for variances.
func (b *B) Positive(name string, shape ...int) *gorgonia.Node {
	return b.input(name, numtest.Uniform(seedOf(name), tensor.Float32, 0.5, 1.5, shape...))
}

// Filled is an input with the given numbers.
func (b *B) Filled(name string, data []float32, shape ...int) *gorgonia.Node {
	return b.input(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float32(nil), data...))))
}

func (b *B) input(name string, v *tensor.Dense) *gorgonia.Node {
	if b.Dt == tensor.Float64 {
		narrow := v.Data().([]float32)
		wide := make([]float64, len(narrow))
		for i, f := range narrow {
			wide[i] = float64(f)
		}
		v = tensor.New(tensor.WithShape(v.Shape().Clone()...), tensor.WithBacking(wide))
	}
	return b.feed(name, v)
}

// Scalar is a scalar input.
func (b *B) Scalar(name string, x float32) *gorgonia.Node {
	var v gorgonia.Value = gorgonia.NewF32(x)
	if b.Dt == tensor.Float64 {
		v = gorgonia.NewF64(float64(x))
	}
	return gorgonia.NewScalar(b.G, b.Dt, gorgonia.WithName(name), gorgonia.WithValue(v))
}

// Int is an integer scalar input.
func (b *B) Int(name string, x int) *gorgonia.Node {
	return gorgonia.NewScalar(b.G, tensor.Int, gorgonia.WithName(name), gorgonia.WithValue(gorgonia.NewI(x)))
}

// Labels is a vector of n labels below classes.
func (b *B) Labels(name string, n, classes int) *gorgonia.Node {
	labels := make([]int, n)
	numtest.FillLabels(name, 1, classes, labels)
	return b.LabelsOf(name, labels...)
}

// LabelsOf is a vector of the given labels.
func (b *B) LabelsOf(name string, labels ...int) *gorgonia.Node {
	return b.Ints(name, labels, len(labels))
}

// Ints is an input of the given integers.
func (b *B) Ints(name string, data []int, shape ...int) *gorgonia.Node {
	return b.feed(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)))
}

// Bytes is an input of bytes, which depend on the name.
func (b *B) Bytes(name string, shape ...int) *gorgonia.Node {
	n := make([]int, op.Len(shape))
	numtest.FillLabels(name, seedOf(name), 256, n)
	data := make([]uint8, len(n))
	for i, v := range n {
		data[i] = uint8(v)
	}
	return b.feed(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)))
}

func (b *B) feed(name string, v *tensor.Dense) *gorgonia.Node {
	return gorgonia.NewTensor(b.G, v.Dtype(), v.Dims(), gorgonia.WithShape(v.Shape()...), gorgonia.WithName(name), gorgonia.WithValue(v))
}

// Apply applies an operation.
func (b *B) Apply(o op.Op, children ...*gorgonia.Node) *gorgonia.Node {
	b.T.Helper()
	n, err := op.Apply(o, children...)
	require.NoError(b.T, err)
	return n
}

// Want makes a node an output that is compared.
func (b *B) Want(name string, kind numtest.Kind, n *gorgonia.Node) *gorgonia.Node {
	b.wanted = append(b.wanted, wanted{name, kind, n})
	return n
}

// Update adds an update; the target's value is compared after the runs.
func (b *B) Update(target, value *gorgonia.Node) {
	b.updates = append(b.updates, op.Update{Target: target, New: value})
}

// Resident makes an input one that stays the same from run to run.
func (b *B) Resident(n *gorgonia.Node) *gorgonia.Node {
	b.resident = append(b.resident, n)
	return n
}

// Weight is an Input that is resident.
func (b *B) Weight(name string, shape ...int) *gorgonia.Node {
	return b.Resident(b.Input(name, shape...))
}

// Grads wants the gradients of Σ y·r, with random r, with respect to the given inputs.
func (b *B) Grads(y *gorgonia.Node, wrt ...*gorgonia.Node) []*gorgonia.Node {
	b.T.Helper()
	cost := y
	if !y.IsScalar() {
		r := b.Input("upstream of "+wrt[0].Name(), y.Shape().Clone()...)
		cost = b.Apply(&op.Sum{}, b.Apply(&op.Mul{}, y, r))
	}
	return b.CostGrads(cost, wrt...)
}

// CostGrads wants the gradients of a scalar.
func (b *B) CostGrads(cost *gorgonia.Node, wrt ...*gorgonia.Node) []*gorgonia.Node {
	b.T.Helper()
	grads, err := gorgonia.Grad(cost, wrt...)
	require.NoError(b.T, err)
	for i, g := range grads {
		b.Want("gradient of "+wrt[i].Name(), numtest.Gradient, g)
	}
	return grads
}

// Compile compiles what was built.
func (b *B) Compile(e graph.Engine, opts ...graph.Option) *graph.Machine {
	b.T.Helper()
	m, err := graph.Compile(b.G, append(b.Options(e), opts...)...)
	require.NoError(b.T, err)
	return m
}

// Plan plans what was built, for an engine that fuses everything.
func (b *B) Plan(opts ...graph.Option) *graph.Plan {
	b.T.Helper()
	p, err := graph.PlanFor(b.G, append(b.Options(graph.Null{}), opts...)...)
	require.NoError(b.T, err)
	return p
}

// Options are the options of graph.Compile for what was built.
func (b *B) Options(e graph.Engine) []graph.Option {
	nodes := make([]*gorgonia.Node, len(b.wanted))
	for i, w := range b.wanted {
		nodes[i] = w.node
	}
	return []graph.Option{graph.WithEngine(e), graph.WithOutputs(nodes...), graph.WithUpdates(b.updates...),
		graph.WithResident(b.resident...)}
}

func seedOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}
