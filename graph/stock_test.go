package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// kindsOf lists the operations of the plan for n.
func kindsOf(t *testing.T, n *gorgonia.Node) []string {
	p, err := graph.PlanFor(n.Graph(), graph.WithOutputs(n))
	require.NoError(t, err)
	var kinds []string
	for _, s := range p.Steps {
		kinds = append(kinds, s.Instr.Kind())
	}
	return kinds
}

// The numbers of Gorgonia's binary operators, which capture reads by reflection, mean what capture thinks: a new
// Gorgonia that numbers them otherwise fails here.
func TestStockOperatorNumbers(t *testing.T) {
	type binary = func(a, b *gorgonia.Node) (*gorgonia.Node, error)
	compare := func(f func(a, b *gorgonia.Node, retSame bool) (*gorgonia.Node, error)) binary {
		return func(a, b *gorgonia.Node) (*gorgonia.Node, error) { return f(a, b, true) }
	}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for name, c := range map[string]struct {
			apply binary
			kind  string
		}{
			"Add": {gorgonia.Add, "Add"}, "HadamardProd": {gorgonia.HadamardProd, "Mul"},
			"Sub": {gorgonia.Sub, "Binary"}, "HadamardDiv": {gorgonia.HadamardDiv, "Binary"}, "Pow": {gorgonia.Pow, "Binary"},
			"Lt": {compare(gorgonia.Lt), "Binary"}, "Gt": {compare(gorgonia.Gt), "Binary"}, "Lte": {compare(gorgonia.Lte), "Binary"},
			"Gte": {compare(gorgonia.Gte), "Binary"}, "Eq": {compare(gorgonia.Eq), "Binary"}, "Ne": {compare(gorgonia.Ne), "Binary"},
		} {
			t.Run(fmt.Sprintf("%s of tensors of %v", name, dt), func(t *testing.T) {
				b := enginetest.NewB(t, dt)
				y, err := c.apply(b.Positive("a", 2, 3), b.Positive("b", 2, 3))
				require.NoError(t, err)
				require.Equal(t, []string{c.kind}, kindsOf(t, y))
				sameAsStock(t, b, y)
			})
			t.Run(fmt.Sprintf("%s of scalars of %v", name, dt), func(t *testing.T) {
				b := enginetest.NewB(t, dt)
				y, err := c.apply(b.Scalar("a", 1.5), b.Scalar("b", 0.25))
				require.NoError(t, err)
				require.Equal(t, []string{c.kind}, kindsOf(t, y))
				sameAsStock(t, b, y)
			})
		}
	}
}

// sameAsStock compares the machine with Gorgonia's own, bit by bit.
func sameAsStock(t *testing.T, b *enginetest.B, y *gorgonia.Node) {
	t.Helper()
	b.Want("y", numtest.Elementwise, y)
	m := b.Compile(openCPU(t))
	defer m.Close()
	require.NoError(t, m.RunAll())
	got, err := m.Value(y)
	require.NoError(t, err)
	have := fmt.Sprint(got.Data())

	var want gorgonia.Value
	gorgonia.Read(y, &want)
	stock := gorgonia.NewTapeMachine(b.G)
	defer stock.Close()
	require.NoError(t, stock.RunAll())
	require.Equal(t, fmt.Sprint(want.Data()), have)
}

// A tensor and a scalar, and integers, are not what our addition computes.
func TestStockOperatorsThatStayStock(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	mixed, err := gorgonia.Add(b.Input("x", 2, 3), b.Scalar("s", 2))
	require.NoError(t, err)
	require.Equal(t, []string{"HostOp"}, kindsOf(t, mixed))
	sameAsStock(t, b, mixed)

	b = enginetest.NewB(t, tensor.Float32)
	ints, err := gorgonia.Add(b.Int("i", 2), b.Int("j", 40))
	require.NoError(t, err)
	require.Equal(t, []string{"HostOp"}, kindsOf(t, ints))
	sameAsStock(t, b, ints)
}

// elemBinOp has the name of Gorgonia's type and is not it.
type elemBinOp struct{ userOp }

func TestForeignTypeOfTheSameName(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	y, err := gorgonia.ApplyOp(elemBinOp{userOp{name: "foreign", do: first}}, b.Input("x", 2, 3), b.Input("y", 2, 3))
	require.NoError(t, err)
	require.Equal(t, []string{"HostOp"}, kindsOf(t, y))
}

// Operations without a kernel are computed by Gorgonia and named in one line, each once.
func TestUnknownOperationsAreNamedOnce(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x := b.Input("x", 2, 3)
	y := gorgonia.Must(gorgonia.Tanh(x))
	y = gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Exp(y)), gorgonia.Must(gorgonia.Tanh(y))))
	y = b.Apply(&op.ReLU{}, y)
	var lines []string
	log := graph.WithLog(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) })
	m, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(y), log)
	require.NoError(t, err)
	defer m.Close()
	require.Len(t, lines, 1)
	require.Equal(t, 1, strings.Count(lines[0], "tanh"), lines[0])
	require.Equal(t, 1, strings.Count(lines[0], "exp"), lines[0])
	require.NoError(t, m.RunAll())
	require.NoError(t, m.RunAll())
	require.Len(t, lines, 1, "running says nothing")

	// Nothing to say about known operations; no log is no trouble.
	lines = nil
	known, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(b.Apply(&op.ReLU{}, x)), log)
	require.NoError(t, err)
	require.NoError(t, known.Close())
	require.Empty(t, lines)
	silent, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(y), graph.WithLog(nil))
	require.NoError(t, err)
	require.NoError(t, silent.Close())
	sameAsStock(t, b, y)
}

// A whole graph of Gorgonia's own operations, with its gradients, runs as on Gorgonia's machine.
func TestStockGraph(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x, w := b.Input("x", 4, 3), b.Input("w", 3, 2)
	h := gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Mul(x, w))))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(h))))
	grads, err := gorgonia.Grad(cost, w)
	require.NoError(t, err)
	sameAsStock(t, b, grads[0])
}
