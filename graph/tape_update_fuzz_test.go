package graph_test

import (
	"fmt"
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

// Inputs of graphs of the fuzz test are updated, all at once, by values of the same graph and by each other. They take what a
// machine without updates computes, and no other value changes by it: in place or not, kept or not, computed again or not.
func TestFuzzedUpdates(t *testing.T) {
	onlyCPU(t, "some graphs round to whole numbers what sums of another order leave on either side")
	e := openCPU(t)
	updated := 0
	for k := range 120 {
		rng := rand.New(rand.NewPCG(77, uint64(k)))
		seed := make([]byte, 8+rng.IntN(120))
		for i := range seed {
			seed[i] = byte(rng.UintN(256))
		}
		if fuzzUpdates(t, e, seed, rng) {
			updated++
		}
		if t.Failed() {
			t.Fatalf("graph %d", k)
		}
	}
	require.Greater(t, updated, 60)
}

func fuzzUpdates(t *testing.T, e graph.Engine, seed []byte, rng *rand.Rand) bool {
	s := sprout(t, seed, true)
	if s == nil {
		s = sprout(t, seed, false)
	}
	all := computed(s.G)
	if len(all) == 0 || s.Dt != tensor.Float64 {
		return false
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
	want := map[*node][]float64{}
	for _, n := range s.inputs {
		want[n] = slices.Clone(arrayOf(t, n.Value()).x)
	}
	reset := func() { // to dense tensors, as updates need
		for _, n := range s.inputs {
			var v any = want[n][0]
			if !n.IsScalar() {
				v = tensor.New(tensor.WithShape(n.Shape().Clone()...), tensor.WithBacking(slices.Clone(want[n])))
			}
			require.NoError(t, gorgonia.Let(n, v))
		}
	}
	kept := machine(e, graph.Keep(all...))
	for _, n := range all {
		v, err := kept.Value(n)
		require.NoError(t, err)
		want[n] = slices.Clone(arrayOf(t, v).x)
	}
	require.NoError(t, kept.Close())

	var updates []op.Update
	for _, n := range s.inputs {
		var fit nodes
		for _, m := range append(slices.Clone(all), s.inputs...) {
			if m.Dims() == n.Dims() && m.Shape().Eq(n.Shape()) && s.typed(m) {
				fit = append(fit, m)
			}
		}
		if rng.IntN(3) > 0 {
			updates = append(updates, op.Update{Target: n, New: fit[rng.IntN(len(fit))]})
		}
	}
	if len(updates) == 0 {
		return false
	}
	tol := numtest.Tolerance{Rel: 1e-5, Abs: 1e-6}
	for _, engine := range []graph.Engine{e, enginetest.Checker{Probe: true}} {
		for _, more := range [][]gorgonia.VMOpt{nil, {graph.Keep(all[rng.IntN(len(all))]), graph.Using(graph.WithRecompute(graph.RecomputeCheap))}} {
			reset()
			m := machine(engine, append(more, graph.Using(graph.WithUpdates(updates...)))...)
			now := map[*node]*node{}
			for _, u := range updates {
				now[u.Target] = u.New
			}
			for _, n := range s.inputs {
				from := n
				if now[n] != nil {
					from = now[n]
				}
				numtest.AssertClose(t, want[from], arrayOf(t, n.Value()).x, tol, fmt.Sprintf("%s: input %q", engine.Name(), n.Name()))
			}
			for _, n := range all {
				if v, err := m.Value(n); err == nil {
					numtest.AssertClose(t, want[n], arrayOf(t, v).x, tol, engine.Name()+": "+describe(n))
				}
			}
			if t.Failed() {
				t.Logf("%v\n%v", s, m.Plan())
			}
			require.NoError(t, m.Close())
		}
	}
	return true
}
