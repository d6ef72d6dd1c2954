package train_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// TestGradientNormsOfAStep: with a learning rate of 1, plain SGD moves every weight by its gradient. Nothing else changes, and
// reading the norms allocates nothing.
func TestGradientNormsOfAStep(t *testing.T) {
	e, opt := engine(t, 2), train.SGD{}
	images, labels := make([]float32, 5*32*32*3), []int{3, 1, 4, 1, 5}
	numtest.FillUnit("images", 5, images)
	var after [2][]float32
	for i := range 2 {
		m, err := arch.CIFARResNet{Classes: 10, Depth: 8, Plain: true, NoBatchNorm: true}.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		before := map[string][]float32{}
		for _, w := range m.Weights() {
			before[w.Name] = append([]float32(nil), w.Value.Data().([]float32)...)
		}
		var s *train.Step
		if i == 0 {
			s, err = train.NewConfiguredStep(e, m, opt, train.NewSlots(m, opt), train.StepConfig{Images: 5, Seed: 1, GradientNorms: true})
		} else {
			s, err = train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 5, 1)
		}
		require.NoError(t, err)
		_, err = s.Run(images, labels, 1, 0)
		require.NoError(t, err)
		require.NoError(t, s.Sync())
		norms := s.GradientNorms()
		for _, w := range m.Weights() {
			after[i] = append(after[i], w.Value.Data().([]float32)...)
		}
		if i == 1 {
			require.Nil(t, norms)
		} else {
			require.Len(t, norms, len(m.Weights()))
			for k, w := range m.Weights() {
				sum := 0.0
				for j, v := range w.Value.Data().([]float32) {
					d := float64(before[w.Name][j] - v)
					sum += d * d
				}
				require.Equal(t, w.Name, norms[k].Weight)
				require.InEpsilon(t, math.Sqrt(sum), norms[k].Norm, 1e-3, w.Name)
			}
			require.Zero(t, testing.AllocsPerRun(10, func() { s.GradientNorms() }))
		}
		require.NoError(t, s.Close())
	}
	require.Equal(t, after[1], after[0])
}

// TestGradientNormsOfARun: they are reported at every n-th update, change no bit, and an error of the report ends the run.
func TestGradientNormsOfARun(t *testing.T) {
	plain, told := small(t), small(t)
	a, err := run(t, plain, nil)
	require.NoError(t, err)
	var steps []int
	told.GradientNorms = &train.GradientNorms{Every: 3, Report: func(step int, norms []train.GradientNorm) error {
		steps = append(steps, step)
		for _, n := range norms {
			require.True(t, n.Norm > 0 && !math.IsInf(n.Norm, 0), "%+v", n)
		}
		return nil
	}}
	b, err := run(t, told, nil)
	require.NoError(t, err)
	require.NotEmpty(t, steps)
	for i, s := range steps {
		require.Equal(t, 3*i, s)
	}
	for i := range a.rows {
		require.Equal(t, a.rows[i].Loss, b.rows[i].Loss)
		require.Equal(t, a.rows[i].ValLoss, b.rows[i].ValLoss)
	}

	stop := errors.New("seen enough")
	fails := small(t)
	fails.GradientNorms = &train.GradientNorms{Report: func(int, []train.GradientNorm) error { return stop }}
	_, err = run(t, fails, nil)
	require.ErrorIs(t, err, stop)

	wrong := small(t)
	wrong.GradientNorms = &train.GradientNorms{}
	require.ErrorContains(t, wrong.Validate(), "GradientNorms without a Report")
	wrong.GradientNorms = &train.GradientNorms{Every: -1, Report: func(int, []train.GradientNorm) error { return nil }}
	require.ErrorContains(t, wrong.Validate(), "Every is -1")
}
