package host

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFirstProcessorCounts(t *testing.T) {
	got := firstOf("processor\t: 0\nmodel name\t: Z80: the old one\nflags\t\t: fpu\n\nprocessor\t: 1\nmodel name\t: Z8000\n")
	require.Equal(t, map[string]string{"processor": "0", "model name": "Z80: the old one", "flags": "fpu"}, got)
	require.Empty(t, firstOf(""))
}

func TestPeakMemory(t *testing.T) {
	require.EqualValues(t, 20<<10, peakOf("Name:\tx\nVmPeak:\t  30 kB\nVmHWM:\t      20 kB\n"))
	require.Zero(t, peakOf("VmHWM:\tmuch kB\n"))
	require.Zero(t, peakOf(""))
	if runtime.GOOS == "linux" {
		require.Positive(t, PeakMemory())
	}
}
