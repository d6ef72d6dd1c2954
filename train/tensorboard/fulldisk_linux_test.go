package tensorboard_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/stheno-ml/stheno/train/tensorboard"
)

// TestFullDisk: what the disk has no room for is an error, and leaves a file that is sound and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, 0)) })
	dir := filepath.Join(disk, "run")
	w, err := tensorboard.NewWriter(dir)
	require.NoError(t, err)
	told := 0
	for ; told < 1000; told++ {
		if err = w.Histogram("h", []float32{float32(told), -1}, told); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, w.Path())
	require.Greater(t, told, 10)
	require.Len(t, records(t, w.Path()), told+2)
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=128k"))
	require.NoError(t, w.Scalar("s", 1, told))
	require.NoError(t, w.Close())
	require.Len(t, records(t, w.Path()), told+3)
}
