package graph_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// FuzzStockGraphs builds a graph of Gorgonia's operations and of ours from the bytes, runs it with every node kept and compares
// each of them with its own Do, then runs it with only its roots asked for, so that passes have all they may want to fuse, on the
// CPU engine and on the one that proves plans sound, and compares these.
func FuzzStockGraphs(f *testing.F) {
	rng := rand.New(rand.NewPCG(20, 26))
	for kind := range len(grown) { // every way to grow a graph, behind and before others
		seed := []byte{byte(kind), byte(kind >> 1)}
		for range 3 {
			seed = append(seed, byte(kind))
			for range 6 {
				seed = append(seed, byte(rng.UintN(256)))
			}
		}
		f.Add(seed)
	}
	for range 150 {
		seed := make([]byte, 8+rng.IntN(100))
		for i := range seed {
			seed[i] = byte(rng.UintN(256))
		}
		f.Add(seed)
	}
	// Loops waited for each other: a way from one group of steps back to itself led through a step before all of its members.
	f.Add([]byte{0x0, 0x51, 0x0, 0x0, 0x0, 0x0, 0x0, 0xb3, 0x0, 0x0, 0xbd, 0x70, 0xce})
	e := openCPU(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 256 {
			data = data[:256]
		}
		fuzzStock(t, e, data)
	})
}

func fuzzStock(t *testing.T, e graph.Engine, data []byte) {
	s := sprout(t, data, true)
	if s == nil { // Gorgonia cannot differentiate this graph
		s = sprout(t, data, false)
	}
	all := computed(s.G)
	if len(all) == 0 {
		return
	}
	machine := func(e graph.Engine, opts ...gorgonia.VMOpt) *graph.Machine {
		opts = append(opts, graph.Using(graph.WithEngine(e)), graph.WithSeed(5))
		if s.evaluating {
			opts = append(opts, gorgonia.EvalMode())
		}
		m := graph.NewTapeMachine(s.G, opts...)
		require.NoError(t, m.Err(), "%s", s)
		require.NoError(t, m.RunAll(), "%s", s)
		return m
	}
	kept := machine(e, graph.Keep(all...))
	defer kept.Close()
	check := &checker{t: t, m: kept, evaluating: s.evaluating, lenient: true, rng: rand.New(rand.NewPCG(1, 2))}
	check.nodes(s.G)

	want := map[*gorgonia.Node]array{}
	for _, n := range all {
		v, err := kept.Value(n)
		require.NoError(t, err)
		want[n] = arrayOf(t, v)
	}
	// What rounding may do to a value depends on all the operations in front of it. The graph itself tells how much, run with
	// inputs whose last places differ.
	doubt := map[*gorgonia.Node]float64{}
	before := map[*gorgonia.Node]gorgonia.Value{}
	for _, n := range s.inputs {
		before[n] = n.Value()
	}
	for range 2 {
		for _, n := range s.inputs {
			require.NoError(t, gorgonia.Let(n, nudge(t, check.rng, before[n], 64)))
		}
		moved := machine(e, graph.Keep(all...))
		for _, n := range all {
			v, err := moved.Value(n)
			require.NoError(t, err)
			doubt[n] = max(doubt[n], farthest(want[n].x, arrayOf(t, v).x))
		}
		require.NoError(t, moved.Close())
	}
	for _, n := range s.inputs {
		require.NoError(t, gorgonia.Let(n, before[n]))
	}
	for _, engine := range []graph.Engine{e, enginetest.Checker{Probe: true}} {
		roots := machine(engine)
		compared := 0
		for _, n := range all {
			v, err := roots.Value(n)
			if err != nil {
				continue
			}
			compared++
			tol := numtest.Tolerance{}
			switch n.Dtype() {
			case tensor.Float64, tensor.Float32:
				tol = numtest.Tol(n.Dtype(), numtest.Gradient)
				// Values are of order 1: what is smaller than some thousand roundings of 1 is what a cancellation left.
				tol.Abs = 8*doubt[n] + map[tensor.Dtype]float64{tensor.Float64: 0x1p-40, tensor.Float32: 0x1p-11}[n.Dtype()]
			case tensor.Int, tensor.Bool:
				if doubt[n] > 0 {
					tol.Abs = math.Inf(1)
				}
			}
			numtest.AssertClose(t, want[n].x, arrayOf(t, v).x, tol, engine.Name()+", roots only: "+describe(n))
		}
		if compared == 0 {
			t.Errorf("%s: nothing to compare", engine.Name())
		}
		if t.Failed() {
			t.Logf("%v\n%v", s, roots.Plan())
		}
		require.NoError(t, roots.Close())
	}
}

// The fuzz test is worth what its graphs are: every way to grow one succeeds, many have gradients, and next to nothing goes
// without comparison.
func TestFuzzedGraphs(t *testing.T) {
	e := openCPU(t)
	rng := rand.New(rand.NewPCG(3, 4))
	succeeded := map[string]int{}
	graphs, differentiated, all, unknown := 200, 0, 0, 0
	for range graphs {
		seed := make([]byte, 60)
		for i := range seed {
			seed[i] = byte(rng.UintN(256))
		}
		s := sprout(t, seed, true)
		if s == nil {
			s = sprout(t, seed, false)
		} else if slices.ContainsFunc(s.G.AllNodes(), func(n *node) bool { return len(n.DerivOf()) > 0 }) {
			differentiated++
		}
		for name, k := range s.succeeded {
			succeeded[name] += k
		}
		m := graph.NewTapeMachine(s.G, graph.Using(graph.WithEngine(e)), graph.Keep(computed(s.G)...))
		require.NoError(t, m.RunAll())
		c := &checker{t: t, m: m}
		for _, n := range computed(s.G) {
			var in []gorgonia.Value
			for _, child := range op.Children(n) {
				in = append(in, c.value(child))
			}
			all++
			if _, err := c.compute(n, in); err != nil {
				unknown++
			}
		}
		require.NoError(t, m.Close())
	}
	for _, g := range grown {
		require.NotZero(t, succeeded[g.name], g.name)
	}
	require.Greater(t, differentiated, graphs*2/5)
	require.Less(t, unknown, all/100, "nodes without a reference, of %d", all)
}
