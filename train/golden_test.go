package train_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestLossesAreThoseOfKerasAndPyTorch trains the three nets for 20 steps from given weights on given batches. The golden
// losses are of a run in float64; the tolerance of a step is eight times the worst distance that Keras's and PyTorch's
// float32 runs keep from it up to that step (at least 1e-5), as scripts/golden/README.md tells. VGG-16 magnifies
// rounding from step to step, so its tolerance grows to 1 %: its first five losses, good to about 1e-5, are the proof
// of its gradients.
func TestLossesAreThoseOfKerasAndPyTorch(t *testing.T) {
	for _, c := range goldenNets {
		t.Run(c.file, func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("20 steps of a large net")
			}
			golden := numtest.LoadNetRun(t, "testdata/golden/"+c.file+".json")
			begin := time.Now()
			losses, m := trainGolden(t, engine(t, 0), c.arch, golden)
			requireGolden(t, golden, losses)
			t.Logf("%d steps in %v", golden.Steps, time.Since(begin).Round(time.Millisecond))
			requireFinalWeights(t, m, golden)
		})
	}
}

// goldenNets are the nets with golden runs.
var goldenNets = []struct {
	file string
	arch arch.Architecture
	long bool
}{
	{"simplecnn", arch.SimpleCNN{}, false},
	{"resnet50", arch.ResNet50{NoL2: true}, true},
	{"resnet50_l2", arch.ResNet50{}, true},
	{"vgg16", arch.VGG16{}, true},
}

// trainGolden repeats a golden run on an engine. It returns the losses and the model as it is then.
func trainGolden(t *testing.T, e graph.Engine, a arch.Architecture, golden *numtest.NetRun) ([]float64, *nn.Model) {
	t.Helper()
	m, err := a.Model()
	require.NoError(t, err)
	setWeights(t, m, golden)
	opt := train.SGD{Momentum: golden.Momentum}
	s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), golden.Batch, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var losses []float64
	for i := range golden.Losses {
		r, err := s.Run(golden.Images(i), golden.Labels(i), golden.LearningRate, i)
		require.NoError(t, err)
		losses = append(losses, r.Loss)
	}
	require.NoError(t, s.Sync())
	return losses, m
}

// requireGolden compares the losses of a run, which include the penalty, with the golden ones. What matters is the error beside
// the cross-entropy.
func requireGolden(t *testing.T, golden *numtest.NetRun, losses []float64) {
	t.Helper()
	worst := 0.0
	for i, want := range golden.Losses {
		off := math.Abs(losses[i]-want-golden.Penalties[i]) / want
		worst = max(worst, off/golden.Tolerance[i])
		require.LessOrEqual(t, off, golden.Tolerance[i], "step %d: loss %v, golden %v + %v", i, losses[i], want, golden.Penalties[i])
	}
	t.Logf("%d losses; at worst %.2f of the tolerance", len(losses), worst)
}

// TestBF16Losses repeats golden runs with products of bfloat16. A factor is off by up to 2⁻⁸, and a loss by about that while training
// is young; the bound is some ten times more.
func TestBF16Losses(t *testing.T) {
	for _, c := range goldenNets {
		t.Run(c.file, func(t *testing.T) {
			if c.long && testing.Short() || c.file == "resnet50_l2" {
				t.Skip("20 steps of a large net")
			}
			e, err := cpu.New(cpu.Config{Precision: "bf16"})
			if errors.Is(err, cpu.ErrPrecision) {
				t.Skip(err)
			}
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			golden := numtest.LoadNetRun(t, "testdata/golden/"+c.file+".json")
			golden.Losses = golden.Losses[:min(8, len(golden.Losses))] // five are compared
			begin := time.Now()
			losses, _ := trainGolden(t, e, c.arch, golden)
			requireLossesNear(t, golden, losses, 0.05)
			t.Logf("%d steps in %v", len(losses), time.Since(begin).Round(time.Millisecond))
		})
	}
}

// requireLossesNear compares the losses of the first steps of a run in less precision with the golden ones.
func requireLossesNear(t *testing.T, golden *numtest.NetRun, losses []float64, bound float64) {
	t.Helper()
	worst := 0.0
	for i, loss := range losses {
		require.False(t, math.IsNaN(loss) || math.IsInf(loss, 0), "step %d", i)
		if i < 5 {
			off := math.Abs(loss-golden.Losses[i]-golden.Penalties[i]) / golden.Losses[i]
			worst = max(worst, off)
			require.LessOrEqual(t, off, bound, "step %d: loss %v, golden %v", i, loss, golden.Losses[i])
		}
	}
	t.Logf("at most %.1e from the golden losses of 5 steps", worst)
}

// setWeights gives a model the golden run's weights, which must be all of the model's, in Keras's order.
func setWeights(t *testing.T, m *nn.Model, golden *numtest.NetRun) {
	t.Helper()
	require.NoError(t, m.Initialize(1, tensor.Float32))
	require.Len(t, golden.Weights, len(m.Weights()))
	for i, w := range m.Weights() {
		g := golden.Weights[i]
		require.Equal(t, g.Name, w.Name)
		require.EqualValues(t, g.Shape, w.Shape)
		copy(w.Value.Data().([]float32), g.Initial(golden.Seed))
	}
}

// requireFinalWeights compares sums and norms of all weights and running averages after the last step. Weights drift far
// less than losses do, which see their product: a hundredth of the loss's tolerance, and 1e-5, is several times what is seen.
func requireFinalWeights(t *testing.T, m *nn.Model, golden *numtest.NetRun) {
	t.Helper()
	tolerance := max(1e-5, golden.Tolerance[golden.Steps-1]/100)
	for i, w := range m.Weights() {
		g := golden.Weights[i]
		sum, squares := 0.0, 0.0
		for _, v := range w.Value.Data().([]float32) {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		require.InDelta(t, g.Norm, math.Sqrt(squares), tolerance*g.Norm, "norm of %s", g.Name)
		// A sum of n numbers of this norm is at most √n times the norm.
		require.InDelta(t, g.Sum, sum, tolerance*math.Sqrt(float64(w.Value.DataSize()))*g.Norm, "sum of %s", g.Name)
	}
}
