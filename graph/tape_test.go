package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// The tests in tape_*.go run programs on gorgonia.NewTapeMachine and on ours, each in a graph of its own, and compare.

// newVM makes one of the two machines.
type newVM func(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) gorgonia.VM

func stockVM(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) gorgonia.VM {
	return gorgonia.NewTapeMachine(g, opts...)
}

func ourVM(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) gorgonia.VM {
	return graph.NewTapeMachine(g, opts...)
}

// both runs a program on both machines and requires equal results.
func both(t *testing.T, tolerance float64, program func(t *testing.T, vm newVM) []float64) {
	t.Helper()
	want, got := program(t, stockVM), program(t, ourVM)
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], tolerance*math.Max(1, math.Abs(want[i])), "result %d of %d: Gorgonia has %v, ours %v", i, len(want), want[i], got[i])
	}
}

func tape(t testing.TB, g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) *graph.Machine {
	t.Helper()
	m := graph.NewTapeMachine(g, opts...)
	require.NoError(t, m.Err())
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// numbers returns the elements of values in order.
func numbers(t testing.TB, vs ...gorgonia.Value) (all []float64) {
	t.Helper()
	for _, v := range vs {
		require.NotNil(t, v)
		switch d := v.Data().(type) {
		case float32:
			all = append(all, float64(d))
		case float64:
			all = append(all, d)
		case int:
			all = append(all, float64(d))
		case []float32:
			for _, x := range d {
				all = append(all, float64(x))
			}
		case []float64:
			all = append(all, d...)
		case []int:
			for _, x := range d {
				all = append(all, float64(x))
			}
		default:
			t.Fatalf("no numbers in %T of %T", d, v)
		}
	}
	return all
}

func built[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprint("a test's graph cannot be built: ", err))
	}
	return v
}

// tapeNet is a training graph in stock operations.
type tapeNet struct {
	*enginetest.B
	x, cost *gorgonia.Node
	weights gorgonia.Nodes
	grads   gorgonia.Nodes
	read    gorgonia.Value // the cost after every run
}

func (n *tapeNet) train(t testing.TB, weights ...*gorgonia.Node) *tapeNet {
	n.weights = weights
	var err error
	n.grads, err = gorgonia.Grad(n.cost, weights...)
	require.NoError(t, err)
	gorgonia.Read(n.cost, &n.read)
	return n
}

// perceptron has two layers with biases, a sigmoid, and the mean of squared errors.
func perceptron(t testing.TB, dt tensor.Dtype) *tapeNet {
	n := &tapeNet{B: enginetest.NewB(t, dt)}
	n.x = n.Input("x", 6, 4)
	y := n.Input("y", 6, 2)
	w1, b1, w2, b2 := n.Input("w1", 4, 5), n.Input("b1", 1, 5), n.Input("w2", 5, 2), n.Input("b2", 1, 2)
	layer := func(x, w, b *gorgonia.Node) *gorgonia.Node {
		return built(gorgonia.BroadcastAdd(built(gorgonia.Mul(x, w)), b, nil, []byte{0}))
	}
	h := built(gorgonia.Sigmoid(layer(n.x, w1, b1)))
	n.cost = built(gorgonia.Mean(built(gorgonia.Square(built(gorgonia.Sub(layer(h, w2, b2), y))))))
	return n.train(t, w1, b1, w2, b2)
}

// convnet has two convolutions, a maximum pooling and a softmax with cross-entropy. No activation is exactly 0.
func convnet(t testing.TB, dt tensor.Dtype) *tapeNet {
	n := &tapeNet{B: enginetest.NewB(t, dt)}
	n.x = n.Input("x", 3, 2, 8, 8)
	y := n.Positive("y", 3, 4)
	w1, w2, w3 := n.Input("w1", 3, 2, 3, 3), n.Input("w2", 4, 3, 3, 3), n.Input("w3", 4*4*4, 4)
	h := built(gorgonia.Tanh(built(gorgonia.Conv2d(n.x, w1, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
	h = built(gorgonia.Rectify(built(gorgonia.Conv2d(h, w2, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
	h = built(gorgonia.MaxPool2D(h, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	h = built(gorgonia.Reshape(h, tensor.Shape{3, 4 * 4 * 4}))
	p := built(gorgonia.SoftMax(built(gorgonia.Mul(h, w3))))
	n.cost = built(gorgonia.Neg(built(gorgonia.Mean(built(gorgonia.HadamardProd(built(gorgonia.Log(p)), y))))))
	for _, w := range []*gorgonia.Node{w1, w2, w3} { // small, so that training does not amplify differences of rounding
		switch d := w.Value().Data().(type) {
		case []float32:
			for i := range d {
				d[i] /= 8
			}
		case []float64:
			for i := range d {
				d[i] /= 8
			}
		}
	}
	return n.train(t, w1, w2, w3)
}

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// close is the tolerance of programs that compute in dt for a while.
func closeEnough(dt tensor.Dtype) float64 {
	if dt == tensor.Float32 {
		return 2e-4
	}
	return 1e-9
}

// RunAll needs no Reset; Reset before every run changes nothing.
func TestTapeRunsAgain(t *testing.T) {
	g, x, y := doubled(t)
	m := tape(t, g)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{2, 4, 6}, y.Value().Data())
	require.NoError(t, gorgonia.Let(x, vector(4, 5, 6)))
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{8, 10, 12}, y.Value().Data())
	require.NoError(t, gorgonia.Let(x, vector(7, 8, 9)))
	m.Reset()
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{14, 16, 18}, y.Value().Data())
}

// A loop in the manner of Gorgonia's examples: Let, RunAll, Solver.Step, Reset.
func TestTapeLetBetweenRuns(t *testing.T) {
	for _, dt := range floatTypes {
		both(t, closeEnough(dt), func(t *testing.T, vm newVM) (losses []float64) {
			n := perceptron(t, dt)
			batches := []gorgonia.Value{n.Input("batch 1", 6, 4).Value(), n.Input("batch 2", 6, 4).Value(), n.x.Value()}
			m := vm(n.G, gorgonia.BindDualValues(n.weights...))
			defer m.Close()
			solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5))
			for i := range 9 {
				require.NoError(t, gorgonia.Let(n.x, batches[i%3]))
				require.NoError(t, m.RunAll())
				require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(n.weights)))
				losses = append(losses, numbers(t, n.read)...)
				m.Reset()
			}
			return losses
		})
	}
}

// gorgonia.Set, and the machine's method, which Gorgonia's example of logistic regression trains with.
func TestTapeSetOfTheMachine(t *testing.T) {
	type setter interface {
		Set(a, b *gorgonia.Node) error
	}
	both(t, 1e-9, func(t *testing.T, vm newVM) (all []float64) {
		n := perceptron(t, tensor.Float64)
		var next gorgonia.Nodes
		for i, w := range n.weights {
			rate := gorgonia.NewConstant(0.5)
			next = append(next, built(gorgonia.Sub(w, built(gorgonia.Mul(rate, n.grads[i])))))
		}
		m := vm(n.G)
		defer m.Close()
		for range 10 {
			require.NoError(t, m.RunAll())
			for i, w := range n.weights {
				require.NoError(t, m.(setter).Set(w, next[i]))
			}
			m.Reset()
			all = append(all, numbers(t, n.read)...)
		}
		return append(all, numbers(t, n.weights[0].Value(), n.weights[3].Value())...)
	})
}

// What was bound before Set stays as it was: the new value is another tensor.
func TestTapeSetCopies(t *testing.T) {
	g, x, y := doubled(t)
	m := tape(t, g)
	first := vector(1, 2, 3)
	require.NoError(t, m.Let(x, first))
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Set(x, y))
	require.Equal(t, []float32{2, 4, 6}, x.Value().Data())
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{2, 4, 6}, x.Value().Data())
	require.Equal(t, []float32{4, 8, 12}, y.Value().Data())
	require.Equal(t, []float32{1, 2, 3}, first.Data())
}

// The value of a result may be bound to an input as it is, for a state that goes from run to run.
func TestTapeResultAsInput(t *testing.T) {
	g, x, y := doubled(t)
	m := tape(t, g)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	for range 3 {
		require.NoError(t, m.RunAll())
		require.NoError(t, gorgonia.Let(x, y.Value()))
	}
	require.Equal(t, []float32{8, 16, 24}, y.Value().Data())
	require.NoError(t, gorgonia.Let(x, vector(1, 1, 1))) // and a tensor of its own again
	require.NoError(t, m.RunAll())
	require.Equal(t, []float32{2, 2, 2}, y.Value().Data())
}

// gorgonia.Set in the graph takes effect when the run is over, for all nodes at once. On Gorgonia's tape machine it assigns
// nothing: it lets the operation write over its first operand, which is the right place for w - rate × gradient.
func TestTapeSetOfTheGraph(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("x"))
	u := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("u"))
	y := built(gorgonia.Square(x))
	gorgonia.Set(x, u) // exchanges them, but for the square
	gorgonia.Set(u, y)
	var read gorgonia.Value
	gorgonia.Read(built(gorgonia.Exp(x)), &read)
	require.NoError(t, gorgonia.Let(x, tensor.New(tensor.WithBacking([]float64{0, 2}))))
	require.NoError(t, gorgonia.Let(u, tensor.New(tensor.WithBacking([]float64{1, 3}))))

	stock := gorgonia.NewTapeMachine(g)
	require.NoError(t, stock.RunAll())
	require.Equal(t, []float64{0, 2}, x.Value().Data(), "if Gorgonia's machine has learnt it, docs/gorgonia.md must change")
	require.NoError(t, stock.Close())

	m := tape(t, g)
	require.NoError(t, m.RunAll())
	require.Equal(t, []float64{1, 3}, x.Value().Data())
	require.Equal(t, []float64{0, 4}, u.Value().Data())
	require.InDeltaSlice(t, []float64{1, math.Exp(2)}, read.Data(), 1e-12, "the run itself sees the old value")
	require.NoError(t, m.RunAll())
	require.Equal(t, []float64{0, 4}, x.Value().Data())
	require.Equal(t, []float64{1, 9}, u.Value().Data())
}

// Gorgonia's machine may add into the memory of an input that it does not need any more. Ours leaves the program's tensors alone.
func TestTapeLeavesInputsAlone(t *testing.T) {
	run := func(vm newVM) any {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("x"), gorgonia.WithValue(tensor.New(tensor.WithBacking([]float64{1, 2}))))
		y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("y"), gorgonia.WithValue(tensor.New(tensor.WithBacking([]float64{10, 20}))))
		z := built(gorgonia.Add(x, y))
		built(gorgonia.Exp(y))
		built(gorgonia.Exp(z))
		m := vm(g)
		defer m.Close()
		require.NoError(t, m.RunAll())
		require.Equal(t, []float64{11, 22}, z.Value().Data())
		return x.Value().Data()
	}
	require.Equal(t, []float64{1, 2}, run(ourVM))
}

func TestTapeLetAndSetErrors(t *testing.T) {
	g, x, y := doubled(t)
	_, other, _ := doubled(t)
	m := tape(t, g)
	var fe *graph.FeedError
	require.ErrorAs(t, m.Let(nil, vector(1, 2, 3)), &fe)
	require.ErrorAs(t, m.Set(x, nil), &fe)
	require.ErrorAs(t, m.Set(nil, y), &fe)
	require.ErrorAs(t, m.Let(other, vector(1, 2, 3)), &fe)
	require.Equal(t, "x", fe.Node)
	require.Contains(t, fe.Error(), "another graph")
	require.ErrorAs(t, m.Set(x, other), &fe)
	require.ErrorAs(t, m.Set(x, y), &fe)
	require.Equal(t, y.Name(), fe.Node)
	require.Contains(t, fe.Error(), "run the machine before")
	require.Error(t, m.Let(y, vector(1, 2, 3)), "not an input")
	require.Error(t, m.Let(x, vector(1, 2)), "of another shape")
}

func TestTapeUseAfterClose(t *testing.T) {
	g, x, _ := doubled(t)
	require.NoError(t, gorgonia.Let(x, vector(1, 2, 3)))
	m := graph.NewTapeMachine(g)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "twice is harmless")
	require.ErrorIs(t, m.RunAll(), graph.ErrClosed)
	require.ErrorIs(t, m.Err(), graph.ErrClosed)
	require.ErrorIs(t, m.Sync(), graph.ErrClosed)
	m.Reset()

	other := tape(t, g)
	require.NoError(t, other.RunAll(), "closing one machine leaves the engine to others")
}
