package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// gathering is an engine whose plans have the updates of small parameters at the end.
type gathering struct {
	graph.Engine
	most int
}

func (g gathering) Gathers(bytes int, scarce bool) bool { return bytes <= g.most && !scarce }

// Updates of small parameters come last, those of one kind together, the others where they were.
func TestUpdatesWaitForEachOther(t *testing.T) {
	kinds := func(e graph.Engine) (all []string) {
		b := enginetest.NewB(t, tensor.Float32)
		c := enginetest.Random(1, 40)
		c.Build(b)
		p, err := graph.PlanFor(b.G, b.Options(e)...)
		require.NoError(t, err)
		for _, s := range p.Steps {
			all = append(all, fmt.Sprintf("%s %d", s.Instr.Kind(), s.Out[0].Bytes()))
		}
		return all
	}
	plain, none, all := kinds(graph.Null{}), kinds(gathering{graph.Null{}, 0}), kinds(gathering{graph.Null{}, 1 << 30})
	require.Equal(t, plain, none)
	require.NotEqual(t, plain, all)
	require.ElementsMatch(t, plain, all)
}

// Where updates stand changes no result.
func TestWaitingUpdatesChangeNothing(t *testing.T) {
	e := openCPU(t)
	for seed := range uint64(60) {
		c := enginetest.Random(seed, 25)
		c.Runs = 2
		t.Run(c.Name, func(t *testing.T) {
			c.RequireCloseTo(t, gathering{e, 1 << 30}, func(k numtest.Kind) numtest.Tolerance { return numtest.Tol(tensor.Float64, k) }, tensor.Float64)
			c.RequireExact(t, gathering{enginetest.Checker{}, 64})
		})
	}
}

// Where waiting updates need more memory than there is, they do not wait, before anything is computed again.
func TestWaitingUpdatesLeaveABudget(t *testing.T) {
	g, opts := trainingGraph(t, resnet(t, timesDepth(1)), 2)
	plan := func(e graph.Engine, more ...graph.Option) *graph.Plan {
		p, err := graph.PlanFor(g, append(append(append([]graph.Option(nil), opts...), graph.WithEngine(e)), more...)...)
		require.NoError(t, err)
		return p
	}
	all, none := plan(gathering{graph.Null{}, 1 << 30}), plan(gathering{graph.Null{}, 0})
	require.Greater(t, all.PeakBytes(), none.PeakBytes())
	budget := func(n int) *graph.Plan { return plan(gathering{graph.Null{}, 1 << 30}, graph.WithMemoryBudget(n)) }
	require.Equal(t, all.String(), budget(all.PeakBytes()).String())
	require.Equal(t, none.String(), budget(all.PeakBytes()-1).String())
	require.Equal(t, graph.RecomputeOff, budget(none.PeakBytes()).Recompute)
	require.NotEqual(t, graph.RecomputeOff, budget(none.PeakBytes()-1).Recompute)
}
