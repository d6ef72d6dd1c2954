//go:build gpu && cgo && linux

package nvml

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// device is the first GPU, real or simulated, as NVML knows it.
func device(t *testing.T) *Device {
	all, err := driver.Devices()
	if err != nil {
		t.Skip("needs a GPU, or the simulated one: ", err)
	}
	l, err := Load()
	require.NoError(t, err)
	d, err := l.Device(all[0].UUID)
	require.NoError(t, err)
	return d
}

func TestEnergyOfADevice(t *testing.T) {
	d := device(t)
	for _, mode := range []string{"", "power"} { // the simulated NVML then counts no energy
		t.Setenv("STHENO_SIM_NVML", mode)
		stop, err := Measure(d)
		require.NoError(t, err)
		time.Sleep(300 * time.Millisecond)
		joules, err := stop()
		require.NoError(t, err)
		t.Logf("%.1f J in 0.3 s", joules)
		require.Positive(t, joules)
		require.Less(t, joules, 20_000.0)
	}
	watts, err := d.Power()
	require.NoError(t, err)
	require.Positive(t, watts)
}

func TestDevicesThatThereAreNot(t *testing.T) {
	d := device(t)
	_, err := d.lib.Device("GPU-00000000-0000-0000-0000-000000000000")
	require.ErrorContains(t, err, "cuda: NVML: nvmlDeviceGetHandleByUUID: ")
	_, err = load("libnvidia-ml.so.99")
	require.ErrorContains(t, err, "cuda: NVML: ")
}
