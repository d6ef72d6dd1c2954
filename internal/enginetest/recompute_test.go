package enginetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Plans that compute results again are sound and change no bit, on random training graphs, with dropout and batch statistics,
// wanted gradients, and outputs in the middle of all.
func TestRecomputationIsSoundAndExact(t *testing.T) {
	graphs := uint64(250)
	if testing.Short() {
		graphs = 80
	}
	again := map[string]int{}
	for seed := range graphs {
		c := enginetest.Random(seed, 40)
		t.Run(c.Name, func(t *testing.T) {
			b := enginetest.NewB(t, tensor.Float64)
			c.Build(b)
			steps, each := len(b.Plan().Steps), []graph.Option{}
			for _, r := range []graph.Recompute{graph.RecomputeCheap, graph.RecomputeSegments(2), graph.RecomputeSegments(4), graph.RecomputeSegments(0)} {
				each = append(each, graph.WithRecompute(r))
				again[r.String()] += len(b.Plan(graph.WithRecompute(r)).Steps) - steps
			}
			c.RequireExact(t, enginetest.Checker{}, each...)
		})
	}
	t.Log("steps computed again: ", again)
	for r, n := range again {
		require.Greater(t, n, int(graphs)/12, "%s: too few to say anything; most of the graphs are short", r)
	}
}

// The cases of the suite are mostly single operations; those that are not must not suffer either.
func TestRecomputationOfTheSuite(t *testing.T) {
	for _, c := range enginetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			c.RequireExact(t, enginetest.Checker{}, graph.WithRecompute(graph.RecomputeCheap), graph.WithRecompute(graph.RecomputeSegments(3)))
		})
	}
}
