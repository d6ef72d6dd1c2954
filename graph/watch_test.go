package graph_test

import (
	"bytes"
	"log"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// The first node in the order of execution that has a NaN or an infinity is named, with the number's place.
func TestTapeWatch(t *testing.T) {
	for _, dt := range floatTypes {
		b := enginetest.NewB(t, dt)
		x := b.Filled("x", []float32{1, 4, -1, 0, -2, 9}, 2, 3)
		roots := built(gorgonia.Sqrt(x)) // NaN at 2 and 4
		inverse := built(gorgonia.Inverse(x))
		built(gorgonia.Sum(built(gorgonia.Add(roots, inverse))))
		run := func(opts ...gorgonia.VMOpt) error { return tape(t, b.G, opts...).RunAll() }

		require.NoError(t, run(), "without watching")
		var we *graph.WatchError
		require.ErrorAs(t, run(gorgonia.WithNaNWatch()), &we)
		require.Equal(t, roots.Name(), we.Node)
		require.Equal(t, 2, we.Index)
		require.True(t, math.IsNaN(we.Found))
		require.Contains(t, we.Op, "sqrt")
		require.Contains(t, we.Error(), roots.Name())

		we = nil
		require.ErrorAs(t, run(gorgonia.WithInfWatch()), &we)
		require.Equal(t, inverse.Name(), we.Node)
		require.Equal(t, 3, we.Index)
		require.True(t, math.IsInf(we.Found, 1))

		we = nil
		require.ErrorAs(t, run(gorgonia.WithInfWatch(), gorgonia.WithNaNWatch()), &we)
		require.Equal(t, roots.Name(), we.Node)

		m := tape(t, b.G, gorgonia.WithInfWatch(), gorgonia.WithNaNWatch())
		require.Error(t, m.RunAll())
		require.NoError(t, gorgonia.Let(x, b.Positive("fine", 2, 3).Value()))
		require.NoError(t, m.RunAll(), "a machine that found something goes on with better numbers")
		requireNumbers(t, roots, 6)
	}
}

// Fused operations hide nothing: a watched machine runs every node on its own.
func TestTapeWatchSeesIntoFusedOperations(t *testing.T) {
	c := chainNet(t, 4)
	c.x.Value().Data().([]float32)[0] = float32(math.Inf(-1)) // the ReLU makes zeros of it
	require.NoError(t, gorgonia.Let(c.G.Inputs()[1], c.Positive("positive", 8, 16).Value()))
	require.NoError(t, tape(t, c.G).RunAll())
	var we *graph.WatchError
	require.ErrorAs(t, tape(t, c.G, gorgonia.WithInfWatch()).RunAll(), &we)
	require.Equal(t, c.product.Name(), we.Node)
}

// An infinity that arises in the gradient is found, before a solver spoils the weights with it.
func TestTapeWatchesGradients(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x := b.Filled("x", []float32{0, 1}, 2)
	grads := built(gorgonia.Grad(built(gorgonia.Sum(built(gorgonia.Sqrt(x)))), x))
	m := tape(t, b.G, gorgonia.WithInfWatch(), gorgonia.BindDualValues(x))
	var we *graph.WatchError
	require.ErrorAs(t, m.RunAll(), &we)
	require.Zero(t, we.Index)
	require.NotEmpty(t, grads[0].Name())
	require.Equal(t, []float64{0, 0}, numbers(t, grad(t, x)))
}

func TestTapeLog(t *testing.T) {
	build := func() (g *gorgonia.ExprGraph, h, view, y *gorgonia.Node) {
		b := enginetest.NewB(t, tensor.Float32)
		h = b.Apply(&op.Scale{Factor: 2}, b.Filled("x", []float32{1, 2.5, -3, 4}, 4))
		view = built(gorgonia.Reshape(h, tensor.Shape{2, 2}))
		return b.G, h, view, built(gorgonia.Sum(built(gorgonia.Square(view))))
	}
	logged := func(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) []string {
		var out bytes.Buffer
		m := tape(t, g, append(opts, gorgonia.WithLogger(log.New(&out, "", 0)))...)
		require.NoError(t, m.RunAll())
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	containing := func(lines []string, parts ...string) (n int) {
		for _, l := range lines {
			found := true
			for _, p := range parts {
				found = found && strings.Contains(l, p)
			}
			if found {
				n++
			}
		}
		return n
	}

	g, h, _, y := build()
	lines := logged(g)
	require.Len(t, lines, 4, "a logger alone gets what is executed: %q", lines)
	require.Equal(t, 1, containing(lines, "Scale", h.Name()))
	require.Equal(t, 1, containing(lines, y.Name()))

	g, h, view, _ := build()
	lines = logged(g, gorgonia.WithWatchlist(h), gorgonia.WithWatchlist(gorgonia.NodeID(view.ID())), gorgonia.WithValueFmt("<%1.1f>"))
	require.Equal(t, 1, containing(lines, h.Name()+`" = <`, "[ 2.0   5.0  -6.0   8.0]>"), "%q", lines)
	require.Equal(t, 1, containing(lines, view.Name()+`" = <`), "also a reshape: %q", lines)
	require.Equal(t, 2, containing(lines, " = "), "%q", lines)

	g, _, _, y = build()
	lines = logged(g, gorgonia.WithWatchlist())
	require.Equal(t, 4, containing(lines, " = "), "%q", lines)
	require.Equal(t, 1, containing(lines, y.Name()+`" = 129`), "%q", lines)
}

// cannotObserve is an engine whose programs run unobserved.
type cannotObserve struct{ enginetest.Reference }

func (e cannotObserve) Build(p *graph.Plan) (graph.Program, error) {
	prog, err := e.Reference.Build(p)
	return struct{ graph.Program }{prog}, err
}

func TestTapeWatchNeedsAnEngineThatCan(t *testing.T) {
	g, x, _ := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	using := graph.Using(graph.WithEngine(cannotObserve{}))
	require.NoError(t, tape(t, g, using).RunAll())
	for _, opt := range []gorgonia.VMOpt{gorgonia.WithNaNWatch(), gorgonia.WithInfWatch(), gorgonia.WithLogger(log.Default())} {
		var ce *graph.CompileError
		require.ErrorAs(t, graph.NewTapeMachine(g, using, opt).Err(), &ce)
		require.Contains(t, ce.Error(), "cannot be watched")
	}
}

// A NaN that was fed is not blamed on the first operation that reads it.
func TestNaNOfAnInput(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Filled("x", []float32{1, 2, float32(math.NaN()), 4}, 2, 2)
	b.Must(gorgonia.Mul(x, b.Input("w", 2, 3)))
	var we *graph.WatchError
	require.ErrorAs(t, tape(t, b.G, gorgonia.WithNaNWatch()).RunAll(), &we)
	require.Equal(t, "x", we.Node)
	require.Equal(t, 2, we.Index)
}
