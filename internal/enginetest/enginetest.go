// Package enginetest is the conformance suite that every engine must pass: each operation, each gradient and each
// fusion is compiled and run on the engine and compared with the reference loops in float64.
package enginetest

import (
	"hash/fnv"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Case is one graph of the suite. Build makes it on b; it is called once per element type and engine, and must not
// depend on either.
type Case struct {
	Name  string
	Build func(b *B)
	Runs  int // how often the machine runs before results are compared; 0 means 1
}

// Run runs the whole suite on the engine that open returns, in every element type of dtypes.
func Run(t *testing.T, open func(t *testing.T) graph.Engine, dtypes ...tensor.Dtype) {
	e := open(t)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			c.RequireClose(t, e, dtypes...)
		})
	}
}

// RunWithoutPasses is Run of graphs that are left as they are: for the kernels of operations that passes put into others.
func RunWithoutPasses(t *testing.T, open func(t *testing.T) graph.Engine, dtypes ...tensor.Dtype) {
	e := open(t)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			c.requireCloseAll(t, e, dtypes, graph.WithoutPasses())
		})
	}
}

// RequireClose runs the case on an engine in each element type and compares with [Reference] in float64, for which nothing is
// rewritten: passes are judged with the kernels.
func (c Case) RequireClose(t *testing.T, e graph.Engine, dtypes ...tensor.Dtype) {
	c.requireCloseAll(t, e, dtypes)
}

func (c Case) requireCloseAll(t *testing.T, e graph.Engine, dtypes []tensor.Dtype, opts ...graph.Option) {
	want := c.results(t, Reference{}, tensor.Float64, graph.WithoutPasses())
	for _, dt := range dtypes {
		c.requireClose(t, e, want, func(k numtest.Kind) numtest.Tolerance { return numtest.Tol(dt, k) }, dt, opts...)
	}
}

// RequireCloseTo is [Case.RequireClose] in one element type with tolerances of its own, for an engine that computes with a lower
// precision.
func (c Case) RequireCloseTo(t *testing.T, e graph.Engine, tol func(numtest.Kind) numtest.Tolerance, dt tensor.Dtype) {
	c.requireClose(t, e, c.results(t, Reference{}, tensor.Float64, graph.WithoutPasses()), tol, dt)
}

func (c Case) requireClose(t *testing.T, e graph.Engine, want []result, tol func(numtest.Kind) numtest.Tolerance, dt tensor.Dtype, opts ...graph.Option) {
	got := c.results(t, e, dt, opts...)
	require.Len(t, got, len(want))
	for i, w := range want {
		numtest.AssertClose(t, w.value, got[i].value, tol(w.kind), c.Name+" "+dt.String()+" "+w.name)
	}
}

// RequireExact runs the case in float64 on an engine that computes with the reference loops and requires the results
// of [Reference] for the rewritten graph bit by bit; where a batch norm was folded into weights, which rounds otherwise, close ones.
// Further options are those of a compiler that must not change results.
func (c Case) RequireExact(t *testing.T, e graph.Engine, opts ...graph.Option) {
	want, got := c.results(t, Reference{}, tensor.Float64), c.results(t, e, tensor.Float64, opts...)
	require.Len(t, got, len(want))
	folds := c.folds(t, e)
	for i, w := range want {
		if folds {
			numtest.AssertClose(t, w.value, got[i].value, numtest.Tol(tensor.Float64, w.kind), w.name)
			continue
		}
		require.Equal(t, bytesOf(op.Array{Data: w.value}), bytesOf(op.Array{Data: got[i].value}), "%s: %v, not %v", w.name, got[i].value, w.value)
	}
}

// folds says whether the plan for an engine has folded weights.
func (c Case) folds(t *testing.T, e graph.Engine) bool {
	b := NewB(t, tensor.Float64)
	c.Build(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	return slices.ContainsFunc(p.Steps, func(s *graph.Step) bool { _, ok := s.Instr.(*graph.FoldNorm); return ok })
}

type result struct {
	name  string
	kind  numtest.Kind
	value []float64
}

// results builds, compiles and runs the case.
func (c Case) results(t *testing.T, e graph.Engine, dt tensor.Dtype, opts ...graph.Option) []result {
	b := NewB(t, dt)
	c.Build(b)
	m := b.Compile(e, opts...)
	defer func() { require.NoError(t, m.Close()) }()
	for range max(c.Runs, 1) {
		require.NoError(t, m.RunAll())
	}
	require.NoError(t, m.Sync())
	var out []result
	for _, w := range b.wanted {
		v, err := m.Value(w.node)
		require.NoError(t, err)
		out = append(out, result{w.name, w.kind, floats(t, v)})
	}
	for _, u := range b.updates {
		out = append(out, result{"update of " + u.Target.Name(), numtest.Gradient, floats(t, u.Target.Value())})
	}
	return out
}

// floats copies a value as float64.
func floats(t *testing.T, v gorgonia.Value) []float64 {
	a, err := op.AsArray(v)
	require.NoError(t, err)
	switch x := a.Data.(type) {
	case []float64:
		return append([]float64(nil), x...)
	case []float32:
		out := make([]float64, len(x))
		for i, f := range x {
			out[i] = float64(f)
		}
		return out
	case []int:
		out := make([]float64, len(x))
		for i, k := range x {
			out[i] = float64(k)
		}
		return out
	}
	t.Fatalf("unexpected element type %v", a.Dtype())
	return nil
}

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
