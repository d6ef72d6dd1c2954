package train

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const historyHeader = "epoch,step,loss,top1,top5,val_loss,val_top1,val_top5,images_per_second,learning_rate\n"

func row(epoch int) HistoryRow {
	return HistoryRow{Epoch: epoch, Step: int64(epoch) * 10, Loss: 1 / float64(epoch), Top1: 0.1, Top5: 1. / 3, ValLoss: 2, ValTop1: 0.25, ValTop5: 0.5, ImagesPerSecond: 1234.5, LearningRate: 1e-5}
}

func TestHistoryExactText(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryFileName)
	h, err := CreateHistory(path)
	require.NoError(t, err)
	require.NoError(t, h.Append(HistoryRow{1, 782, 4.5, 0.03125, 0.125, 4, 0.0625, 0.25, 1000, 0.001}))
	nan := math.NaN()
	require.NoError(t, h.Append(HistoryRow{3, 2346, nan, 0, 0, nan, nan, nan, math.Inf(1), 1e-05}))
	// Every row is on disk before Close.
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, historyHeader+"1,782,4.5,0.03125,0.125,4,0.0625,0.25,1000,0.001\n3,2346,NaN,0,0,,,,+Inf,1e-05\n", string(text))
	require.NoError(t, h.Close())

	rows, err := ReadHistory(path)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, 0.0625, rows[0].ValTop1)
	require.True(t, math.IsNaN(rows[1].Loss) && math.IsNaN(rows[1].ValTop5))
	require.Equal(t, math.Inf(1), rows[1].ImagesPerSecond)
}

func TestHistoryCreateAndOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryFileName)
	h, err := CreateHistory(path)
	require.NoError(t, err)
	defer h.Close()
	require.NoError(t, h.Append(row(2)))
	for _, epoch := range []int{2, 1, 0, -1} {
		require.ErrorContains(t, h.Append(row(epoch)), "cannot follow epoch 2")
	}
	_, err = CreateHistory(path)
	require.ErrorIs(t, err, fs.ErrExist)
	rows, err := ReadHistory(path)
	require.NoError(t, err)
	require.Equal(t, []HistoryRow{row(2)}, rows) // exact digits
}

func TestHistoryResume(t *testing.T) {
	for name, c := range map[string]struct {
		epochs int
		tail   string
		want   []int // epochs that stay
	}{
		"all":                   {3, "", []int{1, 2, 3}},
		"checkpoint is ahead":   {9, "", []int{1, 2, 3}},
		"one too many":          {2, "", []int{1, 2}},
		"none":                  {0, "", nil},
		"torn last line":        {3, "4,40,0.2", []int{1, 2, 3}},
		"torn and one too many": {2, "4,40,0.25,0.1,0.3,2,0.25,0.5,1234.5,1e-05", []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), HistoryFileName)
			h, err := CreateHistory(path)
			require.NoError(t, err)
			for epoch := 1; epoch <= 3; epoch++ {
				require.NoError(t, h.Append(row(epoch)))
			}
			_, err = h.file.WriteString(c.tail)
			require.NoError(t, err)
			require.NoError(t, h.Close())

			h, err = ResumeHistory(path, c.epochs)
			require.NoError(t, err)
			next := len(c.want) + 1
			require.Error(t, h.Append(row(len(c.want))), "epochs go on after the last that stayed")
			require.NoError(t, h.Append(row(next)))
			require.NoError(t, h.Close())
			rows, err := ReadHistory(path)
			require.NoError(t, err)
			require.Len(t, rows, next)
			for i, r := range rows {
				require.Equal(t, row(i+1), r)
			}
		})
	}
	path := filepath.Join(t.TempDir(), HistoryFileName)
	h, err := ResumeHistory(path, 5) // someone deleted it
	require.NoError(t, err)
	require.NoError(t, h.Append(row(6)))
	require.NoError(t, h.Close())
}

func TestHistoryBadFiles(t *testing.T) {
	good := "1,10,1,0,0,1,0,0,5,0.1\n"
	for name, c := range map[string]struct {
		text    string
		line    int
		message string
	}{
		"empty":          {"", 1, "no complete line"},
		"torn header":    {"epoch,step", 1, "no complete line"},
		"other columns":  {"epoch,loss\n1,2\n", 1, "expected the columns epoch,step,loss"},
		"no header":      {good, 1, "expected the columns"},
		"few cells":      {historyHeader + good + "2,20,1\n", 3, "expected 10 cells, found 3"},
		"many cells":     {historyHeader + "1,10,1,0,0,1,0,0,5,0.1,7\n", 2, "found 11"},
		"text as number": {historyHeader + "1,10,x,0,0,1,0,0,5,0.1\n", 2, `expected a number as loss, found "x"`},
		"absent loss":    {historyHeader + "1,10,,0,0,1,0,0,5,0.1\n", 2, `a number as loss, found ""`},
		"epoch 1.5":      {historyHeader + "1.5,10,1,0,0,1,0,0,5,0.1\n", 2, "as epoch"},
		"step x":         {historyHeader + "1,x,1,0,0,1,0,0,5,0.1\n", 2, "as step"},
		"epoch 0":        {historyHeader + "0,10,1,0,0,1,0,0,5,0.1\n", 2, "an epoch after"},
		"epoch twice":    {historyHeader + good + good, 3, "an epoch after the row before, found 1"},
		"quote":          {historyHeader + "1,1\"0,1\n", 2, "comma-separated cells"},
		"binary":         {"\x00\x01\xff\n", 1, "expected the columns"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), HistoryFileName)
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o644))
			_, err := ReadHistory(path)
			var bad *HistoryError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, c.line, bad.Line)
			require.ErrorContains(t, err, c.message)
			require.ErrorContains(t, err, path)
			_, err = ResumeHistory(path, 1)
			require.ErrorAs(t, err, &bad)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.text, string(after), "a file that is not understood stays")
		})
	}
	_, err := ReadHistory(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
