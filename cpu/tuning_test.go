package cpu_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// tunedNet is a 3×3 convolution and its gradients.
func tunedNet(b *enginetest.B) {
	same := op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}
	x, w := b.Input("x", 2, 10, 10, 32), b.Input("w", 3, 3, 32, 48)
	y := b.Apply(&op.Conv2D{ConvAttrs: same}, x, w)
	b.Want("y", numtest.Reduction, y)
	b.Want("dx", numtest.Reduction, b.Apply(&op.Conv2DBackwardInput{ConvAttrs: same, InputShape: tensor.Shape{2, 10, 10, 32}}, y, w))
	b.Want("dw", numtest.Reduction, b.Apply(&op.Conv2DBackwardFilter{ConvAttrs: same, FilterShape: tensor.Shape{3, 3, 32, 48}}, x, y))
}

func tunedPlan(t testing.TB, e graph.Engine, dt tensor.Dtype) *graph.Plan {
	b := enginetest.NewB(t, dt)
	tunedNet(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	return p
}

func openTuned(t *testing.T, threads int, table *cpu.Tuning) *cpu.Engine {
	e, err := cpu.New(cpu.Config{Threads: threads, Tuning: table})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// against is a table that says the model is wrong everywhere: the way that it likes least is the fastest.
func against(t testing.TB, e *cpu.Engine, p *graph.Plan) (table *cpu.Tuning, other int) {
	table = cpu.NewTuning("a CPU")
	list, _, err := e.Convolutions(p)
	require.NoError(t, err)
	for _, c := range list {
		m := cpu.Measurement{Convolution: c}
		for _, way := range c.Ways() {
			m.Times = append(m.Times, cpu.WayTime{Way: way, Seconds: 1})
		}
		for i := range m.Times {
			if m.Times[i].Way != c.Model() {
				m.Times[i].Seconds = 0.5
				other++
				break
			}
		}
		table.Add(m)
	}
	return table, other
}

func kernelsOf(t *testing.T, e *cpu.Engine, p *graph.Plan) []string {
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	return prog.(graph.KernelTeller).Kernels()
}

// An engine computes as its table says, within the tolerance, and only with the threads and the type of elements of the table.
func TestTuningIsFollowed(t *testing.T) {
	plain := open(t, 2)
	p := tunedPlan(t, plain, tensor.Float32)
	table, other := against(t, plain, p)
	require.NotZero(t, other, "there is a convolution with a choice")
	tuned := openTuned(t, 2, table)
	require.Zero(t, tuned.Choices(), "nothing was built")
	require.NotContains(t, tuned.String(), "tuned")
	require.Empty(t, tuned.Tuned(), "nothing was built")

	was, is := kernelsOf(t, plain, p), kernelsOf(t, tuned, tunedPlan(t, tuned, tensor.Float32))
	changed := 0
	for i := range was {
		if was[i] != is[i] {
			changed++
		}
	}
	require.Equal(t, other, changed, "%v, tuned %v", was, is)
	digest := tuned.Tuned()
	require.Len(t, digest, 16)
	require.Equal(t, table.Len(), tuned.Choices())
	require.Contains(t, tuned.String(), fmt.Sprintf(", tuned for %d convolution", table.Len()))
	require.Equal(t, "threads 2; batch 2; precision fp32", table.For())
	kernelsOf(t, tuned, p)
	require.Equal(t, table.Len(), tuned.Choices(), "equal convolutions count once")
	again := openTuned(t, 2, table)
	require.Equal(t, is, kernelsOf(t, again, p))
	require.Equal(t, digest, again.Tuned())

	// With other threads, or in float64, the table has nothing to say.
	for _, e := range []*cpu.Engine{plain, openTuned(t, 1, table)} {
		require.Equal(t, was, kernelsOf(t, e, p))
		require.Zero(t, e.Choices())
		require.Empty(t, e.Tuned())
		require.NotContains(t, e.String(), "tuned")
	}
	double := tunedPlan(t, plain, tensor.Float64)
	require.Equal(t, kernelsOf(t, plain, double), kernelsOf(t, tuned, double))
	require.Equal(t, digest, tuned.Tuned())
}

// Whatever the choice, results and gradients are within the tolerance, and the same every time.
func TestTunedResults(t *testing.T) {
	plain := open(t, 2)
	c := enginetest.Case{Name: "tuned convolution", Build: tunedNet}
	table, _ := against(t, plain, tunedPlan(t, plain, tensor.Float32))
	e := openTuned(t, 2, table)
	c.RequireClose(t, e, tensor.Float32)
	require.NotEmpty(t, e.Tuned())
}

// What the model chose needs no table: the digest is of other choices.
func TestTuningThatAgrees(t *testing.T) {
	plain := open(t, 1)
	p := tunedPlan(t, plain, tensor.Float32)
	list, count, err := plain.Convolutions(p)
	require.NoError(t, err)
	table := cpu.NewTuning("a CPU")
	for _, c := range list {
		require.Equal(t, 1, count[c])
		require.Contains(t, c.Ways(), c.Model())
		require.Contains(t, c.String(), "3×3 32→48 at 10×10, batch 2")
		m := cpu.Measurement{Convolution: c}
		for i, way := range c.Ways() {
			m.Times = append(m.Times, cpu.WayTime{Way: way, Seconds: 1 + float64(i)/100})
		}
		require.Equal(t, c.Model(), m.Best(), "a hundredth is nothing")
		require.Zero(t, m.Gain())
		table.Add(m)
	}
	e := openTuned(t, 1, table)
	require.Equal(t, kernelsOf(t, plain, p), kernelsOf(t, e, p))
	require.Equal(t, table.Len(), e.Choices())
	require.Empty(t, e.Tuned())
}

func TestMeasure(t *testing.T) {
	e := open(t, 2)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		list, _, err := e.Convolutions(tunedPlan(t, e, dt))
		require.NoError(t, err)
		for _, c := range list {
			m, err := e.Measure(t.Context(), c, 1<<20)
			require.NoError(t, err)
			require.Len(t, m.Times, len(c.Ways()))
			for i, way := range c.Ways() {
				require.Equal(t, way, m.Times[i].Way)
				require.Positive(t, m.Times[i].Seconds)
				require.Equal(t, m.Times[i].Seconds, m.Seconds(way))
			}
			require.Contains(t, c.Ways(), m.Best())
			require.GreaterOrEqual(t, m.Gain(), 0.)
		}
		if len(list) > 0 {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = e.Measure(ctx, list[0], 0)
			require.ErrorIs(t, err, context.Canceled)
			_, err = open(t, 1).Measure(t.Context(), list[0], 1<<40)
			require.ErrorContains(t, err, "use an engine with as many")
		}
	}
}

// Filters that stay as they are are convolutions of their own: they are packed once.
func TestPackedConvolutions(t *testing.T) {
	e := open(t, 1)
	b := enginetest.NewB(t, tensor.Float32)
	w := b.Resident(b.Input("w", 3, 3, 32, 48))
	y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}}, b.Input("x", 2, 10, 10, 32), w)
	b.Want("y", numtest.Reduction, y)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	list, _, err := e.Convolutions(p)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	require.Equal(t, "forward, packed", list[0].Pass())
	_, err = e.Measure(t.Context(), list[0], 1<<40)
	require.NoError(t, err)
}
