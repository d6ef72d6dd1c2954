package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// BudgetError is a [Config.Budget] in which no case can be timed.
type BudgetError struct {
	Budget float64 // seconds
	Peaks  float64 // seconds in which was measured what the devices do at best
	Rounds float64 // seconds that the rounds of a case take at the least
}

// Least is the number of seconds in which one case may be timed.
func (e *BudgetError) Least() float64 { return math.Ceil(e.Peaks+e.Rounds) + 1 }

// Error says what takes the time, and how much is needed.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("bench: a budget of %v seconds is too small for any case: what the devices do at best took %.1f seconds to measure, and the rounds of "+
		"a case take %.1f; use %.0f seconds at the least, and more for several cases", e.Budget, e.Peaks, e.Rounds, e.Least())
}

// affordable leaves all cases out where the budget has not the time for any.
func (r *runner) affordable() error {
	e := &BudgetError{Budget: r.Budget, Peaks: time.Since(r.begin).Seconds(), Rounds: float64(r.Rounds) * r.Seconds}
	if r.Budget == 0 || e.Budget-e.Peaks >= e.Rounds {
		return nil
	}
	for i := range r.cases {
		if r.leftOut[i] == nil {
			r.leave(i, strings.TrimPrefix(e.Error(), "bench: "))
		}
	}
	return e
}

// CasesError are the errors of accelerators' cases that failed. The report says of each case why it was left out.
type CasesError struct{ Causes []error }

// Error is that of all cases.
func (e *CasesError) Error() string { return errors.Join(e.Causes...).Error() }

// Unwrap are the errors.
func (e *CasesError) Unwrap() []error { return e.Causes }

// Lost is an error after which a process cannot use a device any more, whatever it does. Package cuda's are.
type Lost interface {
	error
	// Lost says that this is such an error.
	Lost() bool
}

// gone leaves case i out where its device was lost in an earlier one.
func (r *runner) gone(i int) bool {
	why, lost := r.lost[kindOf(r.cases[i].Device)]
	if lost && r.leftOut[i] == nil {
		r.leave(i, why)
	}
	return lost
}

// kindOf is the kind of a device: "cuda" of "cuda:1".
func kindOf(device string) string {
	kind, _, _ := strings.Cut(device, ":")
	return kind
}

// late leaves case i out where the budget has not the time for it, by what the rounds take and what the latest case of the device took
// beside them. It is true of a case that was left out before, too.
func (r *runner) late(i int) bool {
	if r.leftOut[i] == nil && !r.deadline.IsZero() {
		need := float64(r.Rounds)*r.Seconds + r.overhead[r.cases[i].Device]
		if left := time.Until(r.deadline).Seconds(); left < need {
			r.leave(i, fmt.Sprintf("too little is left of the budget of %v seconds", r.Budget)) // the same words for all
		}
	}
	return r.leftOut[i] != nil
}

// limit is ctx, which ends when the budget is spent.
func (r *runner) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.deadline.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, r.deadline)
}

// spent notes what case i took beside its rounds.
func (r *runner) spent(i int, begin time.Time) {
	if result := r.results[i]; result != nil {
		r.overhead[r.cases[i].Device] = max(0, time.Since(begin).Seconds()-float64(len(result.Rates))*r.Seconds)
	}
}

// OutOfMemory is an error of an engine whose device has not the memory for a program. Package cuda's are.
type OutOfMemory interface {
	error
	// OutOfMemory says that the device's memory was used up, and that nothing was lost by it.
	OutOfMemory() bool
}

// done takes what became of case i, which is nothing yet where result and err are nil. The error is one that ends the run.
func (r *runner) done(ctx context.Context, i int, result *Result, err error) error {
	timed := result != nil && len(result.Rates) > 0
	var full OutOfMemory
	switch {
	case err == nil && result == nil:
		return nil
	case ctx.Err() != nil && err != nil:
		return err
	case r.expired(err) && !timed:
		r.leave(i, fmt.Sprintf("the budget of %v seconds was spent before its first round was over", r.Budget))
		return nil
	case err == nil || r.expired(err): // with the rounds that there are
		result.rated(r.report.Machine.ceilingOf(result.Case))
		r.results[i] = result
		r.assemble()
		e := r.event(i, Timed)
		e.Result = result
		r.Progress(e)
		return nil
	case r.cases[i].onCPU():
		return err
	case errors.As(err, &full) && full.OutOfMemory():
		r.leave(i, err.Error())
		return nil
	}
	r.leave(i, err.Error())
	if gone := (Lost)(nil); errors.As(err, &gone) && gone.Lost() {
		c := r.cases[i].Case
		r.lost[kindOf(c.Device)] = fmt.Sprintf("this process cannot use %s any more since %v failed; time what is left out by itself", c.Device, c)
	}
	if wrong := (*MismatchError)(nil); !errors.As(err, &wrong) { // which names the case itself
		err = fmt.Errorf("bench: %v: %w", r.cases[i].Case, err)
	}
	r.wrong = append(r.wrong, err)
	return nil
}

// expired says that err is the end of the budget.
func (r *runner) expired(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && !r.deadline.IsZero() && !time.Now().Before(r.deadline)
}

// leave leaves case i out.
func (r *runner) leave(i int, why string) {
	r.leftOut[i] = &LeftOut{r.cases[i].Case, why}
	r.assemble()
	e := r.event(i, Left)
	e.LeftOut = r.leftOut[i]
	r.Progress(e)
}

// assemble puts what there is into the report, in the order of the cases.
func (r *runner) assemble() {
	r.report.Cases, r.report.LeftOut = []Result{}, nil
	for i := range r.cases {
		if result := r.results[i]; result != nil {
			r.report.Cases = append(r.report.Cases, *result)
		}
		if out := r.leftOut[i]; out != nil {
			r.report.LeftOut = append(r.report.LeftOut, *out)
		}
	}
}

// mostNamed is how many cases a line of LeftOutLines names.
const mostNamed = 8

// LeftOutLines says which cases were left out, and why, in a line for each reason.
func (r *Report) LeftOutLines() (lines []string) {
	var reasons []string
	cases := map[string][]string{}
	for _, l := range r.LeftOut {
		if cases[l.Why] == nil {
			reasons = append(reasons, l.Why)
		}
		cases[l.Why] = append(cases[l.Why], l.Case.String())
	}
	for _, why := range reasons {
		names := cases[why]
		if more := len(names) - mostNamed; more > 1 {
			names = append(names[:mostNamed:mostNamed], fmt.Sprintf("and %d more", more))
		}
		lines = append(lines, fmt.Sprintf("left out: %s: %s", strings.Join(names, "; "), inOneLine(why)))
	}
	return lines
}

// inOneLine is a text of several lines in one, without what is said again.
func inOneLine(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(part, line) }) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
