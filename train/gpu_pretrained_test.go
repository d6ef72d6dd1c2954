//go:build gpu && cgo && linux

package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/train"
)

// TestGPUFineTuning: a frozen backbone, and all of it later, on a device with memory of its own: the CPU's but for rounding, and resumed bit for
// bit in both stages.
func TestGPUFineTuning(t *testing.T) {
	set := func() train.Config {
		c := tuned(t, kerasFile(t))
		c.Batch, c.Epochs, c.Freeze, c.UnfreezeAt, c.HeadRate, c.Optimizer, c.LR = 3, 4, "backbone", 3, 3, "adam", 1e-3
		return c
	}
	whole, onCPU, part := set(), set(), set()
	w, err := runOf(t, whole, eight(7), gpu(t, cuda.Config{}), nil)
	require.NoError(t, err)
	v, err := runEight(t, onCPU, 7, nil)
	require.NoError(t, err)
	for i := range v.rows {
		require.InDelta(t, v.rows[i].Loss, w.rows[i].Loss, 1e-3)
		require.InDelta(t, v.rows[i].ValLoss, w.rows[i].ValLoss, 1e-3)
	}
	for _, at := range []struct{ epoch, batch int }{{1, 2}, {3, 1}, {4, 2}} {
		_, err := runOf(t, part, eight(7), gpu(t, cuda.Config{}), func(p train.Progress) bool { return !p.Validating && p.Epoch == at.epoch && p.Batch == at.batch })
		require.ErrorIs(t, err, train.ErrInterrupted)
		part = resumed(t, part)
	}
	_, err = runOf(t, part, eight(7), gpu(t, cuda.Config{}), nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
}
