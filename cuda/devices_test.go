//go:build gpu && cgo && linux

package cuda_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
)

// A GPU that cannot be asked for its memory, such as one that another process has for itself, is listed all the same, and so are
// the others.
func TestDevicesInUse(t *testing.T) {
	needSimulator(t)
	if !inChild(t, "STHENO_SIM_DEVICES=2") {
		return
	}
	require.NoError(t, os.Setenv("STHENO_SIM_FAIL_CALL", "cuDevicePrimaryCtxRetain:1"))
	all, err := cuda.Devices()
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.EqualValues(t, -1, all[0].Free)
	require.Positive(t, all[0].Memory)
	require.Positive(t, all[1].Free)

	e := open(t, cuda.Config{})
	require.Positive(t, e.Device().Free)
	require.NoError(t, e.Close())
	require.EqualValues(t, -1, e.Device().Free)
}
