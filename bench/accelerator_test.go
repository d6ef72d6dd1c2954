package bench

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
)

// accelerator is the CPU engine with all that engines of other devices have.
type accelerator struct {
	graph.Engine
	energy error // why it is not known
}

func (*accelerator) Name() string               { return "abacus:0" }
func (*accelerator) String() string             { return "abacus:0, made of wood" }
func (*accelerator) Remote() bool               { return true }
func (*accelerator) Memory() (used, held int64) { return 5 << 20, 7 << 20 }
func (*accelerator) MemoryUses() []graph.MemoryUse {
	return []graph.MemoryUse{{Purpose: "weights", Bytes: 5 << 20}, {Purpose: "kept", Bytes: 2 << 20}}
}
func (*accelerator) MeasurePeak() (float64, error)      { return 1e12, nil }
func (*accelerator) MeasureBandwidth() (float64, error) { return 1e11, nil }
func (a *accelerator) MeasureEnergy() (func() (float64, error), error) {
	return func() (float64, error) { return 3, nil }, a.energy
}

// onAbacus is a case of the accelerator.
func onAbacus(mode Mode, batch int) Case {
	c := smallCase(mode, batch)
	c.Device, c.Threads = "abacus:0", 0
	return c
}

// quickly is quick with both devices.
func quickly(t *testing.T, cases ...Case) Config {
	cfg := quick(cases...)
	cfg.Open = func(_ context.Context, c Case) (graph.Engine, error) {
		e, err := cpu.New(cpu.Config{Threads: c.Threads})
		require.NoError(t, err)
		if c.onCPU() {
			return e, nil
		}
		return &accelerator{Engine: e}, nil
	}
	return cfg
}

func TestAccelerators(t *testing.T) {
	cfg := quickly(t, smallCase(Train, 8), onAbacus(Train, 16), onAbacus(Train, 6), onAbacus(Inference, 16), onAbacus(Inference, 3), smallCase(Inference, 3))
	cfg.Ceiling = nil
	opened := 0
	open := cfg.Open
	cfg.Open = func(ctx context.Context, c Case) (graph.Engine, error) {
		if !c.onCPU() {
			opened++
		}
		return open(ctx, c)
	}
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	require.Empty(t, r.LeftOut)
	require.Len(t, r.Cases, 6)
	require.Equal(t, 5, opened, "a case is verified on the engine that it is timed on; one more measures what the device does at best")
	for i, c := range r.Cases {
		require.Equal(t, cfg.Cases[i].Batch, c.Batch, "the order of the cases")
		require.NotEmpty(t, c.Checks)
		if c.onCPU() {
			require.Contains(t, c.Verified, "of the reference in float64")
			require.Zero(t, c.Speedup)
			require.Zero(t, c.DeviceMemory)
			continue
		}
		require.Contains(t, c.Verified, "of the CPU engine in float32")
		for _, check := range c.Checks {
			require.Less(t, check.Error, check.Allowed/3, "%v, %s", c.Case, check.Name)
		}
		require.EqualValues(t, 7<<20, c.DeviceMemory)
		require.Equal(t, []graph.MemoryUse{{Purpose: "weights", Bytes: 5 << 20}, {Purpose: "kept", Bytes: 2 << 20}}, c.DeviceMemoryUses)
		require.Positive(t, c.Energy)
		require.InEpsilon(t, float64(c.Bytes)/c.Milliseconds*1e3, c.BytesPerSecond, 1e-9)
		require.InEpsilon(t, c.BytesPerSecond/1e11, c.BandwidthShare, 1e-9)
		require.InEpsilon(t, c.GFLOPs/1e3, c.PeakShare, 1e-9)
		require.Zero(t, c.Threads)
		over := r.Cases[0]
		if c.Mode == Inference {
			over = r.Cases[5]
		}
		require.Equal(t, over.Case, *c.SpeedupOver)
		require.InEpsilon(t, c.ImagesPerSecond/over.ImagesPerSecond, c.Speedup, 1e-9)
	}
	require.Equal(t, []int{8, 16, 8, 16, 3}, []int{r.Cases[0].VerifiedBatch, r.Cases[1].VerifiedBatch, r.Cases[2].VerifiedBatch, r.Cases[3].VerifiedBatch, r.Cases[4].VerifiedBatch})
	require.Contains(t, r.Machine.Ceilings, Ceiling{Device: "abacus:0", Precision: "fp32", FLOPs: 1e12, Bytes: 1e11})
	require.Contains(t, r.Table(), "verified at batch 8\n", "6 images cannot be dealt from 8")
}

// Nothing is allocated while a batch is on its way, either.
func TestAcceleratorsAllocateNothing(t *testing.T) {
	cfg := quickly(t, onAbacus(Train, 8), onAbacus(Inference, 8))
	cfg.Rounds = 5
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	for _, c := range r.Cases {
		require.Less(t, c.Allocs, 0.5, "%v", c.Case)
	}
}

// What is verified on the machine that is timed begins anew before that: with the weights of every timing.
func TestTrainersRestart(t *testing.T) {
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	c := onAbacus(Train, 8)
	if !testing.Short() {
		c.Arch = "resnet50" // which has running averages
	}
	losses := func(begins bool) (all []float64) {
		first := usual
		if begins {
			first = begin
		}
		s, err := newTrainer(e, c, c.raw(8, 8), first)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		if begins {
			before := map[string][]float64{}
			for _, w := range s.model.Weights() {
				before[w.Name] = wide(w)
			}
			require.NoError(t, s.rehearse())
			for _, w := range s.model.Weights() {
				require.Equal(t, before[w.Name], wide(w), "a rehearsal changes nothing")
			}
			_, err := s.step(halved)
			require.NoError(t, err)
			require.NoError(t, s.restart())
		}
		for range 3 {
			require.NoError(t, s.Run())
			all = append(all, s.Loss())
		}
		return all
	}
	require.Equal(t, losses(false), losses(true))
}

func TestRawBatches(t *testing.T) {
	c := onAbacus(Train, 32)
	b, few := c.raw(8, 32), c.raw(8, 8)
	size := 32 * 32 * 3
	moved := false
	for i, k := range b.dealt {
		require.Equal(t, few.pixels[k*size:(k+1)*size], b.pixels[i*size:(i+1)*size])
		require.Equal(t, few.draws[3*k:3*k+3], b.draws[3*i:3*i+3])
		require.Equal(t, few.labels[k], b.labels[i])
		moved = moved || b.draws[3*i] != 0
	}
	require.True(t, moved)
	c.Mode = Inference
	require.Equal(t, make([]int, 24), c.raw(8, 8).draws, "evaluation leaves images where they are")
	mean, square := 0.0, 0.0
	for v := range 256 {
		x := (float64(v)/255 - float64(normalize.Mean[0])) / float64(normalize.Std[0])
		mean, square = mean+x/256, square+x*x/256
	}
	require.InDelta(t, 0, mean, 1e-6)
	require.InDelta(t, 1, square, 1e-6)
}

// shortage is an engine whose device has no memory left.
type shortage struct{ accelerator }

type outOfMemory struct{}

func (outOfMemory) Error() string     { return "out of beads: the arena needs 12 rods\nof 10" }
func (outOfMemory) OutOfMemory() bool { return true }

func (*shortage) Build(*graph.Plan) (graph.Program, error) { return nil, outOfMemory{} }

// A device's case that fails is left out, and the others are timed.
func TestCasesThatFailElsewhere(t *testing.T) {
	bad := errors.New("no luck")
	cfg := quickly(t, onAbacus(Train, 8), onAbacus(Train, 16), onAbacus(Train, 24), smallCase(Inference, 2), onAbacus(Train, 32))
	open := cfg.Open
	cfg.Open = func(ctx context.Context, c Case) (graph.Engine, error) {
		e, err := open(ctx, c)
		switch {
		case c.Batch == 8:
			return &shortage{accelerator{Engine: e}}, err
		case c.Batch == 16:
			return nil, errors.Join(bad, e.Close())
		case c.Batch == 24: // whose results are wrong
			return &accelerator{Engine: &spoiled{Engine: e.(*accelerator).Engine, spoil: func(name string, _ bool, d []float32) {
				scale(name == "momentum/dense/kernel", d, 2)
			}}}, err
		}
		return e, err
	}
	var left []int
	cfg.Progress = func(e Event) {
		if e.Phase == Left {
			left = append(left, e.LeftOut.Batch)
		}
	}
	r, err := Run(context.Background(), cfg)
	require.ErrorIs(t, err, bad)
	var wrong *MismatchError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 24, wrong.Case.Batch)
	require.NotContains(t, err.Error(), "out of beads", "that is no error")
	require.Equal(t, []int{8, 16, 24}, left)
	require.Len(t, r.Cases, 2)
	require.Equal(t, 2, r.Cases[0].Batch)
	require.Equal(t, 32, r.Cases[1].Batch)
	require.Len(t, r.LeftOut, 3)
	require.Contains(t, r.Table(), "\nleft out: simplecnn 32×32, batch 8, train on abacus:0: graph: build: engine abacus:0 cannot run the plan: out of beads: the arena needs 12 rods; of 10\n")

	var text bytes.Buffer
	require.NoError(t, r.WriteJSON(&text))
	back, err := ReadJSON(&text)
	require.NoError(t, err)
	require.Equal(t, r.LeftOut, back.LeftOut)

	huge := smallCase(Inference, 1<<20)
	cfg = quickly(t, onAbacus(Inference, 8), huge)
	cfg.Cases[1].Size = 224
	cfg.Cases[1].Arch = "resnet50"
	r, err = Run(context.Background(), cfg)
	require.NoError(t, err)
	require.Len(t, r.Cases, 1)
	require.Contains(t, r.LeftOut[0].Why, "the machine has")
}

// lostError is that of a device that cannot be used any more.
type lostError struct{}

func (lostError) Error() string { return "the rods are lost\n    ask for others\nthe rods are lost" }
func (lostError) Lost() bool    { return true }

// Where a device is lost, its other cases are left out without a try, in one line.
func TestDeviceLost(t *testing.T) {
	cfg := quickly(t, onAbacus(Train, 8), onAbacus(Train, 16), onAbacus(Inference, 8), smallCase(Inference, 2))
	cfg.NoVerify = true
	open := cfg.Open
	cfg.Open = func(ctx context.Context, c Case) (graph.Engine, error) {
		require.Contains(t, []int{8, 2}, c.Batch, "no other is tried")
		if !c.onCPU() {
			return nil, lostError{}
		}
		return open(ctx, c)
	}
	r, err := Run(context.Background(), cfg)
	var failed *CasesError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Causes, 1, "the others are none of their own")
	require.Len(t, r.Cases, 1)
	require.Len(t, r.LeftOut, 3)
	require.Equal(t, []string{
		"left out: simplecnn 32×32, batch 8, train on abacus:0: the rods are lost; ask for others",
		"left out: simplecnn 32×32, batch 16, train on abacus:0; simplecnn 32×32, batch 8, inference on abacus:0: this process cannot use abacus:0 any more " +
			"since simplecnn 32×32, batch 8, train on abacus:0 failed; time what is left out by itself",
	}, r.LeftOutLines())
}

func TestDecades(t *testing.T) {
	for v, want := range map[float64]string{0.01: "0.01", 1: "1", 100: "100", 1000: "1000", 1e4: "10k", 1e5: "100k", 1e6: "1M", 1e7: "10M", 1e9: "1G"} {
		require.Equal(t, want, decade(v))
	}
}

// A budget leaves cases out, and what there is counts.
func TestBudgets(t *testing.T) {
	cfg := quickly(t, smallCase(Train, 8), onAbacus(Train, 8))
	cfg.Budget = 1e-9
	r, err := Run(context.Background(), cfg)
	var small *BudgetError
	require.ErrorAs(t, err, &small)
	require.GreaterOrEqual(t, small.Least(), 1.0)
	require.Empty(t, r.Cases)
	require.Len(t, r.LeftOut, 2)
	require.Contains(t, r.Table(), "; simplecnn 32×32, batch 8, train on abacus:0: a budget of 1e-09 seconds is too small for any case")

	for phase, rounds := range map[Phase]int{Compiling: 0, Timing: 1} { // when the time is up
		for _, c := range []Case{smallCase(Train, 8), onAbacus(Train, 8)} {
			cfg = quickly(t, c, c)
			cfg.Budget, cfg.Rounds, cfg.NoVerify = 0.5, 3, true
			begin := time.Now()
			cfg.Progress = func(e Event) {
				if e.Phase == phase && e.Round == 2*rounds {
					time.Sleep(time.Until(begin.Add(time.Second)))
				}
			}
			r, err := Run(context.Background(), cfg)
			require.NoError(t, err)
			require.Len(t, r.Cases, rounds)
			if rounds > 0 {
				require.Len(t, r.Cases[0].Rates, rounds, "what there is counts")
				require.Positive(t, r.Cases[0].ImagesPerSecond)
			} else {
				require.Contains(t, r.LeftOut[0].Why, "was spent before its first round was over")
			}
			require.Len(t, r.LeftOut, 2-rounds)
		}
	}

	cfg.Budget = math.NaN()
	_, err = Run(context.Background(), cfg)
	require.ErrorContains(t, err, "a budget of NaN seconds")
}

func TestWithoutVerification(t *testing.T) {
	cfg := quickly(t, smallCase(Train, 8), onAbacus(Train, 8))
	cfg.NoVerify = true
	cfg.Progress = func(e Event) { require.NotContains(t, []Phase{Referring, Verifying, Verified}, e.Phase) }
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	for _, c := range r.Cases {
		require.Equal(t, "not verified", c.Verified)
		require.Empty(t, c.Checks)
	}
	require.Equal(t, 2, strings.Count(r.Table(), "  not verified\n"))
}

func TestWhatAcceleratorsAreComparedWith(t *testing.T) {
	result := func(device, precision string, batch int, rate float64) Result {
		c := smallCase(Train, batch)
		c.Device, c.Precision = device, precision
		return Result{Case: c, ImagesPerSecond: rate}
	}
	of := func(c Result, others ...Result) (float64, string) {
		r := Report{Cases: append(others, c)}
		r.compare()
		last := r.Cases[len(r.Cases)-1]
		return last.Speedup, last.otherwise()
	}
	for _, c := range []struct {
		precision string
		others    []Result
		speedup   float64
		otherwise string
	}{
		{"fp32", nil, 0, ""},
		{"fp32", []Result{result("cpu", "fp32", 64, 10), result("cpu", "bf16", 64, 50), result("cpu", "fp32", 16, 20), result("abacus", "fp32", 64, 30)}, 10, ""},
		{"bf16", []Result{result("cpu", "fp32", 64, 10), result("cpu", "bf16", 64, 50)}, 2, ""},
		{"bf16", []Result{result("cpu", "fp32", 64, 50), result("cpu", "bf16", 64, 10)}, 2, "fp32"},
		{"tf32", []Result{result("cpu", "fp32", 16, 50), result("cpu", "fp32", 1, 10), result("cpu", "bf16", 64, 100)}, 2, "batch 16, fp32"},
		{"fp32", []Result{result("cpu", "bf16", 64, 10)}, 0, ""},
	} {
		speedup, otherwise := of(result("cuda", c.precision, 64, 100), c.others...)
		require.Equal(t, c.speedup, speedup)
		require.Equal(t, c.otherwise, otherwise)
	}
}

func TestBars(t *testing.T) {
	r := sample()
	cpu := r.Cases[1]
	cpu.Arch, cpu.Size, cpu.Batch = "simplecnn", 32, 8
	r.Cases = append(r.Cases, cpu)
	r.Cases[2].Rates, r.Cases[2].Engine = []float64{4550}, "cuda:0, a GPU"
	r.Cases[2].rated(Ceiling{})
	r.compare()
	require.InEpsilon(t, 100, r.Cases[2].Speedup, 1e-9)
	var svg bytes.Buffer
	require.NoError(t, r.WriteBars(&svg))
	require.NoError(t, xml.Unmarshal(svg.Bytes(), new(struct{})))
	for _, words := range []string{"images per second", "Abacus 9000; cuda:0, a GPU", "simplecnn 32×32, batch 1, inference", "cuda:0, tf32", "cpu with 2 threads", "4550, 100× the CPU (batch 8, fp32)"} {
		require.Contains(t, svg.String(), words)
	}
	r.Cases = nil
	require.ErrorContains(t, r.WriteBars(&svg), "nothing was measured")
}

// What an engine builds ends with the run, and with the budget.
func TestEnginesEndWithTheRun(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the run's"))
	cfg := quickly(t, smallCase(Inference, 2), onAbacus(Inference, 8))
	cfg.Budget = 3600
	open := cfg.Open
	var within []bool
	cfg.Open = func(ctx context.Context, c Case) (graph.Engine, error) {
		require.Equal(t, "the run's", ctx.Value(key{}))
		_, limited := ctx.Deadline()
		within = append(within, limited)
		return open(ctx, c)
	}
	_, err := Run(ctx, cfg)
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, true}, within, "the CPU's verification and its timing, and both at once")

	cfg.Ceiling = nil
	cfg.Cases = cfg.Cases[1:]
	cfg.Open = func(_ context.Context, c Case) (graph.Engine, error) {
		cancel() // while it is measured what the device does at best
		return open(context.Background(), c)
	}
	cfg.Progress = func(e Event) { require.Equal(t, MeasuringCeilings, e.Phase) }
	_, err = Run(ctx, cfg)
	require.ErrorIs(t, err, context.Canceled)
}
