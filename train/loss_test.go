package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// TestLossOfARun: each loss trains, is validated with, is written down, and a run that is resumed goes on with it bit by bit.
func TestLossOfARun(t *testing.T) {
	plain, err := run(t, small(t), nil)
	require.NoError(t, err)
	named := small(t)
	named.Loss = "sparse_categorical_crossentropy"
	same, err := run(t, named, nil)
	require.NoError(t, err)
	require.Equal(t, plain.rows[0].ValLoss, same.rows[0].ValLoss)
	for _, c := range []struct {
		loss      string
		smoothing float64
		recorded  string
	}{
		{"", 0.1, ""}, {"sparse_categorical_focal_crossentropy:gamma=2", 0, "sparse_categorical_focal_crossentropy"},
		{"sparse_categorical_focal_crossentropy:gamma=1.5,alpha=0.5", 0.1, "sparse_categorical_focal_crossentropy:alpha=0.5,gamma=1.5"},
	} {
		whole := small(t)
		whole.Loss, whole.LabelSmoothing = c.loss, c.smoothing
		whole.ClassWeight = "balanced"
		a, err := run(t, whole, nil)
		require.NoError(t, err)
		require.NotEqual(t, plain.rows[0].ValLoss, a.rows[0].ValLoss, c.loss)

		parts := small(t)
		parts.Loss, parts.LabelSmoothing, parts.ClassWeight = c.loss, c.smoothing, "balanced"
		_, err = run(t, parts, func(p train.Progress) bool { return p.Epoch == 1 && p.Batch == 2 })
		require.ErrorIs(t, err, train.ErrInterrupted)
		saved, _, err := train.ReadConfig(parts.Out)
		require.NoError(t, err)
		require.Equal(t, c.recorded, saved.Loss)
		require.Equal(t, c.smoothing, saved.LabelSmoothing)
		saved.Resume = true
		b, err := run(t, saved, nil)
		require.NoError(t, err)
		for i, row := range b.rows {
			row.ImagesPerSecond = a.rows[i].ImagesPerSecond
			require.Equal(t, a.rows[i], row)
		}
	}
}

func TestWrongLosses(t *testing.T) {
	for text, c := range map[string]train.Config{
		`unknown loss "sparse_categorical_crosentropy"; did you mean "sparse_categorical_crossentropy"?`: {Loss: "sparse_categorical_crosentropy"},
		"loss \"sparse_categorical_crossentropy\" takes no options":                                      {Loss: "sparse_categorical_crossentropy:gamma=2"},
		"gamma wants a number above 0":       {Loss: "sparse_categorical_focal_crossentropy:gamma=x"},
		"alpha":                              {Loss: "sparse_categorical_focal_crossentropy:alpha=2"},
		"--label-smoothing wants a number":   {LabelSmoothing: 1},
		"--label-smoothing wants a number f": {LabelSmoothing: -0.1},
	} {
		_, err := c.LossFunction()
		require.ErrorContains(t, err, text)
		d := small(t)
		d.Loss, d.LabelSmoothing = c.Loss, c.LabelSmoothing
		require.ErrorContains(t, d.Validate(), text)
	}
}
