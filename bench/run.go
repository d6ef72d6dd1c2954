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

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
)

// Run verifies and times the cases. When ctx ends, or a case fails, it returns an error and the report of what was done until then; a
// case with wrong results is a [*MismatchError]. Where one needs more memory than there is, nothing is done, and the error is a [*MemoryError].
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
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
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
		if err := d.fits(); err != nil {
			return nil, err
		}
		r.cases = append(r.cases, d)
	}
	return r, nil
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
	tries := make([][]Ceiling, len(all))
	for range ceilingTries { // in turns: what disturbs one try is over at the next
		for i, c := range all {
			if c.Device != "cpu" && len(tries[i]) > 0 {
				continue
			}
			measured, err := r.Ceiling(c.Device, c.Threads)
			if err != nil {
				return err
			}
			tries[i] = append(tries[i], measured)
		}
	}
	m := &r.report.Machine
	for _, t := range tries {
		m.Ceilings = append(m.Ceilings, best(t))
	}
	m.Busy = busyPeak(m.Ceilings, m.Cores)
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
		result.verified(verified[i-from])
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
	result.FLOPs, result.Bytes = costs(s.Plan())
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
		result.PeakMemory = host.PeakMemory()
	}
	if r.Profile {
		r.Progress(r.event(i, Profiling))
		result.Kinds, err = r.profile(ctx, s)
	}
	return result, err
}

// costs are those of a run but the first: what is computed once is not timed.
func costs(p *graph.Plan) (flops, bytes int64) {
	for _, step := range p.Steps {
		if step.Once {
			continue
		}
		cost := graph.CostOf(step)
		flops += cost.FLOPs
		bytes += cost.Bytes
	}
	return flops, bytes
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
