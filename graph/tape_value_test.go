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

// gorgonia.Read makes a value where there is none and copies into the one that is there.
func TestTapeRead(t *testing.T) {
	both(t, 0, func(t *testing.T, vm newVM) (all []float64) {
		b := enginetest.NewB(t, tensor.Float64)
		x, s := b.Input("x", 2, 3), b.Scalar("s", 2)
		h := built(gorgonia.Square(x))
		view := built(gorgonia.Reshape(h, tensor.Shape{3, 2}))
		sum := built(gorgonia.Sum(h))
		three := b.G.Constant(gorgonia.NewF64(3))
		cost := built(gorgonia.Mul(sum, built(gorgonia.Add(three, s))))

		var fresh, again, ofInput, ofConstant, ofScalar, ofView gorgonia.Value
		var existing gorgonia.Value = tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float64))
		var number gorgonia.Value = gorgonia.NewF64(-1)
		mine, myNumber := existing, number
		for _, r := range []struct {
			n    *gorgonia.Node
			into *gorgonia.Value
		}{{h, &fresh}, {h, &again}, {h, &existing}, {x, &ofInput}, {three, &ofConstant}, {s, &ofScalar}, {view, &ofView}, {cost, &number}} {
			gorgonia.Read(r.n, r.into)
		}
		m := vm(b.G)
		defer m.Close()
		for i := range 2 {
			require.NoError(t, gorgonia.Let(x, b.Input([]string{"first", "second"}[i], 2, 3).Value()))
			require.NoError(t, m.RunAll())
			m.Reset()
			require.Same(t, mine, existing, "what the caller holds is filled")
			require.Same(t, myNumber, number)
			require.Equal(t, tensor.Shape{3, 2}, ofView.Shape())
			require.NotSame(t, fresh, again)
			require.NotSame(t, x.Value(), ofInput, "a copy")
			all = append(all, numbers(t, fresh, again, existing, ofInput, ofConstant, ofScalar, ofView, number)...)
		}
		return all
	})
}

// A value that does not fit is replaced. Gorgonia fails there, or copies a part.
func TestTapeReadReplacesWhatDoesNotFit(t *testing.T) {
	g, x, y := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	var into gorgonia.Value = tensor.New(tensor.WithShape(2), tensor.Of(tensor.Float64))
	gorgonia.Read(y, &into)
	m := tape(t, g)
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{2, 4, 6}, into.Data())
	kept := into
	require.NoError(t, gorgonia.Let(x, vector(1, 1, 1)))
	require.NoError(t, m.RunAll())
	require.Same(t, kept, into)
	require.Equal(t, []float32{2, 2, 2}, kept.Data())
}

// Compile follows Read and Set where it is not told what to compute.
func TestReadUnderCompile(t *testing.T) {
	g, x, y := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	var into gorgonia.Value
	gorgonia.Read(y, &into)
	gorgonia.Set(x, y)
	m := compile(t, g)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Sync())
	require.Equal(t, []float32{4, 8, 12}, into.Data())
	require.Equal(t, []float32{4, 8, 12}, x.Value().Data())
}

// chainOf has nodes of n elements, of which some end in fused operations.
type chainOf struct {
	*enginetest.B
	x, product, biased, active, cost *gorgonia.Node
}

func chainNet(t testing.TB, rows int) *chainOf {
	c := &chainOf{B: enginetest.NewB(t, tensor.Float32)}
	c.x = c.Input("x", rows, 8)
	c.product = c.Apply(&op.MatMul{}, c.x, c.Input("w", 8, 16))
	c.biased = c.Apply(&op.BiasAdd{Axis: 1}, c.product, c.Input("b", 16))
	c.active = c.Apply(&op.ReLU{}, c.biased)
	c.cost = c.Apply(&op.Mean{}, c.active)
	return c
}

// After a run nodes have their values, or say why they have none.
func TestTapeValues(t *testing.T) {
	c := chainNet(t, 4)
	m := tape(t, c.G)
	require.NoError(t, m.RunAll())
	requireNumbers(t, c.cost, 1)
	requireNumbers(t, c.active, 64)
	requireNotKept(t, c.product) // part of the fused step
	requireNotKept(t, c.biased)

	keep := tape(t, c.G, graph.Keep(c.product), graph.Keep(c.biased, c.cost))
	require.NoError(t, keep.RunAll())
	for _, n := range []*gorgonia.Node{c.product, c.biased, c.active} {
		requireNumbers(t, n, 64)
		v, err := keep.Value(n)
		require.NoError(t, err)
		require.Same(t, v, n.Value())
	}
	before := numbers(t, c.product.Value())
	require.NoError(t, m.RunAll())
	requireNotKept(t, c.product) // of the last run, whichever machine's it was
	require.NoError(t, keep.RunAll())
	require.Equal(t, before, numbers(t, c.product.Value()))

	_, err := m.Value(c.product)
	require.ErrorContains(t, err, "not an output")

	// Gorgonia's machine takes over, and ours again.
	stock := gorgonia.NewTapeMachine(c.G)
	defer stock.Close()
	require.NoError(t, stock.RunAll())
	require.InDeltaSlice(t, before, numbers(t, c.product.Value()), 1e-5)
	require.NoError(t, m.RunAll())
	requireNotKept(t, c.product)
}

func requireNumbers(t *testing.T, n *gorgonia.Node, want int) {
	t.Helper()
	require.Len(t, numbers(t, n.Value()), want, n.Name())
}

func requireNotKept(t *testing.T, n *gorgonia.Node) {
	t.Helper()
	v, ok := n.Value().(*graph.ValueNotKept)
	require.True(t, ok, "%s has a %T", n.Name(), n.Value())
	require.Equal(t, n.Shape(), v.Shape())
	require.Equal(t, n.Dtype(), v.Dtype())
	require.Contains(t, v.Error(), n.Name())
	require.Contains(t, v.Error(), "graph.Keep")
}

// Nodes above KeptBytes are kept if they are asked for, by Keep, by Read or by being results.
func TestTapeKeepsLargeValuesThatAreAskedFor(t *testing.T) {
	const n = graph.KeptBytes/4 + 1
	b := enginetest.NewB(t, tensor.Float32)
	x := gorgonia.NewVector(b.G, tensor.Float32, gorgonia.WithShape(n), gorgonia.WithName("x"), gorgonia.WithValue(tensor.New(tensor.WithShape(n), tensor.Of(tensor.Float32))))
	exactly := gorgonia.NewVector(b.G, tensor.Float32, gorgonia.WithShape(n-1), gorgonia.WithName("exactly"), gorgonia.WithValue(tensor.New(tensor.WithShape(n-1), tensor.Of(tensor.Float32))))
	inner := built(gorgonia.Cos(x))
	read := built(gorgonia.Exp(inner))
	limit := built(gorgonia.Cos(exactly))
	root := built(gorgonia.Tanh(read))
	built(gorgonia.Add(built(gorgonia.Sum(root)), built(gorgonia.Sum(limit))))
	result := built(gorgonia.Sqrt(inner))
	var into gorgonia.Value
	gorgonia.Read(read, &into)

	m := tape(t, b.G)
	require.NoError(t, m.RunAll())
	requireNotKept(t, inner)
	requireNotKept(t, root)
	requireNumbers(t, limit, n-1)
	requireNumbers(t, read, n)
	requireNumbers(t, result, n)
	require.Len(t, into.Data(), n)
	require.NoError(t, tape(t, b.G, graph.Keep(inner)).RunAll())
	requireNumbers(t, inner, n)
}

// Two machines of one graph: what the nodes have are the values of the last run.
func TestTapeValuesAreOfTheLastRun(t *testing.T) {
	g, x, y := doubled(t)
	a, b := tape(t, g), tape(t, g)
	for i, m := range []*graph.Machine{a, b, a, b, b, a} {
		require.NoError(t, gorgonia.Let(x, vector(float32(i), 0, 0)))
		require.NoError(t, m.RunAll())
		require.Equal(t, []float32{2 * float32(i), 0, 0}, y.Value().Data(), "run %d", i)
	}
}

// A copy for every node, which later runs leave alone.
func TestTapeTraceExec(t *testing.T) {
	c := chainNet(t, 4)
	grads, err := gorgonia.Grad(c.cost, c.x)
	require.NoError(t, err)
	m := tape(t, c.G, gorgonia.TraceExec())
	require.NoError(t, m.RunAll())
	kept := map[*gorgonia.Node]gorgonia.Value{}
	for _, n := range c.G.AllNodes() {
		if n.Op() != nil {
			require.NotEmpty(t, numbers(t, n.Value()), n.Name())
			kept[n] = n.Value()
		}
	}
	require.Len(t, numbers(t, c.product.Value(), c.biased.Value(), grads[0].Value()), 64+64+32)
	before := numbers(t, c.product.Value())
	require.NoError(t, gorgonia.Let(c.x, c.Input("another", 4, 8).Value()))
	require.NoError(t, m.RunAll())
	require.NotSame(t, kept[c.product], c.product.Value())
	require.Equal(t, before, numbers(t, kept[c.product]))
	require.NotEqual(t, before, numbers(t, c.product.Value()))
}

// A part of a batch that moves from run to run.
func TestTapeMovingSlice(t *testing.T) {
	both(t, 1e-12, func(t *testing.T, vm newVM) (all []float64) {
		b := enginetest.NewB(t, tensor.Float64)
		x, w := b.Input("x", 12, 3), b.Input("w", 3, 2)
		batch := built(gorgonia.Slice(x, gorgonia.S(0, 4)))
		cost := built(gorgonia.Sum(built(gorgonia.Square(built(gorgonia.Mul(batch, w))))))
		built(gorgonia.Grad(cost, w))
		var read gorgonia.Value
		gorgonia.Read(cost, &read)
		m := vm(b.G, gorgonia.BindDualValues(w))
		defer m.Close()
		for i := range 6 {
			start := i % 3 * 4
			require.NoError(t, gorgonia.UnsafeLet(batch, gorgonia.S(start, start+4)))
			require.NoError(t, m.RunAll())
			all = append(all, numbers(t, read, grad(t, w))...)
			m.Reset()
		}
		return all
	})
}

// The gradient of a sum is a constant, that of the slice which it is a sum of is not: it moves with the slice.
func TestTapeMovingSliceOfConstantGradient(t *testing.T) {
	both(t, 0, func(t *testing.T, vm newVM) (all []float64) {
		b := enginetest.NewB(t, tensor.Float64)
		x := b.Input("x", 6)
		part := built(gorgonia.Slice(x, gorgonia.S(0, 2)))
		built(gorgonia.Grad(built(gorgonia.Sum(part)), x))
		m := vm(b.G, gorgonia.BindDualValues(x))
		defer m.Close()
		for i := range 3 {
			require.NoError(t, gorgonia.UnsafeLet(part, gorgonia.S(2*i, 2*i+2)))
			require.NoError(t, m.RunAll())
			all = append(all, numbers(t, grad(t, x))...)
			m.Reset()
		}
		return all
	})
}

// A slice of another size does not fit the graph.
func TestTapeMovingSliceErrors(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	batch := built(gorgonia.Slice(b.Input("x", 12, 3), gorgonia.S(0, 4)))
	name := batch.Name() // it changes with the slice
	m := tape(t, b.G)
	require.NoError(t, m.RunAll())
	var fe *graph.FeedError
	for _, s := range []tensor.Slice{gorgonia.S(0, 5), gorgonia.S(10, 14), gorgonia.S(0, 4, 2), gorgonia.S(-1, 3)} {
		require.NoError(t, gorgonia.UnsafeLet(batch, s))
		require.ErrorAs(t, m.RunAll(), &fe, "%v", s)
		require.Equal(t, name, fe.Node)
	}
	require.NoError(t, gorgonia.UnsafeLet(batch, gorgonia.S(8, 12)))
	require.NoError(t, m.RunAll())
}

// A LispMachine stays what it is, before and after machines of ours on the same graph.
func TestLispMachineBesideOurs(t *testing.T) {
	c := chainNet(t, 4)
	stockCost := built(gorgonia.Sum(built(gorgonia.Square(built(gorgonia.Sigmoid(c.x))))))
	lisp := func() []float64 {
		m := gorgonia.NewLispMachine(c.G, gorgonia.ExecuteFwdOnly())
		defer m.Close()
		require.NoError(t, m.RunAll())
		return numbers(t, c.product.Value(), c.biased.Value(), c.cost.Value(), stockCost.Value())
	}
	before := lisp()
	require.NoError(t, tape(t, c.G).RunAll())
	require.InDeltaSlice(t, before[len(before)-2:], numbers(t, c.cost.Value(), stockCost.Value()), 1e-5)
	requireNotKept(t, c.product)
	require.Equal(t, before, lisp())
}

// The picture that a net of convolutions makes is there to be looked at, in the layout of its node; what lies between its
// layers is not kept.
func TestTapePictures(t *testing.T) {
	build := func() (g *gorgonia.ExprGraph, hidden, picture *gorgonia.Node) {
		b := enginetest.NewB(t, tensor.Float64)
		conv := func(x, w *gorgonia.Node) *gorgonia.Node {
			return b.Must(gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
		}
		w, v := b.Input("w", 4, 3, 3, 3), b.Input("v", 2, 4, 3, 3)
		hidden = b.Must(gorgonia.Tanh(conv(b.Input("x", 2, 3, 5, 6), w)))
		picture = b.Must(gorgonia.Sigmoid(conv(hidden, v)))
		cost := b.Must(gorgonia.Mean(b.Must(gorgonia.Square(b.Must(gorgonia.Sub(picture, b.Input("y", 2, 2, 5, 6)))))))
		b.Must(cost, nil)
		_, err := gorgonia.Grad(cost, w, v)
		require.NoError(t, err)
		return b.G, hidden, picture
	}
	g, hidden, picture := build()
	require.NoError(t, tape(t, g).RunAll())
	requireNotKept(t, hidden)

	want, _, same := build()
	require.NoError(t, tape(t, want, graph.Using(graph.WithoutPasses())).RunAll())
	require.InDeltaSlice(t, numbers(t, same.Value()), numbers(t, picture.Value()), 1e-12)
}
