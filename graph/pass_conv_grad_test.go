package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/train"
)

// joiningLarge is an engine that wants the gradient between two convolutions in one step with its mask if it has so many elements, or more.
type joiningLarge struct {
	graph.Null
	least int
	asked *int
}

func (j joiningLarge) JoinsReLUGrad(s *graph.Step) bool {
	*j.asked++
	return s.Out[0].Len() >= j.least
}

// Between the layers of a net without batch norms every gradient is masked by a ReLU: in front of a max pooling by the pooling's result, as the
// mask goes behind it. So VGG-16 has a join for each convolution but the first.
func TestReLUGradsOfNets(t *testing.T) {
	for name, want := range map[string]int{"vgg16": 12, "alexnet": 4, "resnet50": 0} {
		a, err := arch.ByName(name, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, train.SGD{}, 8, 1)
		require.NoError(t, err)
		asked := 0
		plan := func(e graph.Engine, more ...graph.Option) map[string]int {
			p, err := graph.PlanFor(g, append(append(append([]graph.Option(nil), opts...), graph.WithEngine(e)), more...)...)
			require.NoError(t, err)
			return countKinds(p)
		}
		apart, joined := plan(graph.Null{}), plan(joiningLarge{asked: &asked})
		require.Equal(t, want, joined["FusedConv2DBackwardInput"], name)
		require.Equal(t, want, apart["Conv2DBackwardInput"]-joined["Conv2DBackwardInput"], name)
		masks := func(kinds map[string]int) int { return kinds["ReLUGrad"] + kinds["ReLUGradBias"] }
		require.Equal(t, want, masks(apart)-masks(joined), name)
		require.Equal(t, apart, plan(joiningLarge{least: 1 << 60, asked: &asked}), "%s: the engine wants none", name)

		// Where memory is scarce, nothing is asked.
		asked = 0
		cheap := graph.WithRecompute(graph.RecomputeCheap)
		require.Equal(t, plan(graph.Null{}, cheap), plan(joiningLarge{asked: &asked}, cheap), name)
		require.Zero(t, asked)
	}
}

// The work of what is joined is that of the steps that it stands for, and so is the layout.
func TestCostOfJoinedReLUGrads(t *testing.T) {
	for _, c := range enginetest.FusionCases() {
		if c.Pass != "conv-relu-grad" || len(c.Want) == 0 {
			continue
		}
		flops := func(e graph.Engine) (n int64, layouts string) {
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			for i, s := range p.Steps {
				n += graph.CostOf(s).FLOPs
				if s.Instr.Kind() == "FusedConv2DBackwardInput" {
					layouts = graph.Explain(p).Steps[i].Layout
				}
			}
			return n, layouts
		}
		apart, _ := flops(graph.Null{})
		joined, layout := flops(joiningLarge{asked: new(int)})
		require.Equal(t, apart, joined, c.Name)
		require.Contains(t, []string{"NHWC", "NCHW"}, layout, c.Name)
	}
}
