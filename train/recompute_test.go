package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// nets are the architectures with what has state of its own in them: dropout, batch normalization, penalties.
var nets = map[string]arch.Config{
	"simplecnn": {},
	"vgg16":     {BatchNorm: true, Dropout: 0.5},
	"resnet50":  {},
}

func model(t testing.TB, name string) *nn.Model {
	t.Helper()
	a, err := arch.ByName(name, nets[name])
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	return m
}

// Whatever is computed again, losses and weights are the same bit by bit, over several steps.
func TestRecomputationChangesNoBit(t *testing.T) {
	e := engine(t, 2)
	opt := train.SGD{Momentum: 0.9}
	for name := range nets {
		if testing.Short() && name != "simplecnn" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var want []float64
			var weights map[string][]float32
			steps := 0
			for _, r := range []graph.Recompute{graph.RecomputeOff, graph.RecomputeCheap, graph.RecomputeSegments(2), graph.RecomputeSegments(0)} {
				m := model(t, name)
				s := &stepper{m: m, slots: train.NewSlots(m, opt)}
				step, err := train.NewTrainStep(e, m, opt, s.slots, 3, 1, graph.WithRecompute(r))
				require.NoError(t, err)
				var losses []float64
				for i := range 2 { // the second loss has the first step's gradients
					images, labels := make([]float32, 3*32*32*3), make([]int, 3)
					numtest.FillUnit("images", uint64(i), images)
					numtest.FillLabels("labels", uint64(i), 100, labels)
					result, err := step.Run(images, labels, 0.01, i)
					require.NoError(t, err)
					losses = append(losses, result.Loss)
				}
				if r == graph.RecomputeOff {
					want, weights, steps = losses, s.numbers(), len(step.Plan().Steps)
				} else {
					require.Greater(t, len(step.Plan().Steps), steps, r)
				}
				require.Equal(t, want, losses, r)
				require.True(t, equalNumbers(weights, s.numbers()), r)
				require.NoError(t, step.Close())
			}
		})
	}
}

// equalNumbers compares without printing millions of them.
func equalNumbers(a, b map[string][]float32) bool {
	for name, x := range a {
		if !slices.EqualFunc(x, b[name], func(p, q float32) bool { return math.Float32bits(p) == math.Float32bits(q) }) {
			return false
		}
	}
	return len(a) == len(b)
}

// A run may go on with other ways to save memory than it began with: its outcome is the same.
func TestRunsMayChangeTheirMemory(t *testing.T) {
	whole := small(t)
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	part := small(t)
	part.Recompute = "segments:2"
	_, err = run(t, part, func(p train.Progress) bool { return p.Epoch == 2 && p.Batch == 2 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	part = resumed(t, part)
	require.Equal(t, "segments:2", part.Recompute)
	part.Recompute, part.MemoryBudget = "off", 1<<30
	_, err = run(t, part, nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
	part = resumed(t, part)
	require.Equal(t, "", part.Recompute)
	require.Equal(t, 1<<30, part.MemoryBudget)
}

func TestBudgetThatCannotBeKept(t *testing.T) {
	c := small(t)
	c.MemoryBudget = 1 << 20
	_, err := run(t, c, nil)
	var be *graph.BudgetError
	require.ErrorAs(t, err, &be)
	require.Greater(t, be.Least, 1<<20)
	require.NoDirExists(t, c.Out)

	c.Recompute = "cheap"
	_, err = run(t, c, nil)
	require.ErrorContains(t, err, "but not both")
	c.Recompute = "chaep"
	require.ErrorContains(t, c.Validate(), `did you mean "cheap"?`)
}
