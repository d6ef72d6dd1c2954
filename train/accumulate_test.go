package train_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// TestAccumulationIsTheLargeBatch compares a run of batches of 8, two for each step, with one of batches of 16: the same steps, but for
// rounding. The last step of an epoch has 6 images in one batch.
func TestAccumulationIsTheLargeBatch(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam"} {
		whole, parts := small(t), small(t)
		whole.Epochs, parts.Epochs = 2, 2
		whole.Optimizer, parts.Optimizer = optimizer, optimizer
		parts.Batch, parts.Accumulate = 8, 2
		a, err := run(t, whole, nil)
		require.NoError(t, err)
		b, err := run(t, parts, nil)
		require.NoError(t, err)
		for i, row := range a.rows {
			require.Equal(t, row.Step, b.rows[i].Step)
			require.Equal(t, row.LearningRate, b.rows[i].LearningRate)
			require.InEpsilon(t, row.ValLoss, b.rows[i].ValLoss, 1e-4)
			require.InEpsilon(t, row.Loss, b.rows[i].Loss, 1e-4)
		}
		of := tensorsOf(t, parts.Out)
		for name, want := range tensorsOf(t, whole.Out) {
			if strings.HasPrefix(name, "model/") {
				require.InDeltaSlice(t, want, of[name], 2e-3, name) // Adam magnifies rounding where gradients are next to 0
			}
		}
	}
}

// TestAccumulatingStepAlone: without a word from Share, each batch is an update of its own.
func TestAccumulatingStepAlone(t *testing.T) {
	e := engine(t, 2)
	plain := newStepper(t, e, tiny(t, 0), train.SGD{})
	alone := newStepper(t, e, tiny(t, 0), train.Base{Optimizer: train.SGD{}, Accumulate: true})
	require.Equal(t, plain.run(t, 0, 3, 0), alone.run(t, 0, 3, 0))
}

// TestAccumulatingMoreThanThereIs makes one update of an epoch, however large the numbers are.
func TestAccumulatingMoreThanThereIs(t *testing.T) {
	for _, batch := range []int{16, math.MaxInt} {
		c := small(t)
		c.Epochs, c.Accumulate, c.Batch = 2, math.MaxInt, batch
		w, err := run(t, c, nil)
		require.NoError(t, err)
		require.EqualValues(t, 2, w.rows[1].Step)
		require.Less(t, w.rows[1].Loss, w.rows[0].Loss)
	}
}
