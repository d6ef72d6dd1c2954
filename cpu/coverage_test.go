package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Every kernel of the table runs in some case of the conformance suite, fused or not.
func TestEveryKernelHasACase(t *testing.T) {
	if numtest.Race {
		t.Skip("starts no goroutine")
	}
	seen := map[string]bool{}
	for _, c := range enginetest.Cases() {
		for _, e := range []graph.Engine{graph.Null{}, enginetest.Reference{}} { // the first fuses all it can, the other nothing
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			p, err := graph.PlanFor(b.G, b.Options(e)...)
			require.NoError(t, err)
			for _, s := range p.Steps {
				seen[s.Instr.Kind()] = true
			}
		}
	}
	for _, c := range enginetest.OpCases(tensor.Float32) {
		seen[c.Op.Kind()] = true
	}
	for kind := range kernels {
		require.True(t, seen[kind], "no case of internal/enginetest has a step %s", kind)
	}
}

// Of two kernels of one kind, the order of the files would choose: registering the second panics.
func TestRegisterRefusesDuplicates(t *testing.T) {
	before := kernels["ReLU"].f32
	require.PanicsWithValue(t, "cpu: two kernels are registered for ReLU", func() {
		registerFloats(map[string]prepare{"ReLU": before}, nil)
	})
}

// A step number that Adam cannot take is an error, as in its reference, and changes no weight.
func TestAdamRefusesStepZero(t *testing.T) {
	e, err := New(Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	for _, fused := range []bool{false, true} {
		b := enginetest.NewB(t, tensor.Float32)
		w, m, v := b.Input("w", 3), b.Input("m", 3), b.Positive("v", 3)
		before := append([]float32(nil), w.Value().Data().([]float32)...)
		m1, v1 := m, v
		if fused {
			g := b.Input("g", 3)
			m1, v1 = b.Apply(&op.AdamMean{Beta: 0.9}, m, g), b.Apply(&op.AdamSquare{Beta: 0.99}, v, g)
			b.Update(m, m1)
			b.Update(v, v1)
		}
		b.Update(w, b.Apply(&op.AdamStep{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-7}, w, m1, v1, b.Scalar("lr", 0.1), b.Int("t", 0)))
		machine := b.Compile(e)
		var se *graph.StepError
		require.ErrorAs(t, machine.RunAll(), &se)
		require.ErrorContains(t, se, "want at least 1")
		require.Equal(t, map[bool]string{false: "AdamStep", true: "AdamUpdate"}[fused], machine.Plan().Steps[0].Instr.Kind())
		require.Equal(t, before, w.Value().Data())
		require.NoError(t, machine.Close())
	}
}

type panicking struct{}

func (panicking) Do(_, _ int) { panic("oh") }

// What a kernel's panic leaves is one line that says where; the worker's stack is in pool.Panic.
func TestKernelPanicIsOneLine(t *testing.T) {
	e, err := New(Config{Threads: 2})
	require.NoError(t, err)
	defer e.Close()
	p := &program{engine: e, plan: &graph.Plan{Steps: []*graph.Step{{Instr: &op.ReLU{}, Out: []*graph.Value{{Name: "y"}}}}}}
	p.steps = []step{func(*memory) error {
		e.pool.Run(panicking{}, 4)
		return nil
	}}
	var se *graph.StepError
	require.ErrorAs(t, p.Run(), &se)
	require.Contains(t, se.Error(), "a task panicked: oh")
	require.NotContains(t, se.Error(), "\n")
	var cause *pool.Panic
	require.ErrorAs(t, se, &cause)
	require.Contains(t, string(cause.Stack), "panicking")
}
