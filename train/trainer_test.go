package train_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// watcher is an observer that keeps what it is told and calls step, if there is one.
type watcher struct {
	rows  []train.HistoryRow
	notes []string
	step  func(train.Progress)
}

func (w *watcher) Step(p train.Progress) {
	if w.step != nil {
		w.step(p)
	}
}
func (w *watcher) Epoch(r train.HistoryRow) { w.rows = append(w.rows, r) }
func (w *watcher) Note(line string)         { w.notes = append(w.notes, line) }

// small is a run of a second on the built-in images: 5 steps an epoch, the last with 6 images.
func small(t *testing.T) train.Config {
	c := train.DefaultConfig()
	c.Data, c.Epochs, c.Batch, c.LimitTrain, c.LimitTest, c.Threads = "sample", 3, 16, 70, 130, 2
	c.Out = filepath.Join(t.TempDir(), "run")
	return c
}

// sample is the built-in data set, unpacked once: runs only read it.
var sample = sync.OnceValues(data.Sample)

// run trains with c on the CPU until it ends or stop, if not nil, says so after a step.
func run(t *testing.T, c train.Config, stop func(train.Progress) bool) (*watcher, error) {
	t.Helper()
	e, err := cpu.New(cpu.Config{Threads: c.Threads})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	return runOn(t, c, e, stop)
}

func runOn(t *testing.T, c train.Config, e graph.Engine, stop func(train.Progress) bool) (*watcher, error) {
	t.Helper()
	split, err := sample()
	require.NoError(t, err)
	return runOf(t, c, split, e, stop)
}

func runOf(t *testing.T, c train.Config, split *data.Split, e graph.Engine, stop func(train.Progress) bool) (*watcher, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &watcher{}
	if stop != nil {
		w.step = func(p train.Progress) {
			if stop(p) {
				cancel()
			}
		}
	}
	tr, err := train.New(c, split, e, w)
	if err != nil {
		require.Nil(t, tr)
		return w, err
	}
	defer func() { require.NoError(t, tr.Close()) }()
	return w, tr.Run(ctx)
}

func TestTrainingLearns(t *testing.T) {
	c := small(t)
	c.LimitTrain = 320
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.Len(t, w.rows, 3)
	require.Less(t, w.rows[2].Loss, w.rows[0].Loss)
	require.Greater(t, w.rows[2].ValTop1, 0.4, "chance is 0.1")
	require.Greater(t, w.rows[2].ValTop5, w.rows[2].ValTop1)
	require.EqualValues(t, 60, w.rows[2].Step)
	rows, err := train.ReadHistory(filepath.Join(c.Out, train.HistoryFileName))
	require.NoError(t, err)
	require.Equal(t, w.rows, rows)
}

func TestBatchLargerThanTheDataSet(t *testing.T) {
	c := small(t)
	c.Batch, c.LimitTrain, c.LimitTest, c.Epochs = 1_000_000_000, 5, 1, 1
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, w.rows[0].Step)
	require.Equal(t, []string{"the batch of 1000000000 is larger than the training images: each epoch is one step on all 5 of them"}, w.notes)
}

// TestWhatIsRecorded is for users of the library, who may leave things to New.
func TestWhatIsRecorded(t *testing.T) {
	c := small(t)
	c.Data, c.DataDir, c.Epochs, c.LimitTrain = "cifar100", "somewhere", 1, 5
	split, err := sample()
	require.NoError(t, err)
	e := engine(t, 1)
	tr, err := train.New(c, split, e, nil) // a nil observer is a silent one
	require.NoError(t, err)
	require.NoError(t, tr.Run(t.Context()))
	require.NoError(t, tr.Close())
	recorded, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	is := tr.Config()
	require.Equal(t, is, recorded)
	require.Equal(t, "sample", is.Data)
	require.Zero(t, is.Momentum, "adam has none")
	require.True(t, filepath.IsAbs(is.DataDir), is.DataDir)

	recorded.Resume, recorded.Data = true, "cifar100"
	_, err = train.New(recorded, split, e, nil)
	require.ErrorContains(t, err, `was made on "cifar100", not on "sample"`)
}

func TestOneImage(t *testing.T) {
	c := small(t)
	c.LimitTrain, c.LimitTest, c.Epochs = 1, 1, 2
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, w.rows[1].Step)
}

func TestWrongConfigurations(t *testing.T) {
	for _, c := range []struct {
		set  func(*train.Config)
		want string
	}{
		{func(c *train.Config) { c.Epochs = 0 }, "--epochs wants at least 1, got 0"},
		{func(c *train.Config) { c.Batch = -1 }, "--batch wants at least 1"},
		{func(c *train.Config) { c.LR = 0 }, "--lr wants a positive number"},
		{func(c *train.Config) { c.LimitTrain = -1 }, "--limit-train wants at least 0, got -1"},
		{func(c *train.Config) { c.Threads = 1025 }, "--threads wants at least 0 and at most 1024, got 1025"},
		{func(c *train.Config) { c.Keep = 0 }, "--keep wants at least 1"},
		{func(c *train.Config) { c.Arch = "resnet51" }, `did you mean "resnet50"?`},
		{func(c *train.Config) { c.Optimizer = "adamm" }, `did you mean "adam"?`},
		{func(c *train.Config) { c.Optimizer, c.Nesterov, c.Momentum = "sgd", true, 0 }, "needs a momentum"},
		{func(c *train.Config) { c.Nesterov = true }, "goes with --optimizer sgd"},
		{func(c *train.Config) { c.Schedule = "cosin" }, `did you mean "cosine"?`},
		{func(c *train.Config) { c.Schedule = "cosine+warmup:3" }, "leaves nothing of a run of 3; warm up for less, e.g. +warmup:0.3, or raise --epochs above 3"},
		{func(c *train.Config) { c.Dropout = 0.5 }, `"simplecnn" has no option Dropout`},
	} {
		t.Run(c.want, func(t *testing.T) {
			cfg := small(t)
			c.set(&cfg)
			_, err := run(t, cfg, nil)
			require.ErrorContains(t, err, c.want)
			require.NoDirExists(t, cfg.Out, "nothing is begun")
		})
	}
}

func TestARunNeedsImages(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	for _, split := range []*data.Split{nil, {}} {
		_, err = train.New(small(t), split, e, &watcher{})
		require.ErrorContains(t, err, "training and test images")
	}
}

// TestTheScheduleIsFollowed lowers the rate to next to nothing after the first epoch: the weights stand still from then on.
func TestTheScheduleIsFollowed(t *testing.T) {
	c := small(t)
	c.Optimizer, c.Momentum, c.LR, c.Schedule = "sgd", 0, 0.1, "step:1:1e-30"
	w, err := run(t, c, nil)
	require.NoError(t, err)
	require.Equal(t, w.rows[0].ValLoss, w.rows[1].ValLoss)
	require.Equal(t, 0.1, w.rows[0].LearningRate)
	require.InEpsilon(t, 1e-31, w.rows[2].LearningRate, 1e-9)
	var kernels [][]float32
	for _, path := range checkpoints(t, c.Out) {
		saved, err := weights.LoadCheckpoint(path)
		require.NoError(t, err)
		kernels = append(kernels, saved.Section("model/conv2d/kernel")[0].Data.([]float32))
	}
	require.Len(t, kernels, 3)
	require.True(t, slices.Equal(kernels[0], kernels[1]) && slices.Equal(kernels[0], kernels[2]))
}
