package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// The second thread gains nothing, at first; the last try shows what the machine does.
func TestTheBestTryIsThePeak(t *testing.T) {
	for _, quiet := range []bool{true, false} {
		c := smallCase(Inference, 8)
		c.Threads = 2
		cfg := quick(c)
		asked := map[int]int{}
		cfg.Ceiling = func(device string, threads int) (Ceiling, error) {
			asked[threads]++
			c := Ceiling{Device: device, Threads: threads, FLOPs: 1e11, Bytes: 1e10}
			if quiet && threads == 2 && asked[threads] == ceilingTries {
				c.FLOPs = 2e11
			}
			return c, nil
		}
		r, err := newRunner(cfg)
		require.NoError(t, err)
		r.report.Machine.Cores = 2
		require.NoError(t, r.ceilings(context.Background()))
		require.Equal(t, map[int]int{1: ceilingTries, 2: ceilingTries}, asked)
		m := r.report.Machine
		if quiet {
			require.Equal(t, 2e11, m.ceilingOf(Case{Device: "cpu", Threads: 2}).FLOPs)
			require.Empty(t, m.Busy)
			require.Empty(t, r.report.BusyNotes())
		} else {
			require.Contains(t, m.Busy, "2 threads reach 1.00 times the arithmetic of one, though there are 2 cores")
			require.Contains(t, r.report.Table(), "\nnote: the machine is busy: 2 threads reach ")
		}
	}
}

func TestBusy(t *testing.T) {
	require.Empty(t, busyPeak([]Ceiling{{"cpu", 1, "", 1e11, 0}, {"cpu", 4, "", 1e11, 0}}, 2), "there are no four cores")
	require.Empty(t, busyPeak([]Ceiling{{"cpu", 1, "", 0, 0}, {"cpu", 2, "", 0, 0}}, 2), "not known")
	require.Empty(t, busyPeak([]Ceiling{{"cpu", 1, "", 1e11, 0}, {"cpu", 2, "", 1.3e11, 0}}, 2))
	r := sample()
	require.Empty(t, r.BusyNotes())
	r.Cases[0].Rates = []float64{10, 11, 14}
	r.Cases[0].rated(Ceiling{})
	require.True(t, r.Cases[0].Busy)
	require.Equal(t, []string{"the machine is busy: the rounds of 1 case are more than 30% apart, at most those of resnet50 224×224, batch 16, train, 2 threads with 36%; measure again when nothing else runs"},
		r.BusyNotes())
}

// A precision that is not the usual one is told.
func TestTableTellsThePrecision(t *testing.T) {
	r := sample()
	r.Cases = r.Cases[:1]
	r.Cases[0].Precision = "bf16"
	require.Contains(t, r.Table(), "\ncomputed by cpu with 2 threads, avx512 kernels, precision bf16\n")
}
