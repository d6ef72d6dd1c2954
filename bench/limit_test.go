package bench

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
)

func TestCasesLargerThanTheMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the size of the memory is read on Linux only")
	}
	c := Case{Arch: "resnet50", Size: 224, Classes: 100, Batch: 1 << 20, Device: "cpu", Threads: 1, Mode: Inference, Precision: "fp32"}
	cfg := quick(smallCase(Train, 4), c)
	cfg.Progress = func(Event) { require.Fail(t, "something was begun") }
	_, err := Run(context.Background(), cfg)
	var wrong *MemoryError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, c, wrong.Case)
	require.Equal(t, wrong.Batch, wrong.Wanted, "no plan is made of a graph so large")
	require.ErrorContains(t, err, "batch 1048576, inference, 1 thread wants 588 GiB for the batch alone, the machine has ")

	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	_, err = Prepare(e, c)
	require.True(t, errors.As(err, &wrong), "%v", err)
}

func TestWhatACaseNeeds(t *testing.T) {
	c := smallCase(Train, 64)
	require.NoError(t, c.within(0, 8), "not known")
	require.NoError(t, c.within(1<<30, 8))
	need := func(c Case, referred int) *MemoryError {
		var e *MemoryError
		require.ErrorAs(t, c.within(1, referred), &e)
		return e
	}
	small := need(c, 8)
	require.EqualValues(t, 64*(32*32*3*4+16), small.Batch)
	require.Greater(t, small.Values, small.Batch)
	require.Equal(t, small.Values+small.Batch, small.Wanted)
	require.NoError(t, c.within(small.Wanted, 8))
	require.Error(t, c.within(small.Wanted-1, 8))
	c.Batch = 8
	require.ErrorContains(t, c.within(1, 64), " MiB for the reference in float64, the machine has ")
	c.Device = "cuda:0" // which has a memory of its own
	require.ErrorContains(t, c.within(1, 64), " MiB for the CPU's results that it is compared with, the machine has ")
	require.Equal(t, need(c, 0).Batch, need(c, 0).Wanted)
	require.ErrorContains(t, c.within(1, 0), " KiB for the batch alone, the machine has ")
	require.EqualValues(t, math.MaxInt64, sum(math.MaxInt64-1, 2))
}
