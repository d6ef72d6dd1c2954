// Package enginetest is the conformance suite that every engine must pass: each operation, each gradient and each
// fusion is compiled and run on the engine and compared with the reference loops in float64.
package enginetest

import (
	"bytes"
	"fmt"
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
	for _, c := range share(t, Cases()) {
		t.Run(c.Name, func(t *testing.T) {
			c.RequireClose(t, e, dtypes...)
		})
	}
}

// RunWithoutPasses is Run of graphs that are left as they are: for the kernels of operations that passes put into others.
func RunWithoutPasses(t *testing.T, open func(t *testing.T) graph.Engine, dtypes ...tensor.Dtype) {
	e := open(t)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	for _, c := range share(t, Cases()) {
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
// precision. Further options are those of its compiler.
func (c Case) RequireCloseTo(t *testing.T, e graph.Engine, tol func(numtest.Kind) numtest.Tolerance, dt tensor.Dtype, opts ...graph.Option) {
	c.requireClose(t, e, c.results(t, Reference{}, tensor.Float64, graph.WithoutPasses()), tol, dt, opts...)
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
// Further options are those of a compiler that must not change results, each in a plan of its own.
func (c Case) RequireExact(t *testing.T, e graph.Engine, each ...graph.Option) {
	want := c.results(t, Reference{}, tensor.Float64)
	if len(each) == 0 {
		c.requireExact(t, e, want, "")
	}
	for i, opt := range each {
		c.requireExact(t, e, want, fmt.Sprintf("option %d: ", i), opt)
	}
}

func (c Case) requireExact(t *testing.T, e graph.Engine, want []result, with string, opts ...graph.Option) {
	got := c.results(t, e, tensor.Float64, opts...)
	require.Len(t, got, len(want))
	for i, w := range want {
		exact := bytes.Equal(bytesOf(op.Array{Data: w.value}), bytesOf(op.Array{Data: got[i].value}))
		if !exact && c.folds(t, e) {
			numtest.AssertClose(t, w.value, got[i].value, numtest.Tol(tensor.Float64, w.kind), w.name)
			continue
		}
		require.True(t, exact, "%s%s: %v, not %v", with, w.name, got[i].value, w.value)
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
