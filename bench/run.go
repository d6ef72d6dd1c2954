package bench

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Run verifies and times the cases. When ctx ends, or a case of the CPU fails, it returns an error and the report of what was done until then;
// a case with wrong results is a [*MismatchError]. Where one needs more memory than there is, nothing is done, and the error is a
// [*MemoryError].
//
// Where there are cases of other devices, one that fails does not keep the others from being timed: it is left out, the report says why,
// and the error, a [*CasesError], comes at the end. That the device's memory is too small for a case, or the host's, is no error there, and
// neither is a [Config.Budget] that is spent; one that is too small for any case is a [*BudgetError].
func Run(ctx context.Context, c Config) (*Report, error) {
	r, err := newRunner(c)
	if err != nil {
		return nil, err
	}
	if err := r.ceilings(ctx); err != nil {
		return &r.report, err
	}
	if err := r.affordable(); err != nil {
		return &r.report, err
	}
	for _, group := range r.groups() {
		if err = r.group(ctx, group); err != nil {
			break
		}
	}
	r.report.compare()
	switch {
	case len(r.wrong) == 0:
		return &r.report, err
	case err == nil:
		return &r.report, &CasesError{r.wrong}
	}
	return &r.report, errors.Join(&CasesError{r.wrong}, err)
}

// runner is a run under way.
type runner struct {
	Config
	cases    []dealing
	results  []*Result // of cases, nil where there is none yet
	leftOut  []*LeftOut
	deadline time.Time          // zero where there is none
	overhead map[string]float64 // seconds that the latest case of a device took beside its rounds
	wrong    []error            // of cases that were left out
	lost     map[string]string  // kinds of devices that the process cannot use any more, and why
	begin    time.Time
	report   Report
}

func newRunner(c Config) (*runner, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &runner{Config: c, report: Report{Machine: ThisMachine(), Cases: []Result{}}, results: make([]*Result, len(c.Cases)), leftOut: make([]*LeftOut, len(c.Cases)),
		overhead: map[string]float64{}, lost: map[string]string{}, begin: time.Now()}
	if c.Budget > 0 {
		r.deadline = r.begin.Add(time.Duration(c.Budget * float64(time.Second)))
	}
	onlyCPU := !slices.ContainsFunc(c.Cases, func(c Case) bool { return !c.onCPU() })
	for i, one := range c.Cases {
		if err := one.check(); err != nil {
			return nil, err
		}
		switch {
		case !one.onCPU():
			one.Threads = 0
		case one.Threads == 0:
			one.Threads = runtime.GOMAXPROCS(0)
		}
		d, err := deals(one)
		if err != nil {
			return nil, err
		}
		if c.NoVerify {
			d.referred = 0
		}
		r.cases = append(r.cases, d)
		if err := d.fits(); err != nil {
			if full := (*MemoryError)(nil); onlyCPU || !errors.As(err, &full) {
				return nil, err
			}
			r.leave(i, err.Error())
		}
	}
	return r, nil
}

// ceilings are those of all cases, and of one thread beside them.
func (r *runner) ceilings(ctx context.Context) error {
	r.Progress(Event{Phase: MeasuringCeilings, Cases: len(r.cases)})
	var all []Ceiling
	of := map[Ceiling]Case{}
	add := func(c Case) {
		ceiling := ceilingFor(c)
		if !slices.Contains(all, ceiling) {
			all = append(all, ceiling)
			of[ceiling] = c
		}
	}
	for _, d := range r.cases {
		add(d.Case)
		if d.onCPU() {
			one := d.Case
			one.Threads = 1
			add(one)
		}
	}
	slices.SortFunc(all, func(a, b Ceiling) int {
		return cmp.Or(strings.Compare(a.Device, b.Device), cmp.Compare(a.Threads, b.Threads), strings.Compare(a.Precision, b.Precision))
	})
	tries := make([][]Ceiling, len(all))
	for range ceilingTries { // in turns: what disturbs one try is over at the next
		for i, c := range all {
			if c.Device != "cpu" && len(tries[i]) > 0 {
				continue
			}
			measured, err := r.ceiling(ctx, of[c])
			if err = cmp.Or(err, ctx.Err()); err != nil {
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

// groups are the cases that have their reference in common, by their places in the list, in the order of the first of each.
func (r *runner) groups() (groups [][]int) {
	at := map[Case]int{}
	for i, d := range r.cases {
		if r.leftOut[i] != nil {
			continue
		}
		g, ok := at[d.key()]
		if !ok {
			g = len(groups)
			at[d.key()] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// group does cases that have their reference in common.
func (r *runner) group(ctx context.Context, group []int) error {
	if !r.cases[group[0]].onCPU() {
		return r.accelerated(ctx, group)
	}
	// The reference's numbers are dropped before anything is timed: the memory that a case needs is to be its own.
	verified, err := r.verify(ctx, group)
	if err != nil {
		return err
	}
	for _, i := range group {
		if r.late(i) {
			continue
		}
		begin := time.Now()
		within, stop := r.limit(ctx)
		result, err := r.time(within, i)
		stop()
		if result != nil {
			result.verified(verified[i])
		}
		if err := r.done(ctx, i, result, err); err != nil {
			return err
		}
		r.spent(i, begin)
	}
	return nil
}

// verify verifies cases of the CPU. Of those that are left out there is nothing.
func (r *runner) verify(ctx context.Context, group []int) (map[int]*Verification, error) {
	all := map[int]*Verification{}
	if r.NoVerify || r.late(group[0]) {
		return all, nil
	}
	r.Progress(r.event(group[0], Referring))
	within, stop := r.limit(ctx)
	defer stop()
	t, err := r.cases[group[0]].truth(within)
	for _, i := range group {
		if err == nil {
			all[i], err = r.verifyOne(within, t, i)
		}
		if wrong := r.done(ctx, i, nil, err); wrong != nil {
			return nil, wrong
		}
	}
	return all, nil
}

func (r *runner) verifyOne(ctx context.Context, t *truth, i int) (v *Verification, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.Progress(r.event(i, Verifying))
	engine, err := r.Open(ctx, r.cases[i].Case)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if v, err = t.verify(engine, r.cases[i]); err != nil {
		return nil, err
	}
	e := r.event(i, Verified)
	e.Verified = v
	r.Progress(e)
	return v, nil
}
