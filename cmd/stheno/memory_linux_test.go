package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/host"
)

// TestTooLargeForTheMemory: a network whose weights no memory holds is an error, and leaves no folder behind.
func TestTooLargeForTheMemory(t *testing.T) {
	if n := host.Memory(); n == 0 || int64(n) > 90e9 {
		t.Skip("needs a machine with less than 90 GB of memory, and one that tells how much it has")
	}
	out := filepath.Join(t.TempDir(), "run")
	refused(t, []string{"train", "--data", "folder", "--data-dir", pictureFolder(t), "--size", "4000", "--batch", "1", "--device", "cpu", "--out", out},
		"parameters take 91.2 GiB with what adam keeps of each, the machine has", "use smaller images")
	require.NoDirExists(t, out)
}
