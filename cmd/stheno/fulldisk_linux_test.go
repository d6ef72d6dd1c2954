package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/stheno-ml/stheno/train/tensorboard"
)

// TestFullDisk trains on a disk that has room for two checkpoints of 3.6 MB, then makes room and goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=9m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, 0)) })
	args := []string{"train", "--data", "sample", "--limit-train", "64", "--limit-test", "20", "--batch", "32", "--epochs", "4", "--threads", "1", "--out"}
	run := filepath.Join(disk, "run")
	refused(t, with(args, run), filepath.Join(run, "checkpoints", "checkpoint-000000004.safetensors"), "no space left on device", "earlier ones are untouched")
	found, err := filepath.Glob(filepath.Join(run, "checkpoints", "*.safetensors"))
	require.NoError(t, err)
	require.Len(t, found, 3, "two and the best")
	left, err := filepath.Glob(filepath.Join(run, "checkpoints", ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
	refused(t, []string{"train", "--resume", "--out", run}, "no space left on device")
	ok(t, "eval", "--run", run, "--limit-test", "10")

	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=90m"))
	ok(t, "train", "--resume", "--out", run)
	whole := filepath.Join(t.TempDir(), "run")
	ok(t, with(args, whole)...)
	requireSameRun(t, whole, run)

	// A disk that is full from the start.
	require.NoError(t, os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 60<<20), 0o644))
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=78m"))
	more := filepath.Join(disk, "more")
	_ = os.WriteFile(more, make([]byte, 90<<20), 0o644) // fills the rest
	another := filepath.Join(disk, "another")
	refused(t, with(args, another), "no space left on device", another)
	info, err := os.Stat(more)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(more, info.Size()-1<<20)) // room for a folder, and for no checkpoint
	another = filepath.Join(disk, "a third")
	said := refused(t, with(args, another), "no space left on device", another, "with another --out, give the same command again")
	require.NotContains(t, said, "--resume", "there is nothing to go on with")
	require.NoDirExists(t, another)
}

// TestFullDiskForTensorBoard ends a run with its checkpoints sound, and the run goes on when there is room.
func TestFullDiskForTensorBoard(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=40k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, 0)) })
	args := []string{"train", "--data", "sample", "--limit-train", "64", "--limit-test", "20", "--batch", "32", "--epochs", "9", "--threads", "1",
		"--tensorboard-histograms", "1", "--tensorboard-steps", "1"}
	run, logs := filepath.Join(t.TempDir(), "run"), filepath.Join(disk, "logs")
	refused(t, with(args, "--out", run, "--tensorboard="+logs), "no space left on device", logs, "the newest checkpoint is "+run, "resume with: ")
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=9m"))
	ok(t, "train", "--resume", "--out", run)
	whole := filepath.Join(t.TempDir(), "run")
	ok(t, with(args, "--out", whole, "--tensorboard")...)
	require.Equal(t, history(t, whole), history(t, run))
	for _, of := range []string{"train", "validation"} {
		want, err := tensorboard.ReadScalars(filepath.Join(whole, "tensorboard", of))
		require.NoError(t, err)
		got, err := tensorboard.ReadScalars(filepath.Join(logs, of))
		require.NoError(t, err)
		delete(want, "epoch_images_per_second")
		delete(got, "epoch_images_per_second")
		require.Len(t, want["epoch_loss"], 9)
		require.Equal(t, want, got)
	}
}
