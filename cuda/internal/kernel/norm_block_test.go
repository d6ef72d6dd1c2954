package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// joinedSteps are batch norms in one step of images of a shape, and their backward passes.
func joinedSteps(dt tensor.Dtype, axis int, dims ...int) (steps []*graph.Step) {
	for _, n := range enginetest.JoinedNorms(dims, axis) {
		s := &graph.Step{Instr: n.Instr}
		for _, d := range n.In {
			s.In = append(s.In, valueOf(dt, d...))
		}
		for _, d := range n.Out {
			s.Out = append(s.Out, valueOf(dt, d...))
		}
		steps = append(steps, s)
	}
	return steps
}

// Rows fit into a block and threads have some; what is not wanted is two launches, whatever the device.
func TestRowBlocks(t *testing.T) {
	for _, dt := range floatTypes {
		for _, c := range append(slices.Clone(channelShapes), []struct {
			dims []int
			axis int
		}{{[]int{64, 8, 8, 64}, 3}, {[]int{64, 1, 1, 2048}, 3}, {[]int{4096, 64}, 1}, {[]int{4097, 64}, 1}, {[]int{1024, 2048}, 1}, {[]int{3, 4, 5}, 0}}...) {
			for _, s := range joinedSteps(dt, (c.axis+len(c.dims))%len(c.dims), c.dims...) {
				for _, b := range []*Builder{{}, builderFor(FP32)} {
					commands := commandsOf(t, b, s)
					l := commands[0].(*Launch)
					if len(commands) > 1 {
						require.Len(t, commands, 2)
						require.False(t, JoinsNorm(s, FP32, b.Multiprocessors), "%v of %v", s.Instr, c.dims)
						continue
					}
					require.True(t, JoinsNorm(s, FP32, b.Multiprocessors))
					keep, rows := 0, l.Args[len(l.Args)-2].(int32)
					_, text, _ := strings.Cut(l.Source.Text, "#define KEEP ")
					_, err := fmt.Sscan(text, &keep)
					require.NoError(t, err)
					require.Zero(t, l.Block.X%32)
					require.LessOrEqual(t, l.Block.X, blockThreads)
					require.LessOrEqual(t, int(rows), keep*l.Block.X)
					require.True(t, l.Block.X == 32 || int(rows) > leastKept*(l.Block.X-32), "threads without rows")
				}
			}
		}
	}
	// What a launch costs more than a second reading, and what it does not: rows, and images of a few MB.
	joins := func(p Precision, dims ...int) (n int) {
		for _, s := range joinedSteps(tensor.Float32, len(dims)-1, dims...) {
			if JoinsNorm(s, p, 132) {
				n++
			}
		}
		return n
	}
	all := joins(BF16, 64, 2, 2, 256)
	require.Equal(t, 9, all)
	for _, dims := range [][]int{{64, 1, 1, 512}, {64, 1, 1, 2048}, {64, 2, 2, 1024}, {64, 4, 4, 512}, {128, 4, 4, 128}} {
		require.Equal(t, all, joins(BF16, dims...), "%v", dims)
		require.Equal(t, all, joins(TF32, dims...), "%v", dims)
	}
	for _, dims := range [][]int{{64, 16, 16, 64}, {256, 56, 56, 64}, {256, 14, 14, 1024}, {512, 8, 8, 64}, {2048, 8192}, {0, 64}} {
		require.Zero(t, joins(BF16, dims...), "%v", dims)
		require.Zero(t, joins(TF32, dims...), "%v", dims)
	}
	channelsFirst := joinedSteps(tensor.Float32, 1, 4, 8, 2, 2)[0]
	require.False(t, JoinsNorm(channelsFirst, FP32, 132))
	require.False(t, JoinsNorm(stepOf(&graph.Copy{}, valueOf(tensor.Float32, 3), valueOf(tensor.Float32, 3)), FP32, 132))
}

// Every image of a step may be narrow, alone and with others, and the kernels' parameters are of its type.
func TestNarrowJoinedNorms(t *testing.T) {
	for _, dims := range [][]int{{20, 16}, {9000, 16}} { // one launch, and two
		for _, s := range joinedSteps(tensor.Float32, 1, dims...) {
			in, out, gains := Narrows(s)
			require.True(t, gains)
			var may []*graph.Value
			for i, v := range append(slices.Clone(s.In), s.Out...) {
				can := i < len(in) && in[i] || i >= len(s.In) && i-len(s.In) < len(out) && out[i-len(s.In)]
				require.Equal(t, v.Len() > 16, can, "%s: operand %d", s.Instr, i)
				if can {
					may = append(may, v)
				}
			}
			for set := range 1 << len(may) {
				names := ""
				for i, v := range may {
					v.Narrow = set>>i&1 != 0
				}
				for _, c := range commandsOf(t, builderFor(BF16), s) {
					names += c.(*Launch).Source.Name
				}
				require.Equal(t, set != 0, strings.Contains(names, "bf16"), "%s: %s", s.Instr, names)
			}
		}
	}
}

// precise plans as the CUDA engine does in a precision.
type precise struct {
	planner
	precision Precision
}

func (p precise) JoinsNorm(s *graph.Step) bool { return JoinsNorm(s, p.precision, 132) }
func (p precise) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	if p.precision != BF16 {
		return nil, nil, false
	}
	return Narrows(s)
}
func (p precise) InPlace(i graph.Instr, dt tensor.Dtype, out, in int) bool {
	return p.planner.InPlace(i, dt, out, in) || Has(i.Kind(), dt) && InPlace(i, out, in)
}

// Of the 53 batch norms of a small training step of ResNet-50 all but those of the first layers are one launch, forward and backward.
func TestLaunchesOfSmallNorms(t *testing.T) {
	a, err := arch.ByName("resnet50", arch.Config{Input: nn.Shape{32, 32, 3}})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	for _, c := range []struct {
		batch, forward, backward int
		precision                Precision
	}{{64, 52, 49, BF16}, {64, 52, 49, TF32}, {256, 41, 37, BF16}} {
		g, opts, err := train.StepGraph(m, train.SGD{Momentum: 0.9}, c.batch, 1)
		require.NoError(t, err)
		apart, err := graph.PlanFor(g, append(slices.Clone(opts), graph.WithEngine(planner{}))...)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(slices.Clone(opts), graph.WithEngine(precise{precision: c.precision}))...)
		require.NoError(t, err)
		steps := map[string]int{}
		for _, s := range p.Steps {
			steps[s.Instr.Kind()]++
		}
		got := launchesOf(t, p)
		t.Logf("batch %d: %d steps, not %d; %v", c.batch, len(p.Steps), len(apart.Steps), got)
		require.Equal(t, c.forward, got["batch_norm_forward"])
		require.Equal(t, c.backward, got["batch_norm_backward"])
		require.Equal(t, 53, steps["FusedBatchNorm"]+got["batch_norm_forward"])
		require.Equal(t, len(apart.Steps)-c.forward-c.backward, len(p.Steps))
	}
}
