package graph_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// requireBroken requires a machine that says why it cannot run, in all its methods.
func requireBroken(t *testing.T, m *graph.Machine, node, reason string) {
	t.Helper()
	require.NotNil(t, m)
	var ce *graph.CompileError
	require.ErrorAs(t, m.Err(), &ce)
	require.Contains(t, ce.Error(), reason)
	require.NotContains(t, ce.Error(), "defect")
	require.Equal(t, node, ce.Node)
	require.ErrorIs(t, m.RunAll(), ce)
	require.ErrorIs(t, m.Let(nil, 1), ce)
	require.ErrorIs(t, m.Set(nil, nil), ce)
	require.ErrorIs(t, m.Sync(), ce)
	_, err := m.Value(nil)
	require.ErrorIs(t, err, ce)
	require.Nil(t, m.Plan())
	m.Reset()
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
}

func TestTapeBadGraphs(t *testing.T) {
	t.Run("nil", func(t *testing.T) { requireBroken(t, graph.NewTapeMachine(nil), "", "the graph is nil") })
	t.Run("empty", func(t *testing.T) {
		requireBroken(t, graph.NewTapeMachine(gorgonia.NewGraph()), "", "computes nothing")
	})
	t.Run("only inputs", func(t *testing.T) {
		b := enginetest.NewB(t, tensor.Float32)
		b.Input("x", 2, 3)
		requireBroken(t, graph.NewTapeMachine(b.G), "", "computes nothing")
	})
	t.Run("only constants", func(t *testing.T) {
		g := gorgonia.NewGraph()
		g.Constant(gorgonia.NewF64(1))
		requireBroken(t, graph.NewTapeMachine(g), "", "computes nothing")
	})
	t.Run("a cycle", func(t *testing.T) {
		b := enginetest.NewB(t, tensor.Float32)
		x := b.Input("x", 2, 2)
		h := built(gorgonia.Tanh(x))
		y := built(gorgonia.Mul(h, x))
		gorgonia.WithChildren(gorgonia.Nodes{y})(h)
		requireBroken(t, graph.NewTapeMachine(b.G), h.Name(), "cycle")
	})
	t.Run("nil nodes", func(t *testing.T) {
		g, _, y := doubled(t)
		requireBroken(t, graph.NewTapeMachine(g, graph.Keep(y, nil)), "", "graph.Keep is nil")
		requireBroken(t, graph.NewTapeMachine(g, gorgonia.BindDualValues(nil, y)), "", "BindDualValues is nil")
	})
	t.Run("nodes of another graph", func(t *testing.T) {
		g, _, _ := doubled(t)
		b := enginetest.NewB(t, tensor.Float32)
		foreign := built(gorgonia.Tanh(b.Input("foreign", 2, 3)))
		requireBroken(t, graph.NewTapeMachine(g, graph.Keep(foreign)), foreign.Name(), "not part of this graph")
	})
	t.Run("nothing precompiled", func(t *testing.T) {
		g, _, _ := doubled(t)
		requireBroken(t, graph.NewTapeMachine(g, gorgonia.WithPrecompiled(nil, nil)), "", "option")
	})
	t.Run("an element type", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Complex64, gorgonia.WithShape(3), gorgonia.WithName("complex"))
		built(gorgonia.ApplyOp(vectorOp{userOp{name: "unary", do: first}}, x))
		requireBroken(t, graph.NewTapeMachine(g), "complex", "complex64 is not supported")
	})
	t.Run("an engine that is not there", func(t *testing.T) {
		g, _, _ := doubled(t)
		m := graph.NewTapeMachine(g, nil, graph.Using(nil, graph.WithEngine(nil)), nil)
		require.NoError(t, m.Err())
		require.NoError(t, m.Close())
	})
}

// A graph of constants alone can be read, as long as it computes something. Gorgonia's machine wants an input.
func TestTapeWithoutInputs(t *testing.T) {
	g := gorgonia.NewGraph()
	three := g.Constant(gorgonia.NewF64(3))
	y := built(gorgonia.Add(three, g.Constant(gorgonia.NewF64(4))))
	var read, constant gorgonia.Value
	gorgonia.Read(y, &read)
	gorgonia.Read(three, &constant)
	require.NoError(t, tape(t, g).RunAll())
	require.Equal(t, []float64{7, 3}, numbers(t, read, constant))
}

// What is wrong with the value of an input is said with its name, and the machine runs once it is right.
func TestTapeFeedErrors(t *testing.T) {
	build := func() (*gorgonia.ExprGraph, *gorgonia.Node, *graph.Machine) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("the input"))
		cost := built(gorgonia.Sum(built(gorgonia.Square(x))))
		built(gorgonia.Grad(cost, x))
		return g, x, tape(t, g, gorgonia.BindDualValues(x))
	}
	for name, c := range map[string]struct {
		value gorgonia.Value // bound from behind Let, which refuses it
		got   string
	}{
		"no value":    {nil, "no value"},
		"a shape":     {vector(1, 2), "shape (2)"},
		"a dtype":     {tensor.New(tensor.WithBacking([]float64{1, 2, 3})), "float64"},
		"not kept":    {&graph.ValueNotKept{}, ""},
		"a scalar":    {gorgonia.NewF32(1), "shape ()"},
		"a type":      {strangeValue{vector(1, 2, 3)}, "strangeValue"},
		"a wild type": {wildValue{Dense: vector(1, 2, 3)}, "wildValue"},
	} {
		t.Run(name, func(t *testing.T) {
			_, x, m := build()
			if c.value != nil {
				gorgonia.WithValue(vector(1, 2, 3))(x)
				letAnyway(x, c.value)
			}
			var fe *graph.FeedError
			require.ErrorAs(t, m.RunAll(), &fe)
			require.Equal(t, "the input", fe.Node)
			require.Contains(t, fe.Error(), c.got)
			letAnyway(x, vector(1, 2, 3))
			require.NoError(t, m.RunAll())
			require.Equal(t, []float64{2, 4, 6}, numbers(t, grad(t, x)))
		})
	}
}

// An operation that fails, panics or returns nonsense is an error that names it; Gorgonia's machine dies of the panic.
func TestTapeBadOperations(t *testing.T) {
	sick := errors.New("sick")
	for name, c := range map[string]struct {
		do   func(in []gorgonia.Value) (gorgonia.Value, error)
		says string
	}{
		"fails":               {func([]gorgonia.Value) (gorgonia.Value, error) { return nil, sick }, "sick"},
		"panics":              {func([]gorgonia.Value) (gorgonia.Value, error) { panic(sick) }, "panic: sick"},
		"panics with a text":  {func([]gorgonia.Value) (gorgonia.Value, error) { panic("text") }, "panic: text"},
		"returns nil":         {func([]gorgonia.Value) (gorgonia.Value, error) { return nil, nil }, "neither a value nor an error"},
		"returns a nil Dense": {func([]gorgonia.Value) (gorgonia.Value, error) { return (*tensor.Dense)(nil), nil }, "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			b := enginetest.NewB(t, tensor.Float32)
			x := b.Input("x", 2, 3)
			broken := true
			y, err := gorgonia.ApplyOp(userOp{name: "bad", do: func(in []gorgonia.Value) (gorgonia.Value, error) {
				if broken {
					return c.do(in)
				}
				return in[0], nil
			}}, x, x)
			require.NoError(t, err)
			for _, opts := range [][]gorgonia.VMOpt{nil, {gorgonia.WithNaNWatch()}} {
				broken = true
				m := tape(t, b.G, opts...)
				err := m.RunAll()
				var se *graph.StepError
				require.ErrorAs(t, err, &se)
				require.Equal(t, y.Name(), se.Node)
				require.Contains(t, se.Op, "bad")
				require.Contains(t, err.Error(), c.says)
				if c.says == "sick" || c.says == "panic: sick" {
					require.ErrorIs(t, err, sick)
				}
				broken = false
				require.NoError(t, m.RunAll(), "and the machine goes on")
				require.Equal(t, x.Value().Data(), y.Value().Data())
			}
		})
	}
}

// An operation may run a machine of its own, also one of the same engine.
func TestTapeWithinTape(t *testing.T) {
	c := chainNet(t, 4)
	inner := tape(t, c.G)
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 2, 2)
	y, err := gorgonia.ApplyOp(userOp{name: "nested", do: func(in []gorgonia.Value) (gorgonia.Value, error) {
		if err := inner.RunAll(); err != nil {
			return nil, err
		}
		v, err := inner.Value(c.cost)
		if err != nil {
			return nil, err
		}
		return tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{float32(*v.(*gorgonia.F32)), 0, 0, 0})), nil
	}}, x, x)
	require.NoError(t, err)
	require.NoError(t, tape(t, b.G).RunAll())
	require.NotZero(t, y.Value().Data().([]float32)[0])
	require.Equal(t, numbers(t, c.cost.Value())[0], numbers(t, y.Value())[0])
}

// strangeValue is a value of a type that only the program knows.
type strangeValue struct{ *tensor.Dense }

// wildValue is one that cannot even be compared.
type wildValue struct {
	*tensor.Dense
	_ []int
}

// vectorOp takes a vector of any type.
type vectorOp struct{ userOp }

func (vectorOp) Type() hm.Type {
	v := gorgonia.TensorType{Dims: 1, Of: hm.TypeVariable('a')}
	return hm.NewFnType(v, v)
}

// What is nothing is an error or an empty picture.
func TestNothing(t *testing.T) {
	var m graph.Machine
	var ce *graph.CompileError
	require.ErrorAs(t, m.RunAll(), &ce)
	require.ErrorAs(t, m.Err(), &ce)
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.RunAll(), graph.ErrClosed)
	require.Contains(t, m.Explain().String(), "no plan")
	var b bytes.Buffer
	require.NoError(t, graph.WriteDOT(&b, nil))
	require.NoError(t, graph.WriteGraphDOT(&b, nil))
	require.NoError(t, graph.DrawPlan(nil).WriteSVG(&b))
	require.Contains(t, b.String(), "no graph")
}
