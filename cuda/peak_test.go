//go:build gpu && cgo && linux

package cuda_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
)

func TestMeasureTheDevice(t *testing.T) {
	for _, precision := range []string{"fp32", "tf32", "bf16"} {
		e := open(t, cuda.Config{Precision: precision})
		peak, err := e.MeasurePeak()
		require.NoError(t, err)
		require.Positive(t, peak)
		bytes, err := e.MeasureBandwidth()
		require.NoError(t, err)
		require.Positive(t, bytes)
		t.Logf("%s: %.1f TFLOP/s, %.2f TB/s", precision, peak/1e12, bytes/1e12)
		used, held := e.Memory()
		require.Zero(t, used, "all of it is given back")
		require.Zero(t, held)
	}
	e := open(t, cuda.Config{Without: []string{"cublaslt"}})
	peak, err := e.MeasurePeak()
	require.NoError(t, err)
	require.Zero(t, peak, "not known")

	small := open(t, cuda.Config{MemoryLimit: 4096})
	_, err = small.MeasureBandwidth()
	require.ErrorContains(t, err, "memory to measure the device with needs")
	var full interface{ OutOfMemory() bool }
	require.ErrorAs(t, err, &full)
	require.True(t, full.OutOfMemory())
	_, err = small.MeasurePeak()
	require.ErrorContains(t, err, "out of device memory")
	used, held := small.Memory()
	require.Zero(t, used+held)
	require.NoError(t, small.Close())
	_, err = small.MeasurePeak()
	require.Error(t, err)
	_, err = small.MeasureBandwidth()
	require.Error(t, err)
}

func TestMeasureEnergy(t *testing.T) {
	e := open(t, cuda.Config{})
	stop, err := e.MeasureEnergy()
	if err != nil {
		t.Skip("this GPU does not tell: ", err)
	}
	time.Sleep(200 * time.Millisecond)
	joules, err := stop()
	require.NoError(t, err)
	require.Positive(t, joules)
	t.Logf("%.1f J in 0.2 s", joules)
}
