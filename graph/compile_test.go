package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

func TestCompileErrors(t *testing.T) {
	for name, c := range map[string]struct {
		build func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option)
		node  string
		want  []string
	}{
		"nil graph": {build: func(*enginetest.B) (*gorgonia.ExprGraph, []graph.Option) { return nil, nil },
			want: []string{"the graph is nil"}},
		"empty graph": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) { return b.G, nil },
			want: []string{"computes nothing", "WithOutputs"}},
		"inputs only": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			b.Input("x", 2)
			return b.G, nil
		}, want: []string{"computes nothing"}},
		"nil output": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithOutputs(b.Input("x", 2), nil)}
		}, want: []string{"output 1 is nil"}},
		"output of another graph": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithOutputs(enginetest.NewB(t, b.Dt).Input("stranger", 2))}
		}, node: "stranger", want: []string{"not part of this graph"}},
		"update without target": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithUpdates(op.Update{New: b.Input("x", 2)})}
		}, want: []string{"nil Target or New"}},
		"update without value": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithUpdates(op.Update{Target: b.Input("x", 2)})}
		}, want: []string{"nil Target or New"}},
		"update of a result": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			x := b.Input("x", 2)
			y := b.Apply(&op.ReLU{}, x)
			gorgonia.WithName("y")(y)
			return b.G, []graph.Option{graph.WithUpdates(op.Update{Target: y, New: x})}
		}, node: "y", want: []string{"must be an input"}},
		"two updates of one variable": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			x := b.Input("x", 2)
			y := b.Apply(&op.ReLU{}, x)
			return b.G, []graph.Option{graph.WithUpdates(op.Update{Target: x, New: y}, op.Update{Target: x, New: y})}
		}, node: "x", want: []string{"two updates have the same target"}},
		"update of another shape": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithUpdates(op.Update{Target: b.Input("x", 2), New: b.Input("y", 2, 1)})}
		}, node: "x", want: []string{"shape (2, 1), its target (2)"}},
		"update of another type": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			return b.G, []graph.Option{graph.WithUpdates(op.Update{Target: b.Scalar("x", 2), New: b.Int("y", 2)})}
		}, node: "x", want: []string{"the update is int, its target float32"}},
		"gorgonia.Read as an output": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			var v gorgonia.Value
			return b.G, []graph.Option{graph.WithOutputs(gorgonia.Read(b.Input("x", 2), &v))}
		}, want: []string{"a statement has no value", "WithOutputs"}},
		"gorgonia.Set of what is computed": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			gorgonia.Set(gorgonia.Must(gorgonia.Neg(b.Input("x", 2))), b.Input("y", 2))
			return b.G, nil
		}, want: []string{"the target of an update must be an input"}},
		"input without shape": {build: func(b *enginetest.B) (*gorgonia.ExprGraph, []graph.Option) {
			x := gorgonia.NewMatrix(b.G, tensor.Float32, gorgonia.WithName("bare"))
			return b.G, []graph.Option{graph.WithOutputs(x)}
		}, node: "bare", want: []string{"2 axes and no shape", "gorgonia.WithShape"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, opts := c.build(enginetest.NewB(t, tensor.Float32))
			_, err := graph.Compile(g, append(opts, graph.WithEngine(openCPU(t)))...)
			var ce *graph.CompileError
			require.ErrorAs(t, err, &ce)
			if c.node != "" {
				require.Equal(t, c.node, ce.Node)
			}
			for _, w := range c.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
}

// Gorgonia keeps the slice of children that it is given: a caller who reuses it can make a cycle.
func TestCycle(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	children := []*gorgonia.Node{b.Input("x", 2), b.Input("y", 2)}
	sum, err := gorgonia.ApplyOp(&op.Add{}, children...)
	require.NoError(t, err)
	z := b.Apply(&op.Scale{Factor: 2}, sum)
	children[0] = z
	_, err = graph.PlanFor(b.G, graph.WithOutputs(z))
	var ce *graph.CompileError
	require.ErrorAs(t, err, &ce)
	require.Contains(t, ce.Reason, "cycle")
	children[0] = sum // and one with itself
	_, err = graph.PlanFor(b.G, graph.WithOutputs(z))
	require.ErrorAs(t, err, &ce)
	require.Contains(t, ce.Reason, "cycle")
}

func TestOutputsInStrangePlaces(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Filled("x", []float32{1, 2}, 2)
	k := gorgonia.NewConstant(vector(3, 4))
	s := gorgonia.NewConstant(float32(5))
	k, s = b.G.AddNode(k), b.G.AddNode(s)
	y := b.Apply(&op.Mul{}, x, k)
	flat := b.Apply(&op.Reshape{From: tensor.Shape{2}, To: tensor.Shape{1, 2}}, y)
	unread := b.Apply(&op.ReLU{}, x)
	m := compile(t, b.G, graph.WithOutputs(x, k, y, y, flat, s))
	require.Equal(t, []float32{1, 2}, value(t, m, x))
	require.Equal(t, []float32{3, 4}, value(t, m, k))
	require.Equal(t, []float32{3, 8}, value(t, m, y))
	require.Equal(t, []float32{3, 8}, value(t, m, flat))
	require.Equal(t, float32(5), value(t, m, s))
	_, err := m.Value(unread)
	require.ErrorContains(t, err, "not an output")
	require.NotContains(t, m.Plan().String(), "ReLU", "what nobody wants is not computed")
}

// Without WithOutputs the roots are computed, but not what gorgonia.Grad leaves behind.
func TestRoots(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	x, w := b.Input("x", 4, 3), b.Input("w", 3, 2)
	cost := b.Apply(&op.Sum{}, b.Apply(&op.MatMul{}, x, w))
	side := b.Apply(&op.ReLU{}, x)
	grads, err := gorgonia.Grad(cost, w)
	require.NoError(t, err)
	p, err := graph.PlanFor(b.G)
	require.NoError(t, err)
	var outputs []*gorgonia.Node
	for _, v := range p.Outputs {
		outputs = append(outputs, v.Node)
	}
	require.ElementsMatch(t, []*gorgonia.Node{cost, side, grads[0]}, outputs, "the gradient of x is of no use\n%s", p)
}

func TestRegistry(t *testing.T) {
	onlyCPU(t, "of a program without the CUDA engine")
	require.Subset(t, graph.Kinds(), []string{"cpu", "null"})
	require.IsIncreasing(t, graph.Kinds())
	for _, device := range []string{"", "gpu", "cuda:x", "CPU", " cpu"} {
		_, err := graph.Open(device, graph.Config{})
		require.ErrorContains(t, err, "known are", device)
		require.ErrorContains(t, err, "cpu")
	}
	e, err := graph.Open("null", graph.Config{})
	require.NoError(t, err)
	require.Equal(t, "null", e.Name())
	opener := func(string, graph.Config) (graph.Engine, error) { return graph.Null{}, nil }
	graph.Register("test", opener)
	require.PanicsWithValue(t, `graph: engine kind "test" registered twice`, func() { graph.Register("test", opener) })
	e, err = graph.Open("test:1", graph.Config{})
	require.NoError(t, err)
	require.NoError(t, e.Close())
}

func TestNull(t *testing.T) {
	g, x, _ := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	m, err := graph.Compile(g, graph.WithEngine(graph.Null{}))
	require.NoError(t, err)
	require.ErrorIs(t, m.RunAll(), graph.ErrNull)
	require.Equal(t, 3*4+3*4, m.Plan().PeakBytes())
	require.NoError(t, m.Close())
}

// Sizes that no memory can hold, one by one or together, are an error and neither a panic nor a plan of few bytes.
func TestImpossibleSizes(t *testing.T) {
	for _, dims := range [][]int{{1 << 40, 1 << 40}, {1 << 32, 1 << 32}, {1 << 31, 1 << 31}, {1 << 30, 1 << 30}, {1 << 44}} {
		b := enginetest.NewB(t, tensor.Float32)
		y := gorgonia.NewTensor(b.G, b.Dt, len(dims), gorgonia.WithShape(dims...), gorgonia.WithName("x"))
		for range 4 {
			y = b.Apply(&op.Scale{Factor: 2}, y)
		}
		b.Want("y", 0, y)
		var ce *graph.CompileError
		_, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
		require.ErrorAs(t, err, &ce, "%v", dims)
		require.ErrorContains(t, err, "no memory can hold")
		_, err = graph.Compile(b.G, b.Options(openCPU(t))...)
		require.ErrorAs(t, err, &ce, "%v", dims)
	}
}
