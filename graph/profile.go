package graph

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stheno-ml/stheno/graph/op"
)

// StartProfile begins to record the time of every step of the runs that follow, until [Machine.StopProfile]; what was
// recorded before is dropped. Recording costs two readings of the clock a step, or of a device with a clock of its own an event and a
// wait for the end of the run, and allocates nothing while it runs. It is an error on an engine whose programs cannot be observed.
func (m *Machine) StartProfile() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	if _, ok := m.prog.(Observable); !ok {
		return fmt.Errorf("graph: engine %s does not tell when its steps begin and end, so it cannot be profiled", m.engine.Name())
	}
	m.record(sinceStart)
	return nil
}

func (m *Machine) record(clock func() time.Duration) {
	m.recorder = newRecorder(m.plan, clock)
	if m.watcher != nil {
		m.recorder.then = m.watcher
	}
}

// StopProfile ends the recording; what was recorded stays.
func (m *Machine) StopProfile() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recorder != nil {
		m.recorder.stopped = true
	}
}

// Profile returns what was recorded so far, nil if nothing was ever started.
func (m *Machine) Profile() *Profile {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recorder == nil {
		return nil
	}
	return m.recorder.profile(m.Explain())
}

// started is the zero of all times of profiles, so that those of several machines fit together in one trace.
var started = time.Now()

func sinceStart() time.Duration { return time.Since(started) }

// span is a stretch of time.
type span struct{ begin, length time.Duration }

// absent is the span of a step that was not in a run: what is computed once is in the first run alone.
var absent = span{length: -1}

// recorder is an [Observer] that measures. Totals are over all runs; single times are kept of the latest so many.
type recorder struct {
	clock   func() time.Duration
	then    Observer // another one, whose time is not measured; may be nil
	stopped bool
	runs    int
	wall    time.Duration // of all runs
	total   []time.Duration
	least   []time.Duration
	ran     []int         // in how many runs each step was
	kept    [][]span      // by run modulo len(kept), then by step
	spans   []span        // the whole run, as kept
	now     []span        // the steps of the run under way: an aborted one leaves no trace
	started time.Duration // the run under way
	begin   time.Duration // the step under way
}

// keptRuns is how many runs medians and traces look back.
const keptRuns = 128

func newRecorder(p *Plan, clock func() time.Duration) *recorder {
	n := len(p.Steps)
	r := &recorder{clock: clock, total: make([]time.Duration, n), least: make([]time.Duration, n), ran: make([]int, n), now: make([]span, n), spans: make([]span, keptRuns)}
	all := make([]span, keptRuns*n)
	for i := range keptRuns {
		r.kept = append(r.kept, all[i*n:(i+1)*n])
	}
	return r
}

// Before implements Observer.
func (r *recorder) Before(i int) {
	if r.then != nil {
		r.then.Before(i)
	}
	r.begin = r.clock()
}

// After implements Observer.
func (r *recorder) After(i int, out []op.Array) error {
	r.now[i] = span{r.begin, r.clock() - r.begin}
	if r.then != nil {
		return r.then.After(i, out)
	}
	return nil
}

// TimesOnly implements Timekeeper: nobody looks at results.
func (r *recorder) TimesOnly() bool { return r.then == nil }

// Took implements Timekeeper.
func (r *recorder) Took(step int, begin, length time.Duration) {
	r.now[step] = span{r.started + begin, length}
}

// run runs a program once and records it, if it succeeds.
func (r *recorder) run(p Observable) error {
	for i := range r.now {
		r.now[i] = absent
	}
	r.started = r.clock()
	if err := p.RunObserved(r); err != nil {
		return err
	}
	begin, length := r.started, r.clock()-r.started
	r.wall += length
	r.spans[r.runs%keptRuns] = span{begin, length}
	copy(r.kept[r.runs%keptRuns], r.now)
	for i, s := range r.now {
		if s == absent {
			continue
		}
		r.total[i] += s.length
		if r.ran[i] == 0 || s.length < r.least[i] {
			r.least[i] = s.length
		}
		r.ran[i]++
	}
	r.runs++
	return nil
}

// Profile is how long each step of a plan took. String prints it as a table, [Profile.WriteTrace] writes the latest runs as
// a trace.
type Profile struct {
	Plan *Explanation
	Runs int
	Wall time.Duration // of all runs: the steps, and what is between and after them
	// Steps are in the order of the plan.
	Steps []StepTime

	spans []span // of the latest runs, oldest first
	kept  [][]span
}

// StepTime is the time of one step over the runs of a profile.
type StepTime struct {
	Step           int
	Runs           int           // that it was in: what is computed once is in the first run of its machine alone
	Total, Min     time.Duration // of these; 0 where there are none
	Median         time.Duration // of those among the latest 128 runs
	Share          float64       // of the total of all steps
	Cost                         // of one run
	FLOPsPerSecond float64       // at the median; 0 where none are known
	BytesPerSecond float64
}

// KindTime is the time of all steps of one kind over the runs of a profile.
type KindTime struct {
	Name  string // such as "Conv2D+bias+relu"
	Steps int
	Total time.Duration // of all runs
	Cost                // of one run, where what was in some of them alone counts as its share
}

// Kinds are the times by kind of operation, the longest first.
func (p *Profile) Kinds() []KindTime {
	var kinds []KindTime
	for _, s := range p.Steps {
		name := shortName(p.Plan.Steps[s.Step].Operation)
		i := slices.IndexFunc(kinds, func(k KindTime) bool { return k.Name == name })
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, KindTime{Name: name})
		}
		k := &kinds[i]
		k.Steps++
		k.Total += s.Total
		k.FLOPs += p.share(s, s.FLOPs)
		k.Bytes += p.share(s, s.Bytes)
	}
	slices.SortStableFunc(kinds, func(x, y KindTime) int { return cmp.Compare(y.Total, x.Total) })
	return kinds
}

// share is how much of a step's cost a run has on average. Before there are runs it is what runs after the first will have.
func (p *Profile) share(s StepTime, cost int64) int64 {
	switch {
	case s.Runs < p.Runs:
		return int64(float64(cost) * float64(s.Runs) / float64(p.Runs))
	case p.Runs == 0 && p.Plan.Steps[s.Step].Once:
		return 0
	}
	return cost
}

func (r *recorder) profile(e *Explanation) *Profile {
	p := &Profile{Plan: e, Runs: r.runs, Wall: r.wall}
	n := min(r.runs, keptRuns)
	for k := range n {
		i := (r.runs - n + k) % keptRuns
		p.spans, p.kept = append(p.spans, r.spans[i]), append(p.kept, slices.Clone(r.kept[i]))
	}
	sum := sumOf(r.total)
	for i := range r.total {
		s := StepTime{Step: i, Runs: r.ran[i], Total: r.total[i], Min: r.least[i], Cost: e.Steps[i].Cost}
		var lengths []time.Duration
		for _, run := range p.kept {
			if run[i] != absent {
				lengths = append(lengths, run[i].length)
			}
		}
		if n := len(lengths); n > 0 {
			slices.Sort(lengths)
			s.Median = (lengths[(n-1)/2] + lengths[n/2]) / 2
		}
		if s.Median > 0 {
			s.FLOPsPerSecond, s.BytesPerSecond = float64(s.FLOPs)/s.Median.Seconds(), float64(s.Bytes)/s.Median.Seconds()
		}
		if sum > 0 {
			s.Share = float64(s.Total) / float64(sum)
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

func sumOf(all []time.Duration) (sum time.Duration) {
	for _, d := range all {
		sum += d
	}
	return sum
}
