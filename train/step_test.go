package train_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// tiny is a net with everything that has state: batch normalization, dropout of some rate, an L2 penalty.
func tiny(t testing.TB, dropout float64) *nn.Model {
	t.Helper()
	b := nn.NewBuilder("tiny")
	x := b.Input(nn.Shape{6, 6, 2})
	y := b.Add(nn.Conv2D{Filters: 4, Kernel: nn.K(3), Activation: nn.ReLU, KernelRegularizer: nn.L2(1e-3)}, x)
	y = b.Add(nn.BatchNormalization{}, y)
	y = b.Add(nn.Flatten{}, y)
	y = b.Add(nn.Dropout{Rate: dropout}, y)
	y = b.Add(nn.Dense{Units: 7, Activation: nn.Softmax}, y)
	m, err := b.Model(x, y)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(3, tensor.Float32))
	return m
}

func engine(t testing.TB, threads int) graph.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Config{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// stepper trains a model on batches that depend on the number of the step alone; the last of three is smaller.
type stepper struct {
	m     *nn.Model
	slots train.Slots
	steps map[int]*train.Step
}

func newStepper(t testing.TB, e graph.Engine, m *nn.Model, opt train.Optimizer) *stepper {
	t.Helper()
	s := &stepper{m: m, slots: train.NewSlots(m, opt), steps: map[int]*train.Step{}}
	for _, n := range []int{5, 2} {
		step, err := train.NewTrainStep(e, m, opt, s.slots, n, 11)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, step.Close()) })
		s.steps[n] = step
	}
	return s
}

// run trains on batches from, …, to-1, whose steps are numbered shift higher.
func (s *stepper) run(t testing.TB, from, to, shift int) (losses []float64) {
	t.Helper()
	for i := from; i < to; i++ {
		n := 5
		if i%3 == 2 {
			n = 2
		}
		images, labels := make([]float32, n*6*6*2), make([]int, n)
		numtest.FillUnit("images", uint64(i), images)
		numtest.FillLabels("labels", uint64(i), 7, labels)
		r, err := s.steps[n].Run(images, labels, 0.05, i+shift)
		require.NoError(t, err)
		losses = append(losses, r.Loss)
	}
	return losses
}

// numbers are copies of all weights and slots.
func (s *stepper) numbers() map[string][]float32 {
	all := map[string][]float32{}
	for _, w := range s.m.Weights() {
		all[w.Name] = slices.Clone(w.Value.Data().([]float32))
	}
	for name, x := range s.slots {
		all[name] = slices.Clone(x.Data().([]float32))
	}
	return all
}

func (s *stepper) set(all map[string][]float32) {
	for _, w := range s.m.Weights() {
		copy(w.Value.Data().([]float32), all[w.Name])
	}
	for name, x := range s.slots {
		copy(x.Data().([]float32), all[name])
	}
}

func TestStepsGoOnFromWeightsAndSlots(t *testing.T) {
	for name, opt := range map[string]train.Optimizer{"sgd": train.SGD{}, "momentum": train.SGD{Momentum: 0.9},
		"nesterov": train.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-3}, "adam": train.Adam{}} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, 2)
			first := newStepper(t, e, tiny(t, 0.4), opt)
			first.run(t, 0, 4, 0)
			middle := first.numbers()
			want := first.run(t, 4, 11, 0)

			second := newStepper(t, e, tiny(t, 0.4), opt)
			second.set(middle)
			require.Equal(t, want, second.run(t, 4, 11, 0))
			require.Equal(t, first.numbers(), second.numbers())

			second.set(middle)
			require.NotEqual(t, want[0], second.run(t, 4, 5, 1)[0], "the mask of dropout belongs to the step")
		})
	}
}

// TestNumberOfTheStep: Adam's bias correction depends on it, and without dropout nothing else.
func TestNumberOfTheStep(t *testing.T) {
	e := engine(t, 1)
	for _, opt := range []train.Optimizer{train.SGD{Momentum: 0.9}, train.Adam{}} {
		var losses [2][]float64
		for shift := range losses {
			losses[shift] = newStepper(t, e, tiny(t, 0), opt).run(t, 0, 4, shift)
		}
		require.Equal(t, losses[0][0], losses[1][0])
		require.Equal(t, opt.Name() == "sgd", losses[0][3] == losses[1][3])
	}
}

// TestSteadyState says that a training step allocates nothing and that memory does not grow.
func TestSteadyState(t *testing.T) {
	for _, threads := range []int{1, 2} {
		e := engine(t, threads)
		for name, opt := range map[string]train.Optimizer{"nesterov": train.SGD{Momentum: 0.9, Nesterov: true}, "adam": train.Adam{}} {
			m := tiny(t, 0.4)
			s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 5, 1)
			require.NoError(t, err)
			images, labels := make([]float32, 5*6*6*2), []int{0, 1, 2, 3, 4}
			i := 0
			step := func() {
				_, err := s.Run(images, labels, 1e-3, i)
				require.NoError(t, err)
				i++
			}
			step()
			require.Zero(t, testing.AllocsPerRun(200, step), "%s, %d threads", name, threads)
			before := liveBytes()
			for range 5000 {
				step()
			}
			require.Less(t, liveBytes()-before, int64(64<<10), "%s, %d threads", name, threads)
			require.NoError(t, s.Close())
		}
	}
}

func liveBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestArchitecturesAllocateNothing is TestSteadyState for whole nets.
func TestArchitecturesAllocateNothing(t *testing.T) {
	names := []string{"simplecnn", "vgg16", "resnet50", "resnet18", "resnext50-32x4d"}
	if testing.Short() {
		names = names[:1]
	}
	e := engine(t, 2)
	for _, name := range names {
		a, err := arch.ByName(name, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		opt := train.SGD{Momentum: 0.9}
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 2, 1)
		require.NoError(t, err)
		images, labels := make([]float32, 2*32*32*3), []int{0, 99}
		step := func() {
			_, err := s.Run(images, labels, 1e-6, 0)
			require.NoError(t, err)
		}
		step()
		require.Zero(t, testing.AllocsPerRun(3, step), name)
		require.NoError(t, s.Close())
	}
}

// TestLoopAllocates bounds what the loop around the steps allocates: batches, progress and validation are reused too.
func TestLoopAllocates(t *testing.T) {
	mallocs := func() float64 {
		c := small(t)
		c.Batch, c.LimitTrain, c.LimitTest, c.Epochs = 4, 400, 4, 1
		var at1, now runtime.MemStats
		runtime.GC()
		_, err := run(t, c, func(p train.Progress) bool {
			if p.Epoch == 1 && p.Batch == 10 && !p.Validating {
				runtime.ReadMemStats(&at1)
			}
			if p.Epoch == 1 && p.Batch == 90 && !p.Validating {
				runtime.ReadMemStats(&now)
			}
			return false
		})
		require.NoError(t, err)
		return float64(now.Mallocs-at1.Mallocs) / 80
	}
	n := mallocs()
	t.Logf("%.2f allocations a batch", n)
	require.Less(t, n, 2.0)
}

func TestStepRefusesAnotherBatchSize(t *testing.T) {
	e := engine(t, 1)
	s, err := train.NewEvalStep(e, tiny(t, 0.4), 3)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Run(make([]float32, 2*6*6*2), make([]int, 2), 0, 0)
	require.ErrorContains(t, err, "compiled for 3 images of 72 numbers, got 2 labels and 144 numbers")
	r, err := s.Run(make([]float32, 3*6*6*2), []int{0, 1, 2}, 0, 0)
	require.NoError(t, err)
	require.Positive(t, r.Loss)
}
