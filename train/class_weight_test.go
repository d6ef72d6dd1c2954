package train_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// TestWeightedStep: four images of which two weigh 2 and two nothing are those two alone.
func TestWeightedStep(t *testing.T) {
	e, opt := engine(t, 2), train.SGD{Momentum: 0.9}
	const pixels = 32 * 32 * 3
	images, labels := make([]float32, 4*pixels), []int{3, 1, 4, 1}
	numtest.FillUnit("images", 5, images)
	var results [2]train.StepResult
	var weights [2][]float32
	for i := range 2 {
		m, err := arch.SimpleCNN{Classes: 10}.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		slots := train.NewSlots(m, opt)
		var s *train.Step
		if i == 0 {
			s, err = train.NewWeightedTrainStep(e, m, opt, slots, 4, 1)
			require.NoError(t, err)
			require.NoError(t, s.Weigh([]float32{2, 0, 2, 0}))
			results[i], err = s.Run(images, labels, 0.1, 0)
		} else {
			s, err = train.NewTrainStep(e, m, opt, slots, 2, 1)
			require.NoError(t, err)
			require.ErrorContains(t, s.Weigh([]float32{1, 1}), "takes 0 weights of images, got 2")
			both := append(append([]float32(nil), images[:pixels]...), images[2*pixels:3*pixels]...)
			results[i], err = s.Run(both, []int{3, 4}, 0.1, 0)
		}
		require.NoError(t, err)
		for _, w := range m.Weights() {
			weights[i] = append(weights[i], w.Value.Data().([]float32)...)
		}
		require.ErrorContains(t, s.Weigh([]float32{-1, 1, 1, 1}[:4-2*i]), []string{"weight 0 is -1", "takes 0 weights"}[i])
		require.NoError(t, s.Close())
	}
	require.InEpsilon(t, results[1].Loss, results[0].Loss, 1e-6)
	require.InDeltaSlice(t, weights[1], weights[0], 1e-6)
}

// TestClassWeights in a run: all 1 change nothing but rounding, others do, and balanced ones are written down.
func TestClassWeights(t *testing.T) {
	plain, ones, other := small(t), small(t), small(t)
	ones.ClassWeight = strings.TrimSuffix(strings.Repeat("1,", 10), ",")
	other.ClassWeight = "balanced"
	a, err := run(t, plain, nil)
	require.NoError(t, err)
	b, err := run(t, ones, nil)
	require.NoError(t, err)
	c, err := run(t, other, nil)
	require.NoError(t, err)
	require.InEpsilon(t, a.rows[2].Loss, b.rows[2].Loss, 1e-4)
	require.NotEqual(t, a.rows[2].Loss, c.rows[2].Loss)
	got := resumed(t, other).ClassWeights
	require.Len(t, got, 10)
	split, err := sample()
	require.NoError(t, err)
	sum := float32(0)
	for i := range other.LimitTrain {
		sum += got[split.Train.Labels[i]]
	}
	require.InEpsilon(t, other.LimitTrain, sum, 1e-5, "on average an image weighs 1")

	for text, want := range map[string]string{"1,2": "has 2 numbers, the images have 10 classes", "1,x": `got "x"`, "1,-2": `got "-2"`, "balancd": `got "balancd"`} {
		wrong := small(t)
		wrong.ClassWeight = text
		_, err := run(t, wrong, nil)
		require.ErrorContains(t, err, want)
	}
}
