package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
	return planKinds(p)
}

func planKinds(p *graph.Plan) (kinds []string) {
	for _, s := range p.Steps {
		kinds = append(kinds, s.Instr.Kind())
	}
	return kinds
}

// grow builds the case and the gradient of a weighted sum of its result.
func (c stockCase) grow(b *enginetest.B) {
	y, wrt := c.build(b)
	if len(wrt) == 0 {
		return
	}
	cost := y
	if !y.IsScalar() {
		cost = must(gorgonia.Sum(must(gorgonia.HadamardProd(y, b.Input("upstream", y.Shape().Clone()...)))))
	}
	_, err := gorgonia.Grad(cost, wrt...)
	require.NoError(b.T, err)
}

// Every stock operation, forward and backward, is translated and gives the numbers of Gorgonia's own Do, node by node, or of a
// plain loop where Gorgonia is wrong; and again where only the roots are asked for, which lets the passes at the graph.
func TestStockOperations(t *testing.T) {
	e := openCPU(t)
	for _, c := range stockCases() {
		dtypes := []tensor.Dtype{tensor.Float32, tensor.Float64}
		if c.only != nil {
			dtypes = c.only
		}
		t.Run(c.name, func(t *testing.T) {
			for _, dt := range dtypes {
				for _, evaluating := range []bool{false, true} {
					if evaluating && !strings.Contains(c.name, "BatchNorm") && !strings.Contains(c.name, "Dropout") {
						continue
					}
					t.Run(fmt.Sprintf("%v %v", dt, evaluating), func(t *testing.T) { c.run(t, e, dt, evaluating) })
				}
			}
		})
	}
}

func (c stockCase) run(t *testing.T, e graph.Engine, dt tensor.Dtype, evaluating bool) {
	b := enginetest.NewB(t, dt)
	c.grow(b)
	opts := []gorgonia.VMOpt{graph.Using(graph.WithEngine(e)), graph.WithSeed(7)}
	if evaluating {
		opts = append(opts, gorgonia.EvalMode())
	}
	m := graph.NewTapeMachine(b.G, append(opts, graph.Keep(computed(b.G)...))...)
	require.NoError(t, m.Err())
	defer m.Close()
	require.NoError(t, m.RunAll())
	require.Equal(t, c.host, slices.Contains(planKinds(m.Plan()), "HostOp"), "%v", m.Plan())
	check := &checker{t: t, m: m, evaluating: evaluating, do: c.do, rng: rand.New(rand.NewPCG(1, 2))}
	check.nodes(b.G)

	roots := graph.NewTapeMachine(b.G, opts...)
	require.NoError(t, roots.Err())
	defer roots.Close()
	require.NoError(t, roots.RunAll())
	for _, n := range computed(b.G) {
		got, err := roots.Value(n)
		if err != nil {
			continue
		}
		want, err := m.Value(n)
		require.NoError(t, err)
		if n.Dtype() == tensor.Bool {
			require.Equal(t, want.Data(), got.Data())
			continue
		}
		tol := numtest.Tolerance{}
		if n.Dtype() != tensor.Int {
			tol = numtest.Tol(n.Dtype(), numtest.Gradient)
		}
		numtest.AssertClose(t, want, got, tol, "without Keep: "+describe(n))
	}
}

// The translations read the names of Gorgonia's types. The cases make every one of them, so that a Gorgonia that calls one
// otherwise fails here, and one that calls an attribute otherwise fails in TestStockOperations.
func TestStockOperationsAreComplete(t *testing.T) {
	made := map[string]bool{}
	for _, c := range stockCases() {
		b := enginetest.NewB(t, tensor.Float32)
		c.grow(b)
		for _, n := range b.G.AllNodes() {
			if n.Op() != nil {
				made[attrsOf(n.Op()).name()] = true
			}
		}
	}
	for _, name := range graph.StockOps() {
		require.True(t, made[name], "no case makes an operation %s", name)
	}
	require.True(t, made["sizeOp"])
}

// elemBinOp has the name of Gorgonia's type and is not it.
type elemBinOp struct{ userOp }

func TestForeignTypeOfTheSameName(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	y, err := gorgonia.ApplyOp(elemBinOp{userOp{name: "foreign", do: first}}, b.Input("x", 2, 3), b.Input("y", 2, 3))
	require.NoError(t, err)
	require.Equal(t, []string{"HostOp"}, kindsOf(t, y))
}

// Operations that are not known are computed by their own Do and named in one line, each once.
func TestUnknownOperationsAreNamedOnce(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x := b.Input("x", 2, 3)
	user := func(name string, a, b *gorgonia.Node) *gorgonia.Node {
		return must(gorgonia.ApplyOp(userOp{name: name, do: first}, a, b))
	}
	y := user("mine", x, must(gorgonia.Tanh(x)))
	y = must(gorgonia.Add(user("yours", y, x), user("mine", y, x)))
	y = b.Apply(&op.ReLU{}, y)
	var lines []string
	log := graph.WithLog(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) })
	m, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(y), log)
	require.NoError(t, err)
	defer m.Close()
	require.Len(t, lines, 1)
	require.Equal(t, 1, strings.Count(lines[0], "mine"), lines[0])
	require.Equal(t, 1, strings.Count(lines[0], "yours"), lines[0])
	require.NotContains(t, lines[0], "tanh")
	require.NoError(t, m.RunAll())
	require.NoError(t, m.RunAll())
	require.Len(t, lines, 1, "running says nothing")

	// Nothing to say about known operations, Gorgonia's own among them; no log is no trouble.
	lines = nil
	known, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(b.Apply(&op.ReLU{}, must(gorgonia.Exp(x)))), log)
	require.NoError(t, err)
	require.NoError(t, known.Close())
	require.Empty(t, lines)
	silent, err := graph.Compile(b.G, graph.WithEngine(openCPU(t)), graph.WithOutputs(y), graph.WithLog(nil))
	require.NoError(t, err)
	require.NoError(t, silent.Close())
}
