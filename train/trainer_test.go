package train_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

// quiet is an observer that keeps what it is told.
type quiet struct {
	rows  []train.HistoryRow
	notes []string
	step  func(train.Progress)
}

func (q *quiet) Step(p train.Progress) {
	if q.step != nil {
		q.step(p)
	}
}
func (q *quiet) Epoch(r train.HistoryRow) { q.rows = append(q.rows, r) }
func (q *quiet) Note(line string)         { q.notes = append(q.notes, line) }

// small is a run of a few seconds on the built-in images.
func small(t *testing.T) train.Config {
	c := train.DefaultConfig()
	c.Data, c.Epochs, c.Batch, c.LimitTrain, c.LimitTest, c.Out = "sample", 2, 32, 300, 130, filepath.Join(t.TempDir(), "run")
	return c
}

func run(t *testing.T, c train.Config, ctx context.Context) (*quiet, *train.Trainer, error) {
	t.Helper()
	split, err := data.Sample()
	require.NoError(t, err)
	e, err := cpu.New(cpu.Config{Threads: c.Threads})
	require.NoError(t, err)
	q := &quiet{}
	tr, err := train.New(c, split, e, q)
	if err != nil {
		require.NoError(t, e.Close())
		return q, nil, err
	}
	err = tr.Run(ctx)
	require.NoError(t, tr.Close())
	require.NoError(t, e.Close())
	return q, tr, err
}

func TestTrainingLearns(t *testing.T) {
	q, _, err := run(t, small(t), context.Background())
	require.NoError(t, err)
	require.Len(t, q.rows, 2)
	require.Less(t, q.rows[1].Loss, q.rows[0].Loss)
	require.Greater(t, q.rows[1].ValTop1, 0.2)
	require.Greater(t, q.rows[1].ValTop5, q.rows[1].ValTop1)
}
