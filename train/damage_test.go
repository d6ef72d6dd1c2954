package train_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// checkpoints are the paths of the numbered checkpoints, oldest first.
func checkpoints(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, train.CheckpointDir, "checkpoint-*.safetensors"))
	require.NoError(t, err)
	return found
}

// damage flips a bit in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.Remove(path)) // best.safetensors may be a link to it
	require.NoError(t, os.WriteFile(path, b, 0o644))
}

func TestDamagedCheckpoints(t *testing.T) {
	whole := small(t)
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	want := outcomeOf(t, whole.Out)

	found := checkpoints(t, whole.Out)
	require.Len(t, found, 3)
	damage(t, found[2])
	require.NoError(t, os.Truncate(found[1], 1000))
	w, err := run(t, resumed(t, whole), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(w.notes), 2)
	require.Contains(t, w.notes[0], found[2])
	require.Contains(t, w.notes[1], found[1])
	requireOutcome(t, want, whole.Out) // the epochs after the sound checkpoint are trained again

	all, err := filepath.Glob(filepath.Join(whole.Out, train.CheckpointDir, "*.safetensors"))
	require.NoError(t, err)
	for _, path := range all {
		damage(t, path)
	}
	before := listing(t, whole.Out)
	_, err = run(t, resumed(t, whole), nil)
	require.ErrorIs(t, err, weights.ErrNoCheckpoint)
	for _, path := range all {
		require.ErrorContains(t, err, path)
	}
	require.Equal(t, before, listing(t, whole.Out), "nothing is touched")
}

// listing is every file of a folder with its content.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

func TestCheckpointOfAnotherArchitecture(t *testing.T) {
	c := small(t)
	c.Epochs = 1
	_, err := run(t, c, nil)
	require.NoError(t, err)
	again := resumed(t, c)
	again.Arch, again.NoL2 = "resnet50", true
	before := listing(t, c.Out)
	_, err = run(t, again, nil)
	var mismatch *weights.MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.ErrorContains(t, err, "simplecnn")
	require.ErrorContains(t, err, checkpoints(t, c.Out)[1])
	require.Equal(t, before, listing(t, c.Out))

	again = resumed(t, c)
	again.Optimizer = "sgd"
	_, err = run(t, again, nil)
	require.ErrorAs(t, err, &mismatch)
}

func TestResumeWantsTheSameData(t *testing.T) {
	c := small(t)
	c.Epochs = 1
	_, err := run(t, c, nil)
	require.NoError(t, err)
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	for _, change := range []func(*data.Split){
		func(s *data.Split) { s.Train = s.Train.Head(4000) },
		func(s *data.Split) { s.Files = []data.FileStatus{{MD5: "0123"}} },
		func(s *data.Split) {
			d := *s.Train
			d.Classes = append([]string{"other"}, d.Classes[1:]...)
			s.Train = &d
		},
	} {
		split, err := data.Sample()
		require.NoError(t, err)
		change(split)
		_, err = train.New(resumed(t, c), split, e, &watcher{})
		require.ErrorContains(t, err, c.Out)
		require.ErrorContains(t, err, "was made on")
	}
}

// TestKilledBeforeTheFirstCheckpoint is a folder as a run leaves it that was killed right after it began.
func TestKilledBeforeTheFirstCheckpoint(t *testing.T) {
	whole := small(t)
	whole.Epochs = 1
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	want := outcomeOf(t, whole.Out)
	torn := filepath.Join(whole.Out, "."+train.RunFileName+".1234.stheno-tmp")
	require.NoError(t, os.WriteFile(torn, []byte("{"), 0o644))
	for _, lost := range [][]string{{train.CheckpointDir}, {train.CheckpointDir, train.HistoryFileName}} {
		for _, name := range lost {
			require.NoError(t, os.RemoveAll(filepath.Join(whole.Out, name)))
		}
		if len(lost) == 1 {
			_, err = run(t, resumed(t, whole), nil)
			require.ErrorIs(t, err, weights.ErrNoCheckpoint, "the history says that there was more")
			continue
		}
		w, err := run(t, resumed(t, whole), nil)
		require.NoError(t, err)
		require.Contains(t, strings.Join(w.notes, "\n"), "begins again")
		requireOutcome(t, want, whole.Out)
	}
	require.NoFileExists(t, torn)
}

func TestDivergence(t *testing.T) {
	c := small(t)
	c.LR = 1e30
	_, err := run(t, c, nil)
	var diverged *train.DivergedError
	require.ErrorAs(t, err, &diverged)
	require.Equal(t, "the loss", diverged.What)
	require.Equal(t, [2]int{1, 2}, [2]int{diverged.Epoch, diverged.Step}, "at once, not when it would be saved")
	require.ErrorContains(t, err, diverged.Checkpoint)
	require.ErrorContains(t, err, "--lr")
	found := checkpoints(t, c.Out)
	require.Equal(t, []string{diverged.Checkpoint}, found)
	_, err = weights.LoadCheckpoint(found[0])
	require.NoError(t, err)
}

// TestNothingDivergedIsSaved interrupts a run whose weights are no numbers any more while its latest loss still was one.
func TestNothingDivergedIsSaved(t *testing.T) {
	c := small(t)
	c.LR, c.WeightDecay, c.Optimizer = 1e30, 1e30, "sgd"
	_, err := run(t, c, func(p train.Progress) bool { return true })
	var diverged *train.DivergedError
	require.ErrorAs(t, err, &diverged)
	require.Contains(t, diverged.What, "model/")
	require.Len(t, checkpoints(t, c.Out), 1)
}
