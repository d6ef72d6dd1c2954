package train_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/tensorboard"
)

// boarded is a run that tells TensorBoard all there is.
func boarded(t *testing.T) train.Config {
	c := small(t)
	c.TensorBoard, c.TensorBoardSteps, c.TensorBoardHistograms = train.TensorBoardName, 2, 2
	return c
}

// curves are what TensorBoard shows of a run, but for how fast it was.
func curves(t *testing.T, c train.Config) map[string][]tensorboard.Point {
	t.Helper()
	out := map[string][]tensorboard.Point{}
	for _, of := range []string{"train", "validation"} {
		read, err := tensorboard.ReadScalars(filepath.Join(c.TensorBoardDir(), of))
		require.NoError(t, err)
		for tag, points := range read {
			out[of+" "+tag] = points
		}
	}
	require.NotEmpty(t, out["train epoch_images_per_second"])
	delete(out, "train epoch_images_per_second")
	return out
}

// bytesOf are the bytes of all files in a run's folder for TensorBoard.
func bytesOf(t *testing.T, c train.Config) string {
	t.Helper()
	var all strings.Builder
	for _, of := range []string{"train", "validation"} {
		files, err := tensorboard.Files(filepath.Join(c.TensorBoardDir(), of))
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			all.Write(text)
		}
	}
	return all.String()
}

func TestTensorBoardIsToldOfTheRun(t *testing.T) {
	c := boarded(t)
	w, err := run(t, c, nil)
	require.NoError(t, err)
	want := map[string][]tensorboard.Point{}
	for i, r := range w.rows {
		for tag, v := range map[string]float64{"train epoch_loss": r.Loss, "train epoch_accuracy": r.Top1, "train epoch_top_5_accuracy": r.Top5,
			"train epoch_learning_rate": r.LearningRate, "validation epoch_loss": r.ValLoss, "validation epoch_accuracy": r.ValTop1,
			"validation epoch_top_5_accuracy": r.ValTop5} {
			want[tag] = append(want[tag], tensorboard.Point{Step: int64(i), Value: float64(float32(v))})
		}
	}
	got := curves(t, c)
	var steps []int64
	for _, p := range got["train batch_loss"] {
		steps = append(steps, p.Step)
	}
	require.Equal(t, []int64{2, 4, 6, 8, 10, 12, 14}, steps)
	require.Equal(t, want["train epoch_loss"][1].Value, got["train batch_loss"][4].Value, "after the epoch's last batch, the tenth")
	require.Equal(t, want["train epoch_accuracy"][1].Value, got["train batch_accuracy"][4].Value)
	require.Len(t, got["train batch_top_5_accuracy"], 7)
	for tag := range got {
		if strings.Contains(tag, "batch_") {
			delete(got, tag)
		}
	}
	require.Equal(t, want, got)
	all := bytesOf(t, c)
	require.Equal(t, 2, strings.Count(all, "conv2d/kernel/histogram"), "of epochs 0 and 2")
	require.Equal(t, 16, strings.Count(all, "/histogram"), "of eight weights")

	plain := small(t)
	_, err = run(t, plain, nil)
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(plain.Out, train.TensorBoardName))
	require.Equal(t, tensorsOf(t, plain.Out), tensorsOf(t, c.Out), "telling changes nothing")
}

// TestTensorBoardOfResumedRuns shows what it shows of one that was never interrupted, also where a run was killed after it had told of more than it
// goes on from.
func TestTensorBoardOfResumedRuns(t *testing.T) {
	whole := boarded(t)
	whole.TensorBoardSteps = 1
	_, err := run(t, whole, nil)
	require.NoError(t, err)
	want := curves(t, whole)

	part := boarded(t)
	part.TensorBoardSteps = 1
	for _, at := range [][2]int{{1, 2}, {2, 5}} {
		_, err := run(t, part, func(p train.Progress) bool { return !p.Validating && p.Epoch == at[0] && p.Batch == at[1] })
		require.ErrorIs(t, err, train.ErrInterrupted)
		part = resumed(t, part)
	}
	files, err := tensorboard.Files(filepath.Join(part.TensorBoardDir(), "train"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	before := filepath.Join(t.TempDir(), "before")
	require.NoError(t, os.CopyFS(before, os.DirFS(part.Out)))
	_, err = run(t, part, nil)
	require.NoError(t, err)
	require.Equal(t, want, curves(t, part))

	killed := part
	killed.Out = before // as the run was when it had begun its third part, but for what that has told
	require.NoError(t, os.RemoveAll(killed.TensorBoardDir()))
	require.NoError(t, os.CopyFS(killed.TensorBoardDir(), os.DirFS(part.TensorBoardDir())))
	_, err = run(t, killed, nil)
	require.NoError(t, err)
	require.Equal(t, want, curves(t, killed))
	require.Equal(t, 16, strings.Count(bytesOf(t, killed), "/histogram"), "no epoch twice")
	left, err := os.ReadDir(filepath.Join(killed.TensorBoardDir(), "train"))
	require.NoError(t, err)
	require.Len(t, left, 1)

	// Without one from here on, and with one again elsewhere.
	more := resumed(t, part)
	more.Epochs, more.TensorBoard, more.TensorBoardSteps, more.TensorBoardHistograms = 4, "", 0, 0
	_, err = run(t, more, nil)
	require.NoError(t, err)
	require.Equal(t, want, curves(t, part))
	more = resumed(t, more)
	more.Epochs, more.TensorBoard = 5, train.TensorBoardName
	_, err = run(t, more, nil)
	require.NoError(t, err, "the folder in the run's is its own")
	require.Equal(t, int64(4), curves(t, more)["validation epoch_loss"][3].Step, "after those of the first three epochs")
	more = resumed(t, more)
	more.Epochs, more.TensorBoard = 6, filepath.Join(t.TempDir(), "new", "folder")
	_, err = run(t, more, nil)
	require.NoError(t, err)
	require.Equal(t, int64(5), curves(t, more)["validation epoch_loss"][0].Step)
	more = resumed(t, more)
	more.Epochs, more.TensorBoard = 7, killed.TensorBoardDir()
	_, err = run(t, more, nil)
	require.ErrorContains(t, err, "holds another run's event files (train/events.out.tfevents.")
}

// TestTensorBoardFolders that cannot be used are refused before anything is trained.
func TestTensorBoardFolders(t *testing.T) {
	c := boarded(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	c.TensorBoard = file
	_, err := run(t, c, nil)
	require.ErrorContains(t, err, file)
	require.NoDirExists(t, c.Out)

	shared := boarded(t)
	shared.TensorBoard, shared.Epochs = filepath.Join(t.TempDir(), "logs"), 1
	_, err = run(t, shared, nil)
	require.NoError(t, err)
	shared.Out = filepath.Join(t.TempDir(), "another")
	_, err = run(t, shared, nil)
	require.ErrorContains(t, err, "holds another run's event files")
	require.NoDirExists(t, shared.Out)

	// One that begins while another is prepared.
	shared.TensorBoard = filepath.Join(t.TempDir(), "logs")
	split, err := sample()
	require.NoError(t, err)
	tr, err := train.New(shared, split, engine(t, 1), nil)
	require.NoError(t, err)
	other, err := tensorboard.NewWriter(filepath.Join(shared.TensorBoard, "validation"))
	require.NoError(t, err)
	require.ErrorContains(t, tr.Run(t.Context()), "holds another run's event files (validation/events.out.tfevents.")
	require.NoError(t, tr.Close())
	require.NoDirExists(t, shared.Out)
	require.NoError(t, other.Close())
	require.FileExists(t, other.Path())
	require.NoDirExists(t, filepath.Join(shared.TensorBoard, "train"))

	// A run that fails in its first step leaves no files, nor the folders that it made.
	for _, folder := range []string{train.TensorBoardName, filepath.Join(t.TempDir(), "logs")} {
		c := boarded(t)
		c.TensorBoard = folder
		e := failing{Engine: engine(t, 1), build: func(*graph.Plan) error { return nil }, run: func(p *graph.Plan) error {
			if len(p.Assigns) > 0 {
				return errNoMemory
			}
			return nil
		}}
		_, err = runOn(t, c, e, nil)
		require.ErrorIs(t, err, errNoMemory)
		require.NoDirExists(t, c.TensorBoardDir())
		require.NoDirExists(t, c.Out)
	}
}
