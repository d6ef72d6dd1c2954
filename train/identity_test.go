package train_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// TestLostRunFile: without run.json the newest checkpoint says what the run was, and run.json is written again.
func TestLostRunFile(t *testing.T) {
	c := small(t)
	c.Epochs = 1
	_, err := run(t, c, nil)
	require.NoError(t, err)
	file := filepath.Join(c.Out, train.RunFileName)
	for _, damage := range []func() error{
		func() error { return os.Remove(file) },
		func() error { return os.WriteFile(file, []byte(`{"arch":`), 0o644) },
	} {
		require.NoError(t, damage())
		got, notice, err := train.ReadConfig(c.Out)
		require.NoError(t, err)
		require.Contains(t, notice, "using the configuration in")
		require.Equal(t, c.Arch, got.Arch)
		require.Equal(t, c.LimitTrain, got.LimitTrain)
		got.Resume, got.Epochs = true, 2
		_, err = run(t, got, nil)
		require.NoError(t, err)
		again, notice, err := train.ReadConfig(c.Out)
		require.NoError(t, err)
		require.Empty(t, notice)
		require.Equal(t, 2, again.Epochs)
	}
	require.NoError(t, os.RemoveAll(c.Out))
	_, _, err = train.ReadConfig(c.Out)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestCheckpointOfAnotherRun: a checkpoint that was copied into the folder of a run is not taken for its own.
func TestCheckpointOfAnotherRun(t *testing.T) {
	a, b := small(t), small(t)
	a.Epochs, b.Epochs, b.Seed = 1, 1, 7
	for _, c := range []train.Config{a, b} {
		_, err := run(t, c, nil)
		require.NoError(t, err)
	}
	files, err := filepath.Glob(filepath.Join(b.Out, train.CheckpointDir, "*.safetensors"))
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(a.Out, train.CheckpointDir, filepath.Base(f)), text, 0o644))
	}
	saved, _, err := train.ReadConfig(a.Out)
	require.NoError(t, err)
	saved.Resume, saved.Epochs = true, 2
	_, err = run(t, saved, nil)
	require.ErrorContains(t, err, "was made by another run than the one in")
	require.ErrorContains(t, err, "seed is 7 in it and 1 here")
}

// TestPrecisionIsOfTheRun: a checkpoint is not gone on with in another precision, and fp32 is what none is.
func TestPrecisionIsOfTheRun(t *testing.T) {
	c := small(t)
	c.Epochs = 1
	_, err := run(t, c, nil)
	require.NoError(t, err)
	saved, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	require.Empty(t, saved.Precision)
	saved.Resume, saved.Epochs, saved.Precision = true, 2, "bf16"
	_, err = run(t, saved, nil)
	require.ErrorContains(t, err, `precision is left out in it and "bf16" here`)
	saved.Precision = "half"
	_, err = run(t, saved, nil)
	require.ErrorContains(t, err, `unknown precision "half"`)
	saved.Precision = train.FP32
	_, err = run(t, saved, nil)
	require.NoError(t, err)
}
