package train_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// outcome is all that a run leaves, but for how fast it was.
type outcome struct {
	State   string
	Tensors []weights.Tensor
	History []train.HistoryRow
}

func outcomeOf(t *testing.T, dir string) outcome {
	t.Helper()
	found, err := weights.Latest(filepath.Join(dir, train.CheckpointDir))
	require.NoError(t, err)
	rows, err := train.ReadHistory(filepath.Join(dir, train.HistoryFileName))
	require.NoError(t, err)
	for i := range rows {
		rows[i].ImagesPerSecond = 0
	}
	return outcome{string(found.Checkpoint.State), found.Checkpoint.Tensors, rows}
}

// requireOutcome compares what a run left with another, bit for bit, without printing millions of numbers.
func requireOutcome(t *testing.T, want outcome, dir string) {
	t.Helper()
	got := outcomeOf(t, dir)
	require.Equal(t, want.History, got.History)
	require.Equal(t, want.State, got.State)
	require.Len(t, got.Tensors, len(want.Tensors))
	for i, w := range want.Tensors {
		require.Equal(t, w.Name, got.Tensors[i].Name)
		require.True(t, reflect.DeepEqual(w, got.Tensors[i]), "%s differs", w.Name)
	}
}

func sgd(c *train.Config) {
	c.Optimizer, c.Momentum, c.Nesterov, c.WeightDecay, c.LR = "sgd", 0.9, true, 1e-4, 0.05
	c.Augment, c.Standardise, c.Schedule = true, true, "step:1,2:0.5+warmup:0.5"
}

// TestResumedRunIsTheUninterruptedOne interrupts runs of 3 epochs of 5 steps and resumes them, some more than once.
func TestResumedRunIsTheUninterruptedOne(t *testing.T) {
	training := func(epoch, batch int) func(train.Progress) bool {
		return func(p train.Progress) bool { return !p.Validating && p.Epoch == epoch && p.Batch == batch }
	}
	validating := func(epoch int) func(train.Progress) bool {
		return func(p train.Progress) bool { return p.Validating && p.Epoch == epoch && p.Batch == 1 }
	}
	optimizers := map[string]func(*train.Config){"adam": func(*train.Config) {}, "nesterov": sgd}
	for name, optimizer := range optimizers {
		t.Run(name, func(t *testing.T) {
			whole := small(t)
			optimizer(&whole)
			_, err := run(t, whole, nil)
			require.NoError(t, err)
			want := outcomeOf(t, whole.Out)
			require.Len(t, want.History, 3)

			for _, c := range []struct {
				name  string
				every int // --save-every
				stops []func(train.Progress) bool
			}{
				{"after the first step", 0, []func(train.Progress) bool{training(1, 1)}},
				{"before the ragged batch", 0, []func(train.Progress) bool{training(2, 4)}},
				{"at the end of an epoch", 0, []func(train.Progress) bool{training(2, 5)}},
				{"during validation", 0, []func(train.Progress) bool{validating(1)}},
				{"during the last validation", 0, []func(train.Progress) bool{validating(3)}},
				{"again and again", 2, []func(train.Progress) bool{training(1, 3), validating(1), validating(1), training(2, 1), training(2, 2), training(3, 5)}},
			} {
				t.Run(c.name, func(t *testing.T) {
					if testing.Short() && c.name != "again and again" && c.name != "during the last validation" {
						t.Skip("another moment of the same; the two that stay stop in training, validation and at the end")
					}
					part := small(t)
					optimizer(&part)
					part.SaveEvery = c.every
					for _, stop := range c.stops {
						_, err := run(t, part, stop)
						require.ErrorIs(t, err, train.ErrInterrupted)
						part = resumed(t, part)
					}
					_, err := run(t, part, nil)
					require.NoError(t, err)
					requireOutcome(t, want, part.Out)
				})
			}
		})
	}
}

// resumed is the configuration that goes on with a run, read from its folder as the command does.
func resumed(t *testing.T, c train.Config) train.Config {
	t.Helper()
	again, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	again.Resume = true
	return again
}

// TestResumeOfVGGWithDropout is the same for the one architecture whose steps are random.
func TestResumeOfVGGWithDropout(t *testing.T) {
	if testing.Short() {
		t.Skip("33 million weights")
	}
	vgg := func() train.Config {
		c := small(t)
		c.Arch, c.Dropout, c.BatchNorm, c.Optimizer, c.Momentum, c.LR = "vgg16", 0.5, true, "sgd", 0.9, 0.01
		c.Epochs, c.Batch, c.LimitTrain, c.LimitTest, c.Keep = 1, 4, 10, 4, 1
		return c
	}
	whole := vgg()
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	part := vgg()
	_, err = run(t, part, func(p train.Progress) bool { return p.Batch == 1 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	_, err = run(t, resumed(t, part), nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, whole.Out), part.Out)
}

// TestOtherEpochsOfCosine: the schedule depends on how many epochs there are, which is worth a note.
func TestOtherEpochsOfCosine(t *testing.T) {
	c := small(t)
	c.Epochs, c.LR = 2, 0.001
	_, err := run(t, c, nil)
	require.NoError(t, err)
	c = resumed(t, c)
	c.Epochs = 1
	_, err = run(t, c, nil)
	require.ErrorContains(t, err, "has done 2 epochs, --epochs 1 is less; give at least 2")
	require.Equal(t, 2, resumed(t, c).Epochs, "run.json is as it was")
	c.Epochs = 4
	w, err := run(t, c, func(p train.Progress) bool { return p.Batch == 1 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.Equal(t, []string{"the cosine schedule is stretched from 2 to 4 epochs: epoch 3 begins at learning rate 0.0005"}, w.notes)
	c.Epochs = 3
	w, err = run(t, c, nil)
	require.NoError(t, err)
	require.Len(t, w.notes, 1)
	require.Contains(t, w.notes[0], "is shortened from 4 to 3 epochs: epoch 3 goes on at learning rate 0.000")
	w, err = run(t, resumed(t, c), nil)
	require.NoError(t, err)
	require.Empty(t, w.notes)
}

func TestMoreEpochsGoOn(t *testing.T) {
	c := small(t)
	c.Epochs, c.Schedule = 1, "constant"
	_, err := run(t, c, nil)
	require.NoError(t, err)
	c = resumed(t, c)
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.Empty(t, w.rows, "there was nothing left to do")
	c.Epochs = 2
	w, err = run(t, c, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 1)

	whole := small(t)
	whole.Epochs, whole.Schedule = 2, "constant"
	_, err = run(t, whole, nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, whole.Out), c.Out)
}
