//go:build gpu && cgo && linux

package train_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// TestGPUOptimizers: three steps of every optimizer are the CPU engine's but for rounding.
func TestGPUOptimizers(t *testing.T) {
	for name, opt := range everyOptimizer(t) {
		if testing.Short() && name != "adam with all else" && name != "lamb" && name != "muon" && name != "nadam" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			on, at := newStepper(t, gpu(t, cuda.Config{}), tiny(t, 0), opt), newStepper(t, engine(t, 1), tiny(t, 0), opt)
			require.InDeltaSlice(t, at.run(t, 0, 3, 0), on.run(t, 0, 3, 0), 1e-3)
		})
	}
}

// TestGPUFeaturesResume: accumulation and averages on a device with memory of its own, where a step that accumulates reads weights that
// another updates.
func TestGPUFeaturesResume(t *testing.T) {
	for name, set := range features {
		if testing.Short() && name != "accumulation, averages of epochs" && name != "nadam, averages" && name != "as in recipes" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			smaller := func() train.Config {
				c := small(t)
				set(&c)
				c.Epochs, c.Batch, c.LimitTrain, c.LimitTest = 2, 6, 20, 10
				return c
			}
			whole, onCPU, part := smaller(), smaller(), smaller()
			w, err := runOn(t, whole, gpu(t, cuda.Config{}), nil)
			require.NoError(t, err)
			v, err := runOn(t, onCPU, engine(t, 1), nil)
			require.NoError(t, err)
			tolerance := 1e-2
			if onCPU.Optimizer == "rmsprop:centered,momentum=0.9" {
				// It divides by the root of E[g²] − E[g]², a difference of numbers that are nearly the same in the first steps: rounding
				// moves weights by a share of a step (0.036 on an H200). TestGPUOptimizers has it step by step.
				tolerance = 0.1
			}
			for i := range w.rows {
				require.InDelta(t, v.rows[i].Loss, w.rows[i].Loss, tolerance)
				require.InDelta(t, v.rows[i].ValLoss, w.rows[i].ValLoss, tolerance)
			}
			for _, batch := range []int{1, 3} {
				_, err = runOn(t, part, gpu(t, cuda.Config{}), func(p train.Progress) bool { return !p.Validating && p.Epoch == 1+batch/2 && p.Batch == batch })
				require.ErrorIs(t, err, train.ErrInterrupted)
				part = resumed(t, part)
			}
			_, err = runOn(t, part, gpu(t, cuda.Config{}), nil)
			require.NoError(t, err)
			requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
		})
	}
}

// TestGPURestoresBestWeights: the weights of the best epoch are the model's when a run ends, on the device, for a validation, and when it was closed.
func TestGPURestoresBestWeights(t *testing.T) {
	c := small(t)
	c.Epochs, c.Batch, c.LimitTrain, c.LimitTest = 3, 8, 20, 10
	c.EarlyStop, c.Keep = "patience=1,monitor=loss,min_delta=100,restore", 9
	c.TensorBoard, c.TensorBoardSteps, c.TensorBoardHistograms = train.TensorBoardName, 1, 1
	split, err := sample()
	require.NoError(t, err)
	w := &watcher{}
	tr, err := train.New(c, split, gpu(t, cuda.Config{}), w)
	require.NoError(t, err)
	require.NoError(t, tr.Run(t.Context()))
	require.Len(t, w.rows, 2)
	first, err := weights.LoadCheckpoint(filepath.Join(c.Out, train.CheckpointDir, weights.CheckpointName(3)))
	require.NoError(t, err)
	want := tensorMap(first)["model/dense/kernel"]
	require.NotEqual(t, want, tensorsOf(t, c.Out)["model/dense/kernel"])
	of, err := tr.Model().Weight("dense/kernel")
	require.NoError(t, err)
	require.Equal(t, want, of.Value.Data())
	m, err := tr.Validate(t.Context())
	require.NoError(t, err)
	require.Equal(t, w.rows[0].ValLoss, m.Loss())
	require.NoError(t, tr.Close())
	require.Equal(t, want, of.Value.Data())
	read := curves(t, c)
	require.Equal(t, float64(float32(w.rows[1].Loss)), read["train epoch_loss"][1].Value)
	require.Equal(t, read["train epoch_loss"][1].Value, read["train batch_loss"][5].Value)
}

// TestGPUStepsBehindSteps: a run whose steps are put behind each other before their results are there is, bit by bit, the one whose steps
// are waited for one by one, as those of a profile are; and checkpoints in the middle of an epoch have what the batches before them made.
func TestGPUStepsBehindSteps(t *testing.T) {
	c := small(t)
	sgd(&c)
	c.Epochs, c.Batch, c.LimitTrain, c.LimitTest, c.SaveEvery = 2, 6, 40, 10, 2
	outcome := func(out string, change func(c *train.Config)) any {
		c := c
		c.Out = filepath.Join(t.TempDir(), out)
		change(&c)
		_, err := runOn(t, c, gpu(t, cuda.Config{}), nil)
		require.NoError(t, err)
		return outcomeOf(t, c.Out)
	}
	queued := outcome("queued", func(*train.Config) {})
	require.Equal(t, outcome("one by one", func(c *train.Config) {
		c.Profile, c.ProfileSteps = filepath.Join(t.TempDir(), "profile.json"), 1000
	}), queued)
	require.Equal(t, outcome("not saved", func(c *train.Config) { c.SaveEvery = 0 }), queued)
}

// TestGPUDivergenceIsNoticed at the step that it happened in.
func TestGPUDivergenceIsNoticed(t *testing.T) {
	c := small(t)
	sgd(&c)
	c.LR, c.Schedule = 1e30, "constant"
	var onGPU, onCPU *train.DivergedError
	_, err := runOn(t, c, gpu(t, cuda.Config{}), nil)
	require.ErrorAs(t, err, &onGPU)
	c.Out = filepath.Join(t.TempDir(), "cpu")
	_, err = run(t, c, nil)
	require.ErrorAs(t, err, &onCPU)
	require.Equal(t, onCPU.Step, onGPU.Step)
	require.Equal(t, onCPU.Epoch, onGPU.Epoch)
}
