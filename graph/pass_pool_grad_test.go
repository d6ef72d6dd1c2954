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

// poolJoiner is an engine that wants the gradient of a max pooling in one step with the mask behind it if it has so many elements, or more. It
// sums in front of the pooling's gradient if smaller, as engines do that have no MaxPool2DGradBias.
type poolJoiner struct {
	graph.Null
	least   int
	smaller bool
	asked   *int
}

func (j poolJoiner) JoinsPoolGrad(s *graph.Step) bool {
	*j.asked++
	return s.Out[0].Len() >= j.least
}

func (j poolJoiner) Fuses(kind string, dt tensor.Dtype) bool {
	return j.Null.Fuses(kind, dt) && !(j.smaller && kind == "MaxPool2DGradBias")
}

// apart is the engine that asks for nothing.
type apart struct{ poolJoiner }

func (apart) JoinsPoolGrad(*graph.Step) bool { return false }

// Every pooling of VGG-16 and AlexNet is behind a bias and a ReLU, and its gradient is masked and summed in one step with itself. That of
// ResNet-50 is behind a batch norm, which sums by itself.
func TestPoolGradsOfNets(t *testing.T) {
	for name, want := range map[string]int{"vgg16": 5, "alexnet": 3, "resnet50": 1} {
		a, err := arch.ByName(name, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, train.SGD{}, 8, 1)
		require.NoError(t, err)
		for _, smaller := range []bool{false, true} {
			asked := 0
			plan := func(e graph.Engine, more ...graph.Option) map[string]int {
				p, err := graph.PlanFor(g, append(append(append([]graph.Option(nil), opts...), graph.WithEngine(e)), more...)...)
				require.NoError(t, err)
				for _, s := range p.Steps {
					if f, ok := s.Instr.(*graph.FusedMaxPool2DGrad); ok {
						require.Equal(t, name != "resnet50", f.Bias)
						require.Equal(t, s.In[1].Shape, s.In[2].Shape)
						require.Equal(t, s.In[0].Shape, s.Out[0].Shape)
					}
				}
				return countKinds(p)
			}
			j := poolJoiner{smaller: smaller, asked: &asked}
			before, joined := plan(apart{j}), plan(j)
			require.Equal(t, want, joined["FusedMaxPool2DGrad"], name)
			pools := func(kinds map[string]int) int { return kinds["MaxPool2DGrad"] + kinds["MaxPool2DGradBias"] }
			require.Equal(t, want, pools(before)-pools(joined), name)
			// Of ResNet-50 a sum of two branches' gradients was masked, in a loop, which is that sum alone now.
			masks := func(kinds map[string]int) int { return kinds["ReLUGrad"] + kinds["ReLUGradBias"] + kinds["Loop"] }
			require.Equal(t, want, masks(before)-masks(joined), name)
			j.least = 1 << 60
			require.Equal(t, before, plan(j), "%s: the engine wants none", name)

			// Where memory is scarce, nothing is asked.
			asked, j.least = 0, 0
			cheap := graph.WithRecompute(graph.RecomputeCheap)
			require.Equal(t, plan(apart{j}, cheap), plan(j, cheap), name)
			require.Zero(t, asked)
		}
	}
}

// An engine that would have a convolution mask its gradient is not asked for that where the pooling's gradient does.
func TestPoolGradsComeBeforeConvolutions(t *testing.T) {
	count := func(e graph.Engine) (kinds map[string]int) {
		a, err := arch.ByName("vgg16", arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, train.SGD{}, 8, 1)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(opts, graph.WithEngine(e))...)
		require.NoError(t, err)
		return countKinds(p)
	}
	kinds := count(enginetest.Joining{Engine: graph.Null{}})
	require.Equal(t, 5, kinds["FusedMaxPool2DGrad"])
	require.Equal(t, 8, kinds["FusedConv2DBackwardInput"], "of 12, four are behind a pooling")
}

// The work of what is joined is that of the steps that it stands for, and so is the layout.
func TestCostOfJoinedPoolGrads(t *testing.T) {
	joins := 0
	for _, c := range enginetest.FusionCases() {
		if c.Pass != "pool-relu-grad" || len(c.Want) == 0 {
			continue
		}
		for _, smaller := range []bool{false, true} {
			flops := func(e graph.Engine) (n int64) {
				b := enginetest.NewB(t, tensor.Float32)
				c.Build(b)
				p, err := graph.PlanFor(b.G, b.Options(e)...)
				require.NoError(t, err)
				for i, s := range p.Steps {
					n += graph.CostOf(s).FLOPs
					if f, ok := s.Instr.(*graph.FusedMaxPool2DGrad); ok {
						require.Equal(t, f.Grad.Format.String(), graph.Explain(p).Steps[i].Layout, c.Name)
						joins++
					}
				}
				return n
			}
			j := poolJoiner{smaller: smaller, asked: new(int)}
			require.Equal(t, flops(apart{j}), flops(j), c.Name)
		}
	}
	require.Greater(t, joins, 8)
}
