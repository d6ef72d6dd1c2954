package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
)

func TestCeilings(t *testing.T) {
	for _, threads := range []int{0, 1, 3} {
		peak, err := cpu.MeasurePeak(threads)
		require.NoError(t, err)
		require.Greater(t, peak, 1e7, "operations a second on %d threads", threads)
		if testing.Short() {
			continue
		}
		bandwidth, err := cpu.MeasureBandwidth(threads)
		require.NoError(t, err)
		require.Greater(t, bandwidth, 1e7, "bytes a second on %d threads", threads)
	}
	for _, threads := range []int{-1, 1 << 30} {
		_, err := cpu.MeasurePeak(threads)
		require.ErrorContains(t, err, "threads; use 0")
		_, err = cpu.MeasureBandwidth(threads)
		require.ErrorContains(t, err, "threads; use 0")
	}
}

func BenchmarkCeilings(b *testing.B) {
	for b.Loop() {
		for _, threads := range []int{1, 2} {
			peak, _ := cpu.MeasurePeak(threads)
			bandwidth, _ := cpu.MeasureBandwidth(threads)
			b.Logf("%d threads: %.0f GFLOP/s, %.1f GB/s", threads, peak/1e9, bandwidth/1e9)
		}
	}
}
