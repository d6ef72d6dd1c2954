package bench

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
)

func TestRun(t *testing.T) {
	cfg := quick(smallCase(Train, 4), smallCase(Inference, 1), smallCase(Inference, 4))
	cfg.Cases[2].Threads = 0
	cfg.Profile = true
	var phases []Phase
	cfg.Progress = func(e Event) {
		phases = append(phases, e.Phase)
		require.Equal(t, 3, e.Cases)
		require.Equal(t, e.Phase == Timed, e.Result != nil)
		require.Equal(t, e.Phase == Verified, e.Verified != nil)
		require.Equal(t, e.Phase == Profiled, e.Profile != nil)
	}
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	time := []Phase{Compiling, Timing, Timing, Profiling, Profiled, Timed}
	want := append([]Phase{MeasuringCeilings, Referring, Verifying, Verified}, time...)
	want = append(want, Referring, Verifying, Verified, Verifying, Verified)
	want = append(append(want, time...), time...)
	require.Equal(t, want, phases, "cases with one reference are verified together, before any of them is timed")

	require.Len(t, r.Cases, 3)
	for i, c := range r.Cases {
		require.Equal(t, cfg.Cases[i].Mode, c.Mode)
		require.Len(t, c.Rates, 2)
		require.Positive(t, c.ImagesPerSecond)
		require.InEpsilon(t, 1e3*float64(c.Batch)/c.ImagesPerSecond, c.Milliseconds, 1e-9)
		require.InEpsilon(t, float64(c.FLOPs)/c.Milliseconds/1e6, c.GFLOPs, 1e-9)
		require.InEpsilon(t, c.GFLOPs/1e3, c.PeakShare, 1e-9)
		require.Positive(t, c.PlanMemory)
		require.Contains(t, c.Engine, "cpu with")
		require.Contains(t, c.Verified, "of the reference in float64")
		if c.Mode == Train {
			require.Equal(t, 8, c.VerifiedBatch, "4 images are too few")
		} else {
			require.Equal(t, c.Batch, c.VerifiedBatch)
		}
		require.NotEmpty(t, c.Checks)
		require.NotEmpty(t, c.Kinds)
		if runtime.GOOS == "linux" && c.PeakMemory > 0 {
			require.Greater(t, c.PeakMemory, c.PlanMemory)
		}
	}
	require.Equal(t, runtime.GOMAXPROCS(0), r.Cases[2].Threads, "0 is one per core")
	require.NotEmpty(t, r.Machine.Ceilings)
	require.Equal(t, 1, r.Machine.Ceilings[0].Threads)
}

// Batch normalization is folded into the filters once, before anything is timed, and no timed step is charged with that.
func TestWhatIsComputedOnceCostsNothing(t *testing.T) {
	c := smallCase(Inference, 1)
	c.Arch = "resnet50"
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	s, err := newSubject(e, c, deal(c, c.Batch), usual)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var once graph.Cost
	for _, step := range s.Plan().Steps {
		if step.Once {
			cost := graph.CostOf(step)
			once.FLOPs, once.Bytes = once.FLOPs+cost.FLOPs, once.Bytes+cost.Bytes
		}
	}
	require.Positive(t, once.FLOPs, "nothing is folded")
	want := graph.Explain(s.Plan())
	flops, bytes := costs(s.Plan())
	require.Equal(t, want.FLOPs, flops)
	require.Equal(t, want.Bytes, bytes)
}

// A training step, and an inference, allocate nothing.
func TestAllocations(t *testing.T) {
	cfg := quick(smallCase(Train, 4), smallCase(Inference, 4))
	cfg.Rounds = 5
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	for _, c := range r.Cases {
		require.Less(t, c.Allocs, 0.5, "%v", c.Case) // what other goroutines of the test do may be counted, too
	}
}

func TestInterruptedRuns(t *testing.T) {
	for phase, done := range map[Phase]int{Referring: 0, Verifying: 0, Compiling: 0, Timing: 1, Profiling: 1} {
		cfg := quick(smallCase(Train, 4), smallCase(Inference, 2))
		cfg.Profile = true
		ctx, stop := context.WithCancel(context.Background())
		cfg.Progress = func(e Event) {
			if e.Phase == phase && e.Number == done+1 {
				stop()
			}
		}
		r, err := Run(ctx, cfg)
		require.ErrorIs(t, err, context.Canceled, "%s", phase)
		require.Len(t, r.Cases, done, "%s", phase)
		stop()
	}
}

func TestRunsThatCannotBe(t *testing.T) {
	run := func(change func(*Config)) error {
		cfg := quick(smallCase(Train, 4))
		change(&cfg)
		_, err := Run(context.Background(), cfg)
		return err
	}
	require.ErrorContains(t, run(func(c *Config) { c.Cases = nil }), "no cases")
	require.ErrorContains(t, run(func(c *Config) { c.Rounds = -1 }), "-1 rounds")
	require.ErrorContains(t, run(func(c *Config) { c.Seconds = -1 }), "rounds of -1 seconds")
	require.ErrorContains(t, run(func(c *Config) { c.Cases[0].Batch = 0 }), "batch size 0")
	require.ErrorContains(t, run(func(c *Config) { c.Cases[0].Device = "abacus" }), "abacus")
	bad := errors.New("no luck")
	require.ErrorIs(t, run(func(c *Config) { c.Open = func(context.Context, Case) (graph.Engine, error) { return nil, bad } }), bad)
	require.ErrorIs(t, run(func(c *Config) { c.Ceiling = func(string, int) (Ceiling, error) { return Ceiling{}, bad } }), bad)
	require.ErrorContains(t, run(func(c *Config) { // an engine that cannot be observed
		c.Profile = true
		c.Open = func(context.Context, Case) (graph.Engine, error) {
			e, err := cpu.New(cpu.Config{Threads: 1})
			return &spoiled{Engine: e, spoil: func(string, bool, []float32) {}}, err
		}
	}), "cannot be profiled")
}
