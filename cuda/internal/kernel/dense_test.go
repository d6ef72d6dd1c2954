package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/train"
)

// narrower plans as the CUDA engine does under bf16.
type narrower struct{ planner }

func (narrower) Narrows(s *graph.Step) (in, out []bool, gains bool) { return Narrows(s) }

// Dense layers of many rows read and write bfloat16; scores, and gradients of weights, stay float32.
func TestDenseLayersOfATrainingStep(t *testing.T) {
	for _, c := range []struct {
		batch  int
		narrow bool
	}{{128, false}, {256, true}} {
		a, err := arch.ByName("vgg16", arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		g, opts, err := train.StepGraph(m, train.SGD{Momentum: 0.9}, c.batch, 1)
		require.NoError(t, err)
		p, err := graph.PlanFor(g, append(opts, graph.WithEngine(narrower{}))...)
		require.NoError(t, err)
		b, products := builderFor(BF16), 0
		for _, s := range p.Steps {
			kind := s.Instr.Kind()
			if kind != "MatMul" && kind != "FusedMatMul" {
				if kind == "FusedScores" {
					require.False(t, s.In[0].Narrow, "scores")
					require.Equal(t, c.narrow, s.Out[1].Narrow, "their gradient")
				}
				continue
			}
			products++
			mul, e := matMulOf(s)
			require.Equal(t, c.narrow, s.In[0].Narrow, "%s of %s", s.Instr, s.Out[0].Name)
			require.Equal(t, c.narrow && mul.TransA, s.In[1].Narrow, "%s of %s", s.Instr, s.Out[0].Name)
			require.Equal(t, c.narrow && (e.relu || mul.TransB), s.Out[0].Narrow, "%s of %s", s.Instr, s.Out[0].Name)
			packs := len(b.Packs)
			commands := commandsOf(t, b, s)
			if !c.narrow {
				require.Empty(t, b.Packs)
				continue
			}
			require.Len(t, commands, 1)
			require.Equal(t, mul.TransA || mul.TransB, packs == len(b.Packs), "both passes of a layer share the weights' copy")
			require.LessOrEqual(t, launchesBeside(commands[0]), 1, "%s: a ReLU with rounding, or nothing", s.Instr)
		}
		require.Equal(t, 9, products)
	}
}

// launchesBeside counts what a product launches besides the library's call, where libraries take everything.
func launchesBeside(c Command) int {
	if choice, ok := c.(*Choice); ok {
		most := 0
		for _, w := range choice.Ways {
			n := 0
			for _, x := range w.List {
				n += launchesBeside(x)
			}
			most = max(most, n)
		}
		return most
	}
	if e, ok := c.(*Either); ok {
		return len(e.Try) - 1
	}
	if _, ok := c.(*Launch); ok {
		return 1
	}
	return 0
}

// Each product of a layer with some of its operands narrow, in all ways, passes the checks of launches.
func TestDenseCommands(t *testing.T) {
	const rows, in, out = 256, 600, 900
	derivative := gorgonia.NewMatrix(gorgonia.NewGraph(), tensor.Float32, gorgonia.WithShape(rows, in))
	for mask := range 8 {
		value := func(bit int, dims ...int) *graph.Value {
			v := valueOf(tensor.Float32, dims...)
			v.Narrow = mask>>bit&1 > 0
			return v
		}
		x, y, w, bias := value(0, rows, in), value(1, rows, out), valueOf(tensor.Float32, in, out), valueOf(tensor.Float32, out)
		dx := value(0, rows, in)
		dx.Node = derivative
		if mask&4 > 0 { // an input of the program, of which it may keep a copy
			w.Input, w.Where = true, graph.External
		}
		forward, dense := &op.MatMul{}, func(b, relu bool) *graph.FusedMatMul {
			return &graph.FusedMatMul{MatMul: &op.MatMul{}, Bias: b, ReLU: relu}
		}
		for _, s := range []*graph.Step{
			stepOf(forward, y, x, w), stepOf(dense(true, false), y, x, w, bias), stepOf(dense(true, true), y, x, w, bias), stepOf(dense(false, true), y, x, w),
			stepOf(&op.MatMul{TransB: true}, dx, y, w), stepOf(&op.MatMul{TransA: true}, valueOf(tensor.Float32, in, out), x, y),
		} {
			require.True(t, isDense(s))
			b := builderFor(BF16)
			commandsOf(t, b, s)
			require.LessOrEqual(t, b.Work(), int64(mostScratch))
		}
	}
}

// Where there is nothing to gain, and where operands are others than those of a layer, everything stays float32.
func TestProductsThatStayWide(t *testing.T) {
	x, w, y := valueOf(tensor.Float32, 256, 600), valueOf(tensor.Float32, 600, 900), valueOf(tensor.Float32, 256, 900)
	for name, s := range map[string]*graph.Step{
		"few rows":             stepOf(&op.MatMul{}, valueOf(tensor.Float32, 191, 900), valueOf(tensor.Float32, 191, 600), w),
		"both turned around":   stepOf(&op.MatMul{TransA: true, TransB: true}, valueOf(tensor.Float32, 600, 900), x, valueOf(tensor.Float32, 900, 256)),
		"weights turned, relu": stepOf(&graph.FusedMatMul{MatMul: &op.MatMul{TransB: true}, ReLU: true}, y, x, valueOf(tensor.Float32, 900, 600)),
	} {
		in, out, gains := Narrows(s)
		require.Nil(t, in, name)
		require.Nil(t, out, name)
		require.False(t, gains, name)
	}
	in, out, gains := Narrows(stepOf(&op.MatMul{}, y, x, w))
	require.Equal(t, []bool{true, false}, in, "weights are not images")
	require.Equal(t, []bool{false}, out, "these may be scores")
	require.True(t, gains)
	little := stepOf(&op.MatMul{}, valueOf(tensor.Float32, 256, 100), x, valueOf(tensor.Float32, 600, 100))
	_, _, gains = Narrows(little)
	require.True(t, gains)
	x.Where = graph.External
	_, _, gains = Narrows(little)
	require.False(t, gains, "it would have to be rounded")
}
