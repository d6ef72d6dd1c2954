package train_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// stopping is a run that ends early: nothing is better by 100.
func stopping(t *testing.T) train.Config {
	c := small(t)
	c.Epochs, c.EarlyStop = 9, "patience=2,min_delta=100"
	return c
}

// TestEarlyStopEndsTheRun as many epochs after the best as its patience says, and says so. A resumed run has nothing left to do, unless its patience
// is raised: it then goes on as if it had been that from the beginning.
func TestEarlyStopEndsTheRun(t *testing.T) {
	c := stopping(t)
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 3)
	require.Len(t, w.notes, 1)
	require.Regexp(t, `^stopped early after epoch 3: val_loss was not better for 2 epochs than \d\.\d+, that of epoch 1$`, w.notes[0])

	again := resumed(t, c)
	require.Equal(t, c.EarlyStop, again.EarlyStop)
	w, err = run(t, again, nil)
	require.NoError(t, err)
	require.Empty(t, w.rows)
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	split, err := sample()
	require.NoError(t, err)
	tr, err := train.New(again, split, e, nil)
	require.NoError(t, err)
	require.Contains(t, tr.Stopped(), "val_loss was not better for 2 epochs")
	require.NoError(t, tr.Close())

	again.EarlyStop = "patience=4,min_delta=100"
	w, err = run(t, again, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 2)
	require.Equal(t, 5, w.rows[1].Epoch)
	whole := stopping(t)
	whole.EarlyStop = again.EarlyStop
	_, err = run(t, whole, nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, whole.Out), again.Out)

	again = resumed(t, again)
	require.Equal(t, whole.EarlyStop, again.EarlyStop, "run.json has what the run goes on with")
	again.EarlyStop, again.Epochs = "off", 6
	w, err = run(t, again, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 1)
	require.Empty(t, resumed(t, again).EarlyStop)
}

// TestEarlyStopResumes: a run that is interrupted again and again ends after the same epoch, with the same best checkpoint.
func TestEarlyStopResumes(t *testing.T) {
	early := func() train.Config {
		c := small(t)
		c.Epochs, c.EarlyStop, c.EMA, c.LR = 9, "patience=2,monitor=val_top1,restore,min_delta=1,start=1", 0.5, 0.002
		return c
	}
	whole := early()
	w, err := run(t, whole, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 4, "the second counts, two more are not better by 1")
	part := early()
	for _, at := range [][2]int{{1, 5}, {2, 1}, {3, 5}, {4, 2}, {4, 5}} {
		_, err := run(t, part, func(p train.Progress) bool { return !p.Validating && p.Epoch == at[0] && p.Batch == at[1] })
		require.ErrorIs(t, err, train.ErrInterrupted)
		part = resumed(t, part)
	}
	w, err = run(t, part, nil)
	require.NoError(t, err)
	require.Contains(t, w.notes[len(w.notes)-1], "the weights are those of epoch 2 again, the best: ")
	requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
	best := func(c train.Config) *weights.Checkpoint {
		b, err := weights.LoadCheckpoint(filepath.Join(c.Out, train.CheckpointDir, weights.BestName))
		require.NoError(t, err)
		return b
	}
	require.EqualValues(t, 10, best(whole).Step)
	require.Equal(t, best(whole).Tensors, best(part).Tensors)
	require.Equal(t, w.rows[len(w.rows)-1].Epoch, 4)
}

// TestRestoreBestWeights: the model is that of the best epoch when the run ends, early or not, and so is the best checkpoint, also where another
// epoch has the best val_top1; the newest checkpoint is that of the last one.
func TestRestoreBestWeights(t *testing.T) {
	for _, text := range []string{"patience=1,monitor=loss,min_delta=100,restore", "patience=9,monitor=loss,min_delta=100,restore"} {
		c := small(t)
		c.EarlyStop, c.Keep = text, 9
		e, err := cpu.New(cpu.Config{Threads: 1})
		require.NoError(t, err)
		split, err := sample()
		require.NoError(t, err)
		w := &watcher{}
		tr, err := train.New(c, split, e, w)
		require.NoError(t, err)
		require.NoError(t, tr.Run(t.Context()))
		first, err := weights.LoadCheckpoint(filepath.Join(c.Out, train.CheckpointDir, weights.CheckpointName(5)))
		require.NoError(t, err)
		want := tensorMap(first)
		for _, weight := range tr.Model().Weights() {
			require.Equal(t, want["model/"+weight.Name], weight.Value.Data(), weight.Name)
		}
		m, err := tr.Validate(t.Context())
		require.NoError(t, err)
		require.Equal(t, w.rows[0].ValLoss, m.Loss())
		loaded, err := train.LoadRun(c.Out)
		require.NoError(t, err)
		require.Equal(t, want["model/dense/kernel"], loaded.Model.Weights()[4].Value.Data())
		require.NoError(t, tr.Close())
		require.Equal(t, want["model/dense/kernel"], tr.Model().Weights()[4].Value.Data())
		require.NotEqual(t, want["model/dense/kernel"], tensorsOf(t, c.Out)["model/dense/kernel"], "a resumed run goes on from the last")
		require.NoError(t, e.Close())

		require.Contains(t, w.notes[len(w.notes)-1], "the weights are those of epoch 1 again")
		for _, other := range []string{"", "patience=1,restore", "patience=1,monitor=loss,min_delta=50,restore", "patience=1,monitor=loss,min_delta=100"} {
			again := resumed(t, c)
			again.EarlyStop = other
			_, err := run(t, again, nil)
			require.ErrorContains(t, err, "keeps the checkpoint with the best loss (min_delta 100, start 0), and would keep", other)
		}
	}
}

// TestRestoreOfAnotherEpoch tells the epoch of the weights that are there, not the one that should be.
func TestRestoreOfAnotherEpoch(t *testing.T) {
	c := small(t)
	c.EarlyStop, c.Keep = "patience=9,monitor=loss,min_delta=100,restore", 1
	_, err := run(t, c, nil)
	require.NoError(t, err)
	dir := filepath.Join(c.Out, train.CheckpointDir)
	last, err := os.ReadFile(filepath.Join(dir, weights.CheckpointName(15)))
	require.NoError(t, err)
	best := filepath.Join(dir, weights.BestName)
	require.NoError(t, os.Remove(best))
	require.NoError(t, os.WriteFile(best, last, 0o644))
	w, err := run(t, resumed(t, c), nil)
	require.NoError(t, err)
	require.Equal(t, "the weights are those of epoch 3, which are in "+best+"; those of epoch 1, the best, are not", w.notes[len(w.notes)-1])
}

// TestEarlyStopWithoutHistory counts the epochs that are left.
func TestEarlyStopWithoutHistory(t *testing.T) {
	c := stopping(t)
	c.EarlyStop, c.Epochs = "patience=2,min_delta=100", 2
	_, err := run(t, c, nil)
	require.NoError(t, err)
	path := filepath.Join(c.Out, train.HistoryFileName)
	h, err := train.ResumeHistory(path, 0)
	require.NoError(t, err)
	require.NoError(t, h.Close())
	again := resumed(t, c)
	again.Epochs = 9
	w, err := run(t, again, nil)
	require.NoError(t, err)
	require.Contains(t, w.notes, "the cosine schedule is stretched from 2 to 9 epochs: epoch 3 begins at learning rate 0.000883")
	require.Contains(t, w.notes, path+" has 0 of the 2 epochs that are done: the early stop knows of no others")
	require.Len(t, w.rows, 3)
}
