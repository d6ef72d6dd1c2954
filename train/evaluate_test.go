package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/train"
)

// Evaluations between the epochs of a training see the weights of that moment: of one compiled step, refreshed, and of an
// Evaluator, which refreshes by itself, they are those of a step that was compiled just then, bit by bit. Nor do they change what is
// trained.
func TestEvaluationFollowsTraining(t *testing.T) {
	e, opt := engine(t, 2), train.SGD{Momentum: 0.9}
	trained, alone := tiny(t, 0.3), tiny(t, 0.3)
	s, untouched := newStepper(t, e, trained, opt), newStepper(t, e, alone, opt)
	images, labels := make([]float32, 4*6*6*2), make([]int, 4)
	numtest.FillUnit("images", 77, images)
	numtest.FillLabels("labels", 77, 7, labels)
	evaluate := func(step *train.Step) train.StepResult {
		r, err := step.Run(images, labels, 0, 0)
		require.NoError(t, err)
		return r
	}
	step, err := train.NewEvalStep(e, trained, 4)
	require.NoError(t, err)
	defer step.Close()
	split, err := data.Sample()
	require.NoError(t, err)
	var losses []float64
	for i := range 4 {
		require.NoError(t, step.Refresh())
		got := evaluate(step)
		require.Equal(t, got, evaluate(step))
		fresh, err := train.NewEvalStep(e, trained, 4)
		require.NoError(t, err)
		require.Equal(t, evaluate(fresh), got)
		require.NoError(t, fresh.Close())
		require.NotContains(t, losses, got.Loss)
		losses = append(losses, got.Loss)
		require.Equal(t, untouched.run(t, 3*i, 3*i+3, 0), s.run(t, 3*i, 3*i+3, 0))
	}

	c := small(t)
	c.Epochs = 3
	w, err := run(t, c, nil)
	require.NoError(t, err)
	for i, path := range checkpoints(t, c.Out) {
		m, cfg, err := train.LoadModel(path)
		require.NoError(t, err)
		l, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: 100, Normalize: cfg.Normalize(), Limit: c.LimitTest})
		require.NoError(t, err)
		ev := train.Evaluator{Model: m, Engine: e}
		got, err := ev.Run(t.Context(), l, nil)
		require.NoError(t, err)
		require.NoError(t, ev.Close())
		require.Equal(t, w.rows[i].ValLoss, got.Loss(), "epoch %d", i)
	}
}
