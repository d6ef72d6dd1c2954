package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
)

// Config is what [Run] does. Its zero value, with Cases, is useful.
type Config struct {
	Cases   []Case
	Seconds float64 // least time of a round; 0 means half a second
	Rounds  int     // 0 means 5
	Profile bool    // measure the operations of each case, too

	// Open starts the engine of a case, which Run closes; nil means graph.Open, which knows the engines that the program imports.
	Open func(Case) (graph.Engine, error)
	// Ceiling tells what a device does at best, once for each number of threads; nil measures that of the CPU. What is not known is 0.
	Ceiling func(device string, threads int) (Ceiling, error)
	// Progress is told what happens, between the rounds and never within one; it may be nil.
	Progress func(Event)
}

// Event is a piece of progress.
type Event struct {
	Phase    Phase
	Case     Case          // that it is about; the zero value while ceilings are measured
	Number   int           // of the case, from 1
	Cases    int           // of all
	Round    int           // of Timing, from 1
	Rounds   int           // of Timing
	Verified *Verification // of Verified
	Result   *Result       // of Timed
}

// Phase is the kind of an [Event].
type Phase string

// The phases of a run. Of the cases that have a reference in common, all are verified before the first is timed.
const (
	MeasuringCeilings Phase = "measuring what the device does at best"
	Referring         Phase = "computing the reference"
	Verifying         Phase = "verifying"
	Verified          Phase = "verified"
	Compiling         Phase = "compiling"
	Timing            Phase = "timing"
	Profiling         Phase = "profiling"
	Timed             Phase = "timed"
)

// Run verifies and times the cases. When ctx ends, or a case fails, it returns an error and the report of what was done until then; a
// case with wrong results is a [*MismatchError].
func Run(ctx context.Context, c Config) (*Report, error) {
	r, err := newRunner(c)
	if err != nil {
		return nil, err
	}
	if err := r.ceilings(); err != nil {
		return &r.report, err
	}
	for from := 0; from < len(r.cases); {
		to := from + 1
		for to < len(r.cases) && r.cases[to].key() == r.cases[from].key() {
			to++
		}
		if err := r.group(ctx, from, to); err != nil {
			return &r.report, err
		}
		from = to
	}
	return &r.report, nil
}

// runner is a run under way.
type runner struct {
	Config
	cases  []dealing
	report Report
}

func newRunner(c Config) (*runner, error) {
	if len(c.Cases) == 0 {
		return nil, errors.New("bench: there are no cases; Matrix.Cases makes some")
	}
	switch {
	case math.IsNaN(c.Seconds) || c.Seconds < 0 || c.Seconds > 3600:
		return nil, fmt.Errorf("bench: rounds of %v seconds; use a number of at most 3600, or 0 for the usual one", c.Seconds)
	case c.Rounds < 0:
		return nil, fmt.Errorf("bench: %d rounds; use at least 1, or 0 for the usual number", c.Rounds)
	}
	c.Seconds, c.Rounds = cmp.Or(c.Seconds, 0.5), cmp.Or(c.Rounds, 5)
	if c.Open == nil {
		c.Open = func(c Case) (graph.Engine, error) {
			return graph.Open(c.Device, graph.Config{Threads: c.Threads, Precision: c.Precision})
		}
	}
	if c.Ceiling == nil {
		c.Ceiling = measureCeiling
	}
	if c.Progress == nil {
		c.Progress = func(Event) {}
	}
	r := &runner{Config: c, report: Report{Machine: ThisMachine(), Cases: []Result{}}}
	for _, one := range c.Cases {
		if err := one.check(); err != nil {
			return nil, err
		}
		if one.Threads == 0 {
			one.Threads = runtime.GOMAXPROCS(0)
		}
		d, err := deals(one)
		if err != nil {
			return nil, err
		}
		r.cases = append(r.cases, d)
	}
	return r, nil
}

// measureCeiling measures the CPU.
func measureCeiling(device string, threads int) (Ceiling, error) {
	c := Ceiling{Device: device, Threads: threads}
	if device != "cpu" {
		return c, nil
	}
	var err, other error
	c.FLOPs, err = cpu.MeasurePeak(threads)
	c.Bytes, other = cpu.MeasureBandwidth(threads)
	return c, errors.Join(err, other)
}

// ceilings are those of all cases, and of one thread beside them.
func (r *runner) ceilings() error {
	r.Progress(Event{Phase: MeasuringCeilings, Cases: len(r.cases)})
	var all []Ceiling
	add := func(c Ceiling) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	for _, d := range r.cases {
		add(Ceiling{Device: d.Device, Threads: d.Threads})
		if d.Device == "cpu" {
			add(Ceiling{Device: d.Device, Threads: 1})
		}
	}
	slices.SortFunc(all, func(a, b Ceiling) int {
		return cmp.Or(strings.Compare(a.Device, b.Device), cmp.Compare(a.Threads, b.Threads))
	})
	for _, c := range all {
		measured, err := r.Ceiling(c.Device, c.Threads)
		if err != nil {
			return err
		}
		r.report.Machine.Ceilings = append(r.report.Machine.Ceilings, measured)
	}
	return nil
}

func (r *runner) event(i int, phase Phase) Event {
	return Event{Phase: phase, Case: r.cases[i].Case, Number: i + 1, Cases: len(r.cases), Rounds: r.Rounds}
}

// group does the cases from…to, which have their reference in common. The reference's numbers are dropped before anything is timed: the
// memory that a case needs is to be its own.
func (r *runner) group(ctx context.Context, from, to int) error {
	verified, err := r.verify(ctx, from, to)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		result, err := r.time(ctx, i)
		if err != nil {
			return err
		}
		result.Verified, result.Checks = verified[i-from].String(), verified[i-from].Checks
		r.report.Cases = append(r.report.Cases, *result)
		e := r.event(i, Timed)
		e.Result = result
		r.Progress(e)
	}
	return nil
}

func (r *runner) verify(ctx context.Context, from, to int) (all []*Verification, err error) {
	r.Progress(r.event(from, Referring))
	t, err := r.cases[from].truth(ctx)
	if err != nil {
		return nil, err
	}
	for i := from; i < to; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Progress(r.event(i, Verifying))
		v, err := r.verifyOne(t, r.cases[i])
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		e := r.event(i, Verified)
		e.Verified = v
		r.Progress(e)
	}
	return all, nil
}

func (r *runner) verifyOne(t *truth, d dealing) (v *Verification, err error) {
	engine, err := r.Open(d.Case)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return t.verify(engine, d)
}

// time compiles case i and measures it.
func (r *runner) time(ctx context.Context, i int) (result *Result, err error) {
	c := r.cases[i].Case
	r.Progress(r.event(i, Compiling))
	counted := startMemory()
	engine, err := r.Open(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	s, err := newSubject(engine, c, deal(c, c.Batch), usual)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	result = &Result{Case: c, Engine: describe(engine), PlanMemory: int64(s.Plan().PeakBytes())}
	for _, step := range s.Plan().Steps {
		cost := graph.CostOf(step)
		result.FLOPs += cost.FLOPs
		result.Bytes += cost.Bytes
	}
	warm := func(n int, _ time.Duration) bool { return n >= 2 }
	if _, err := r.repeat(ctx, s, warm); err != nil {
		return nil, err
	}
	result.Allocs = math.Inf(1)
	for round := range r.Rounds {
		e := r.event(i, Timing)
		e.Round = round + 1
		r.Progress(e)
		m, err := r.repeat(ctx, s, func(_ int, passed time.Duration) bool { return passed.Seconds() >= r.Seconds })
		if err != nil {
			return nil, err
		}
		result.Rates = append(result.Rates, float64(m.runs*c.Batch)/m.took.Seconds())
		result.Allocs = min(result.Allocs, float64(m.allocs)/float64(m.runs))
	}
	result.rated(r.report.Machine.ceiling(c.Device, c.Threads))
	if counted {
		result.PeakMemory = peakMemory()
	}
	if r.Profile {
		r.Progress(r.event(i, Profiling))
		result.Kinds, err = r.profile(ctx, s)
	}
	return result, err
}

// measured is some runs of a subject.
type measured struct {
	runs   int
	took   time.Duration
	allocs uint64
}

// repeat runs s until enough says so, which is asked after each run.
func (r *runner) repeat(ctx context.Context, s subject, enough func(runs int, passed time.Duration) bool) (m measured, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for start := time.Now(); !enough(m.runs, m.took); m.took = time.Since(start) {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if err := s.Run(); err != nil {
			return m, err
		}
		m.runs++
	}
	runtime.ReadMemStats(&after)
	m.allocs = after.Mallocs - before.Mallocs
	return m, nil
}

// profile measures the operations of s for as long as a round.
func (r *runner) profile(ctx context.Context, s subject) ([]Kind, error) {
	if err := s.StartProfile(); err != nil {
		return nil, err
	}
	defer s.StopProfile()
	if _, err := r.repeat(ctx, s, func(_ int, passed time.Duration) bool { return passed.Seconds() >= r.Seconds }); err != nil {
		return nil, err
	}
	p := s.Profile()
	var kinds []Kind
	for _, k := range p.Kinds() {
		kinds = append(kinds, Kind{Name: k.Name, Steps: k.Steps, Seconds: k.Total.Seconds() / float64(p.Runs), FLOPs: k.FLOPs, Bytes: k.Bytes})
	}
	return kinds, nil
}

// describe is what an engine says of itself.
func describe(e graph.Engine) string {
	if s, ok := e.(fmt.Stringer); ok {
		return s.String()
	}
	return e.Name()
}
