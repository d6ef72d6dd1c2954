package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
)

// time compiles case i and measures it. With an error there may be a result, of the rounds that were over.
func (r *runner) time(ctx context.Context, i int) (result *Result, err error) {
	c := r.cases[i].Case
	r.Progress(r.event(i, Compiling))
	counted := startMemory()
	engine, err := r.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	begin, err := settled(engine, c)
	if err != nil {
		return nil, err
	}
	s, err := newSubject(engine, c, deal(c, c.Batch), begin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if result, err = r.rounds(ctx, i, engine, s); err == nil && counted {
		result.PeakMemory = host.PeakMemory()
	}
	if err == nil && r.Profile {
		result.Kinds, err = r.profile(ctx, i, s)
	}
	return result, err
}

// warmUp is how often a subject runs before it is timed. A GPU's engine prepares its launches in the first two.
const warmUp = 4

// rounds measures case i, made ready as s.
func (r *runner) rounds(ctx context.Context, i int, engine graph.Engine, s subject) (*Result, error) {
	c := r.cases[i].Case
	result := &Result{Case: c, Engine: describe(engine), PlanMemory: int64(s.Plan().PeakBytes()), Allocs: math.Inf(1)}
	result.FLOPs, result.Bytes = costs(s.Plan())
	runs := 2
	if !c.onCPU() {
		runs = warmUp
	}
	if _, err := r.repeat(ctx, s, func(n int, _ time.Duration) bool { return n >= runs }); err != nil {
		return nil, err
	}
	energy := meter(engine)
	images := 0
	var err error
	for round := range r.Rounds {
		e := r.event(i, Timing)
		e.Round = round + 1
		r.Progress(e)
		var m measured
		if m, err = r.repeat(ctx, s, func(_ int, passed time.Duration) bool { return passed.Seconds() >= r.Seconds }); err != nil {
			break
		}
		images += m.runs * c.Batch
		result.Rates = append(result.Rates, float64(m.runs*c.Batch)/m.took.Seconds())
		result.Allocs = min(result.Allocs, float64(m.allocs)/float64(m.runs))
	}
	if joules := energy(); err == nil {
		result.Energy = joules / float64(images)
	}
	result.DeviceMemory, result.DeviceMemoryUses = held(engine), graph.MemoryUses(engine)
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

// repeat runs s until enough says so, which is asked after each run, and waits for the last.
func (r *runner) repeat(ctx context.Context, s subject, enough func(runs int, passed time.Duration) bool) (m measured, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for ; !enough(m.runs, m.took); m.took = time.Since(start) {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if err := s.Run(); err != nil {
			return m, err
		}
		m.runs++
	}
	if err := s.finish(); err != nil {
		return m, err
	}
	m.took = time.Since(start)
	runtime.ReadMemStats(&after)
	m.allocs = after.Mallocs - before.Mallocs
	return m, nil
}

// profile measures the operations of case i, made ready as s, for as long as a round.
func (r *runner) profile(ctx context.Context, i int, s subject) ([]Kind, error) {
	r.Progress(r.event(i, Profiling))
	if err := s.StartProfile(); err != nil {
		return nil, err
	}
	defer s.StopProfile()
	if _, err := r.repeat(ctx, s, func(_ int, passed time.Duration) bool { return passed.Seconds() >= r.Seconds }); err != nil {
		return nil, err
	}
	p := s.Profile()
	e := r.event(i, Profiled)
	e.Profile = p
	r.Progress(e)
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
