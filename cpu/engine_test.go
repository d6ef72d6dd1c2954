package cpu_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

func open(t testing.TB, threads int) *cpu.Engine {
	e, err := cpu.New(cpu.Config{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestConformance(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) graph.Engine { return open(t, threads) }, watched()...)
		})
	}
}

// Lower instruction sets, as on other machines. Where the machine itself has no better, they are the same once more. A
// process chooses when it starts, so each level has one of its own.
func TestConformanceOfLowerLevels(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, level := range []string{"generic", "avx2"} {
		t.Run(level, func(t *testing.T) {
			cmd := exec.Command(exe, "-test.v", "-test.run=^TestConformance$/^2_threads$|^TestLevel$")
			cmd.Env = append(os.Environ(), "STHENO_CPU="+level)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: TestConformance/2_threads/residual_net_with_momentum")
			require.Contains(t, string(out), "--- PASS: TestLevel")
		})
	}
}

// The level is the one that was asked for, or the machine's best where that is lower.
func TestLevel(t *testing.T) {
	e := open(t, 1)
	order := []string{"generic", "avx2", "avx512"}
	require.Contains(t, order, e.Level())
	if asked := os.Getenv("STHENO_CPU"); asked != "" {
		require.LessOrEqual(t, slices.Index(order, e.Level()), slices.Index(order, asked))
	}
}

func TestOpen(t *testing.T) {
	e, err := graph.Open("cpu", graph.Config{Threads: 3})
	require.NoError(t, err)
	require.Equal(t, "cpu", e.Name())
	require.Equal(t, 3, e.(*cpu.Engine).Threads())
	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "twice")
	require.Positive(t, open(t, 0).Threads())

	_, err = graph.Open("cpu:0", graph.Config{})
	require.ErrorContains(t, err, `device "cpu:0"`)
	_, err = cpu.New(cpu.Config{Threads: -1})
	require.ErrorContains(t, err, "-1 threads")
	t.Setenv("STHENO_CPU", "sse9")
	_, err = cpu.New(cpu.Config{})
	require.ErrorContains(t, err, "STHENO_CPU")
	require.ErrorContains(t, err, "sse9")
}

// foreign is a buffer of another engine.
type foreign struct{}

func (foreign) Upload(op.Array) error   { return nil }
func (foreign) Download(op.Array) error { return nil }
func (foreign) Close() error            { return nil }

func TestProgramRefusesWrongBuffers(t *testing.T) {
	e := open(t, 1)
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 2, 3)
	h := b.Apply(&op.MatMul{TransB: true}, x, x)
	b.Want("y", 0, b.Apply(&op.MatMul{}, h, x))
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	prog, err := e.Build(p)
	require.NoError(t, err)
	wrap := func(data any, dims ...int) graph.Buffer {
		buf, err := e.Wrap(op.Array{Shape: dims, Data: data})
		require.NoError(t, err)
		return buf
	}
	require.ErrorContains(t, prog.Run(), "was never bound")
	in, out := p.Inputs[0], p.Outputs[0]
	require.ErrorContains(t, prog.Bind(in, foreign{}), "another engine")
	require.ErrorContains(t, prog.Bind(in, wrap(make([]float32, 5), 5)), `value "x" wants 6 elements of float32, got 5`)
	require.ErrorContains(t, prog.Bind(in, wrap(make([]float64, 6), 6)), "got 6 of float64")
	require.ErrorContains(t, prog.Bind(p.Steps[0].Out[0], wrap(make([]float32, 4), 4)), "lives in the arena")
	y := make([]float32, 6)
	require.NoError(t, prog.Bind(out, wrap(y, 2, 3)))
	require.ErrorContains(t, prog.Run(), "was never bound", "refused buffers do not count")
	require.NoError(t, prog.Bind(in, wrap([]float32{1, 0, 0, 0, 1, 0}, 2, 3)))
	require.NoError(t, prog.Run())
	require.Equal(t, []float32{1, 0, 0, 0, 1, 0}, y)
	require.NoError(t, prog.Close())
	require.NoError(t, prog.Close())
	require.ErrorIs(t, prog.Run(), graph.ErrClosed)
	require.ErrorIs(t, prog.Bind(in, wrap(make([]float32, 6), 6)), graph.ErrClosed)
}

// The number of threads does not change a bit, also where tensors are large enough to be split.
func TestThreadsDoNotChangeResults(t *testing.T) {
	var want string
	for _, threads := range []int{1, 2, 3, 5} {
		b := enginetest.NewB(t, tensor.Float32)
		x := b.Input("x", 6, 32, 32, 3)
		var params []*gorgonia.Node
		param := func(name string, dims ...int) *gorgonia.Node {
			params = append(params, b.Input(name, dims...))
			return params[len(params)-1]
		}
		conv := &op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}}
		y, _, _, err := op.BatchNormTraining(b.Apply(conv, x, param("w", 3, 3, 3, 16)), param("gamma", 16), param("beta", 16), -1, 1e-3)
		require.NoError(t, err)
		y = b.Apply(&op.MaxPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{2, 2}}}, b.Apply(&op.ReLU{}, y))
		y = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{ConvAttrs: conv.ConvAttrs}, y, param("w2", 3, 3, 16, 24)), param("b2", 24)))
		flat, err := op.Flatten(y)
		require.NoError(t, err)
		logits := b.Apply(&op.MatMul{}, flat, param("dense", 16*16*24, 10))
		cost := b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, logits, b.Labels("labels", 6, 10)))
		cost = b.Apply(&op.Add{}, cost, b.Apply(&op.L2Penalty{Lambda: 1e-3}, params[len(params)-1]))
		outputs := append(b.CostGrads(cost, params...), b.Want("cost", 0, cost))
		m := b.Compile(open(t, threads))
		got := ""
		for range 3 {
			require.NoError(t, m.RunAll())
		}
		for _, n := range outputs {
			v, err := m.Value(n)
			require.NoError(t, err)
			got += fmt.Sprintln(v.Data())
		}
		require.NoError(t, m.Close())
		if want == "" {
			want = got
		}
		require.True(t, want == got, "%d threads give other bits than 1", threads)
	}
}

// Nor where an optimizer's step takes its gradient from a product, whose parts and sums are then those of the step.
func TestThreadsDoNotChangeUpdates(t *testing.T) {
	one, others := open(t, 1), []*cpu.Engine{open(t, 2), open(t, 3), open(t, 5)}
	if numtest.Race { // which sees the same goroutines in all three
		others = others[2:]
	}
	for _, c := range enginetest.FusionCases() {
		if c.Pass != "update" {
			continue
		}
		for _, e := range others {
			c.RequireSameBits(t, one, e, tensor.Float32)
			c.RequireSameBits(t, one, e, tensor.Float64)
		}
	}
}
