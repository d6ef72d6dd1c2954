package weights

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

func ls(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.ReplaceAll(strings.Join(out, " "), ".safetensors", "")
}

func save(t *testing.T, k *Keeper, step int64, metric float64) Saved {
	t.Helper()
	s, err := k.Save(sample(0), step, metric)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(k.Dir, CheckpointName(step)), s.Path)
	return s
}

func TestKeeperRotates(t *testing.T) {
	k := &Keeper{Dir: filepath.Join(t.TempDir(), "new", "run"), Keep: 2}
	require.True(t, save(t, k, 10, 0.5).Best)
	require.Equal(t, "best checkpoint-000000010", ls(t, k.Dir))
	require.False(t, save(t, k, 20, 0.5).Best, "an equal one is not better")
	require.True(t, save(t, k, 30, 0.7).Best)
	require.Equal(t, "best checkpoint-000000020 checkpoint-000000030", ls(t, k.Dir))
	require.False(t, save(t, k, 40, math.NaN()).Best)
	s := save(t, k, 50, 0.6)
	require.Equal(t, []string{filepath.Join(k.Dir, CheckpointName(30))}, s.Removed)
	require.Empty(t, s.Notices)
	require.Equal(t, "best checkpoint-000000040 checkpoint-000000050", ls(t, k.Dir))

	best, err := LoadCheckpoint(filepath.Join(k.Dir, BestName))
	require.NoError(t, err)
	require.EqualValues(t, 30, best.Step)
	require.Equal(t, 0.7, best.Metric)

	found, err := Latest(k.Dir)
	require.NoError(t, err)
	require.EqualValues(t, 50, found.Checkpoint.Step)
	require.Empty(t, found.Skipped)

	// Another process goes on: it knows the best so far.
	again := &Keeper{Dir: k.Dir, Keep: 2}
	require.False(t, save(t, again, 60, 0.65).Best)
	require.True(t, save(t, again, 70, 0.75).Best)
}

func TestKeeperZeroValueNegativeAndLoss(t *testing.T) {
	k := &Keeper{Dir: t.TempDir()}
	all := &Keeper{Dir: t.TempDir(), Keep: -1, LowerIsBetter: true}
	for step := range int64(5) {
		save(t, k, step, 1)
		require.Equal(t, step != 1, save(t, all, step, []float64{5, 6, 4, 3, math.Inf(-1)}[step]).Best)
	}
	require.Equal(t, "best checkpoint-000000002 checkpoint-000000003 checkpoint-000000004", ls(t, k.Dir))
	require.Len(t, strings.Fields(ls(t, all.Dir)), 6)
	_, err := k.Save(sample(0), -1, 0)
	require.ErrorContains(t, err, "-1")
}

// Saving the same step again replaces its file and leaves the best as it was.
func TestKeeperSameStepTwice(t *testing.T) {
	k := &Keeper{Dir: t.TempDir()}
	save(t, k, 5, 0.9)
	save(t, k, 5, 0.1)
	best, err := LoadCheckpoint(filepath.Join(k.Dir, BestName))
	require.NoError(t, err)
	require.Equal(t, 0.9, best.Metric)
	found, err := Latest(k.Dir)
	require.NoError(t, err)
	require.Equal(t, 0.1, found.Checkpoint.Metric)
}

func TestKeeperFullDisk(t *testing.T) {
	k := &Keeper{Dir: t.TempDir(), Keep: 1}
	save(t, k, 1, 0.5)
	whole, err := os.ReadFile(filepath.Join(k.Dir, CheckpointName(1)))
	require.NoError(t, err)
	for n := 0; n < len(whole); n += 211 {
		k.wrap = func(w io.Writer) io.Writer { return &failAfter{w, n} }
		_, err := k.Save(sample(0), 2, 0.9)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, "best checkpoint-000000001", ls(t, k.Dir))
	}
	found, err := Latest(k.Dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, found.Checkpoint.Step)
	k.wrap = nil // space was made
	require.True(t, save(t, k, 2, 0.9).Best)
	require.Equal(t, "best checkpoint-000000002", ls(t, k.Dir))
}

// When the best cannot be renewed, the checkpoint still counts as saved and none
// is deleted, because one of them is the best.
func TestKeeperBestBlocked(t *testing.T) {
	k := &Keeper{Dir: t.TempDir(), Keep: 1}
	save(t, k, 1, 0.5)
	best := filepath.Join(k.Dir, BestName)
	require.NoError(t, os.Remove(best))
	require.NoError(t, os.MkdirAll(filepath.Join(best, "in the way"), 0o755))
	s := save(t, k, 2, 0.6)
	require.False(t, s.Best)
	require.Len(t, s.Notices, 1)
	require.Contains(t, s.Notices[0], "best.safetensors could not be renewed")
	require.Equal(t, "best checkpoint-000000001 checkpoint-000000002", ls(t, k.Dir))
	require.NoError(t, os.RemoveAll(best))
	require.True(t, save(t, k, 3, 0.55).Best)
	require.Equal(t, "best checkpoint-000000003", ls(t, k.Dir))
}

// A process killed between writing the best checkpoint so far and making it best.safetensors loses neither: the next
// one does that, before tidying deletes the numbered file.
func TestKeeperKilledBeforeTheBest(t *testing.T) {
	for _, had := range []string{"an older best", "none", "a damaged one"} {
		k := &Keeper{Dir: t.TempDir()}
		best := filepath.Join(k.Dir, BestName)
		save(t, k, 1, 0.5)
		older, err := os.ReadFile(best)
		require.NoError(t, err)
		save(t, k, 2, 0.9)
		save(t, k, 3, math.NaN())
		require.NoError(t, os.Remove(best))
		switch had {
		case "an older best":
			require.NoError(t, os.WriteFile(best, older, 0o644))
		case "a damaged one":
			require.NoError(t, os.WriteFile(best, older[:len(older)-1], 0o644))
		}
		again := &Keeper{Dir: k.Dir, Keep: 1}
		notices, err := again.Start()
		require.NoError(t, err)
		require.Contains(t, notices[len(notices)-1], "best.safetensors is now "+filepath.Join(k.Dir, CheckpointName(2)), had)
		require.False(t, save(t, again, 4, 0.7).Best)
		require.Equal(t, "best checkpoint-000000004", ls(t, k.Dir))
		c, err := LoadCheckpoint(best)
		require.NoError(t, err)
		require.Equal(t, 0.9, c.Metric)
	}
	// A damaged numbered file is not made the best.
	k := &Keeper{Dir: t.TempDir()}
	save(t, k, 1, 0.5)
	c := filepath.Join(k.Dir, CheckpointName(2))
	save(t, k, 2, 0.4)
	text, err := os.ReadFile(c)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c, []byte(strings.Replace(string(text), `"metric":"0.4"`, `"metric":"0.9"`, 1)), 0o644))
	notices, err := (&Keeper{Dir: k.Dir}).Start()
	require.NoError(t, err)
	require.Empty(t, notices)
}

func TestKeeperStartCleansUp(t *testing.T) {
	k := &Keeper{Dir: t.TempDir()}
	save(t, k, 1, 0.5)
	for _, name := range []string{"." + CheckpointName(2) + ".1f" + atomicfile.TempSuffix, "." + BestName + ".9" + atomicfile.TempSuffix, "mine" + atomicfile.TempSuffix, ".hidden"} {
		require.NoError(t, os.WriteFile(filepath.Join(k.Dir, name), []byte("partial"), 0o644))
	}
	found, err := Latest(k.Dir)
	require.NoError(t, err)
	require.Empty(t, found.Skipped, "temporary files are not checkpoints")
	notices, err := k.Start()
	require.NoError(t, err)
	require.Len(t, notices, 2)
	require.Contains(t, notices[0], "left by an interrupted run")
	require.Equal(t, ".hidden best checkpoint-000000001 mine.stheno-tmp", ls(t, k.Dir))

	require.NoError(t, os.WriteFile(filepath.Join(k.Dir, BestName), []byte("rubbish"), 0o644))
	notices, err = k.Start()
	require.NoError(t, err)
	require.Len(t, notices, 1)
	require.Contains(t, notices[0], "the best checkpoint will be replaced")
	require.True(t, save(t, k, 2, 0.1).Best)

	file := filepath.Join(k.Dir, ".hidden")
	_, err = (&Keeper{Dir: file}).Start()
	require.ErrorContains(t, err, file)
}

func TestLatestFallsBack(t *testing.T) {
	k := &Keeper{Dir: t.TempDir(), Keep: 5}
	for step := range int64(5) {
		save(t, k, step*100, float64(step)/10)
	}
	path := func(step int64) string { return filepath.Join(k.Dir, CheckpointName(step)) }
	content, err := os.ReadFile(path(400))
	require.NoError(t, err)
	// os.Remove first: the best shares the newest one's bytes.
	damage := func(step int64, content []byte) {
		require.NoError(t, os.Remove(path(step)))
		require.NoError(t, os.WriteFile(path(step), content, 0o644))
	}
	content[len(content)-1] ^= 1
	damage(400, content)                           // a bit fell over
	damage(300, content[:len(content)/2])          // cut short
	damage(200, nil)                               // empty
	require.NoError(t, os.Mkdir(path(900), 0o755)) // not a file at all

	found, err := Latest(k.Dir)
	require.NoError(t, err)
	require.Equal(t, path(100), found.Path)
	require.EqualValues(t, 100, found.Checkpoint.Step)
	require.Len(t, found.Skipped, 3)
	for i, step := range []int64{400, 300, 200} {
		require.ErrorAs(t, found.Skipped[i], new(*CorruptError))
		require.ErrorContains(t, found.Skipped[i], path(step))
	}

	// The run that goes on from 100 sets the damaged later ones aside.
	s := save(t, &Keeper{Dir: k.Dir, Keep: 2}, 150, 0)
	require.Len(t, s.Notices, 3)
	require.Contains(t, s.Notices[0], CheckpointName(400)+".superseded")
	require.Equal(t, []string{path(0)}, s.Removed)
	found, err = Latest(k.Dir)
	require.NoError(t, err)
	require.EqualValues(t, 150, found.Checkpoint.Step)
	require.Empty(t, found.Skipped)

	// With no numbered one left, the best is better than nothing.
	require.NoError(t, os.WriteFile(path(150), nil, 0o644))
	require.NoError(t, os.WriteFile(path(100), nil, 0o644))
	found, err = Latest(k.Dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(k.Dir, BestName), found.Path)
	require.EqualValues(t, 400, found.Checkpoint.Step)
	require.Len(t, found.Skipped, 2)

	require.NoError(t, os.WriteFile(found.Path, []byte("x"), 0o644))
	_, err = Latest(k.Dir)
	require.ErrorIs(t, err, ErrNoCheckpoint)
	require.ErrorContains(t, err, k.Dir)
	require.Equal(t, 3, strings.Count(err.Error(), "skipped: "))
}

func TestLatestNothingThere(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "none")} {
		_, err := Latest(d)
		require.ErrorIs(t, err, ErrNoCheckpoint)
	}
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := Latest(file)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNoCheckpoint)
}

func TestLatestRenamedFile(t *testing.T) {
	k := &Keeper{Dir: t.TempDir()}
	save(t, k, 5, 0)
	require.NoError(t, os.Rename(filepath.Join(k.Dir, CheckpointName(5)), filepath.Join(k.Dir, CheckpointName(50))))
	found, err := Latest(k.Dir)
	require.NoError(t, err) // the best
	require.EqualValues(t, 5, found.Checkpoint.Step)
	require.ErrorContains(t, found.Skipped[0], "its name says step 50, its content step 5")
}

func TestCheckpointNames(t *testing.T) {
	for _, step := range []int64{0, 1, 999_999_999, 1_000_000_000, math.MaxInt64} {
		got, ok := checkpointStep(CheckpointName(step))
		require.True(t, ok)
		require.Equal(t, step, got)
	}
	require.Equal(t, "checkpoint-000001234.safetensors", CheckpointName(1234))
	for _, bad := range []string{"", BestName, "checkpoint-.safetensors", "checkpoint-1.safetensors", "checkpoint-0000000001.safetensors",
		"checkpoint--00000001.safetensors", "checkpoint-+00000001.safetensors", "checkpoint-000000001.safetensors.superseded",
		"checkpoint-99999999999999999999.safetensors", ".checkpoint-000000001.safetensors.a" + atomicfile.TempSuffix} {
		_, ok := checkpointStep(bad)
		require.False(t, ok, bad)
	}
}

func ExampleKeeper() {
	dir, _ := os.MkdirTemp("", "stheno")
	defer os.RemoveAll(dir)
	k := &Keeper{Dir: dir, Keep: 2}
	for step, accuracy := range []float64{0.1, 0.3, 0.2} {
		c := &Checkpoint{Arch: "simplecnn", Tensors: []Tensor{{Name: "model/dense/bias", Shape: []int{2}, Data: []float32{0, 1}}}}
		if _, err := k.Save(c, int64(step), accuracy); err != nil {
			fmt.Println(err)
		}
	}
	newest, _ := Latest(dir)
	best, _ := LoadCheckpoint(filepath.Join(dir, BestName))
	fmt.Println("newest", newest.Checkpoint.Step, "best", best.Step)
	// Output: newest 2 best 1
}
