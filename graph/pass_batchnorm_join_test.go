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

// joiningSmall is an engine that wants batch norms of so many elements, or fewer, in one step, and is asked how often.
type joiningSmall struct {
	graph.Null
	most  int
	asked *int
}

func (j joiningSmall) JoinsNorm(s *graph.Step) bool {
	*j.asked++
	return s.In[0].Len() <= j.most
}

func countKinds(p *graph.Plan) map[string]int {
	kinds := map[string]int{}
	for _, s := range p.Steps {
		kinds[s.Instr.Kind()]++
	}
	return kinds
}

// A training step of ResNet-50 has a step less for every batch norm that the engine wants in one, forward and backward, and no other change.
func TestSmallNormsAreOneStep(t *testing.T) {
	g, opts := trainingGraph(t, resnet(t, timesDepth(1)), 2)
	asked := 0
	plan := func(e graph.Engine, more ...graph.Option) *graph.Plan {
		p, err := graph.PlanFor(g, append(append(append([]graph.Option(nil), opts...), graph.WithEngine(e)), more...)...)
		require.NoError(t, err)
		return p
	}
	apart := countKinds(plan(graph.Null{}))
	require.Equal(t, apart, countKinds(plan(joiningSmall{most: 0, asked: &asked})))
	require.Positive(t, asked)
	norms := apart["FusedBatchNorm"]
	require.Equal(t, 53, norms)

	all := countKinds(plan(joiningSmall{most: 1 << 30, asked: &asked}))
	require.Equal(t, norms, all["BatchNormForward"])
	require.Equal(t, norms, all["BatchNormBackward"])
	for _, kind := range []string{"BatchStats", "FusedConv2DStats", "FusedBatchNorm", "BatchNormSums", "BatchNormReLUSums", "BatchNormJoinSums",
		"BatchNormGradScale", "BatchNormGradInput", "FusedBatchNormGradInput", "BatchNormReLUGradInput"} {
		require.Zero(t, all[kind], kind)
	}

	// Convolutions gather the statistics of the others.
	some := countKinds(plan(joiningSmall{most: 2 * 8 * 8 * 64, asked: &asked}))
	require.Greater(t, some["FusedConv2DStats"], 0)
	require.Greater(t, some["BatchNormForward"], 0)
	require.Equal(t, norms, some["FusedConv2DStats"]+some["BatchNormForward"])
	require.Equal(t, norms, some["FusedBatchNorm"]+some["BatchNormForward"])

	// Where memory is scarce, nothing is asked.
	asked = 0
	cheap := graph.WithRecompute(graph.RecomputeCheap)
	require.Equal(t, countKinds(plan(graph.Null{}, cheap)), countKinds(plan(joiningSmall{most: 1 << 30, asked: &asked}, cheap)))
	require.Zero(t, asked)
}

// The work of a batch norm in one step is that of the two steps.
func TestCostOfJoinedNorms(t *testing.T) {
	for _, c := range enginetest.FusionCases() {
		if c.Pass != "batch-norm-join" || len(c.Want) == 0 {
			continue
		}
		flops := func(e graph.Engine) (n int64) {
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			for _, s := range p.Steps {
				n += graph.CostOf(s).FLOPs
			}
			return n
		}
		require.Equal(t, flops(graph.Null{}), flops(enginetest.Joining{Engine: graph.Null{}}), c.Name)
	}
}

// A residual that waits for many steps is left alone rather than searched for long.
func TestTheSearchForWhatANormWaitsForEnds(t *testing.T) {
	plan := func(length int) map[string]int {
		b := enginetest.NewB(t, tensor.Float32)
		x, z := b.Input("x", 5, 3), b.Input("z", 5, 3)
		y, _, _, err := op.BatchNormTraining(x, b.Input("gamma", 3), b.Input("beta", 3), -1, 1e-3)
		require.NoError(t, err)
		for range length {
			z = gorgonia.Must(op.Apply(&op.Softmax{}, z))
		}
		b.Want("y", 0, b.Apply(&op.Add{}, y, z))
		p, err := graph.PlanFor(b.G, b.Options(enginetest.Joining{Engine: graph.Null{}})...)
		require.NoError(t, err)
		return countKinds(p)
	}
	require.Equal(t, 1, plan(100)["BatchNormForward"])
	require.Equal(t, 1, plan(300)["FusedBatchNorm"])
}
