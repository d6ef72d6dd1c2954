//go:build gpu && cgo && linux

package cuda

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// Measuring the two hundred calls of a large network is to take seconds.
const (
	mostWays = 16   // of a call that are tried
	repeats  = 3    // runs of a way, after one that is not counted
	hopeless = 1.25 // a way whose first two take so many times the best is not run again
	margin   = 0.97 // a way that the library proposes later must take less than this part of the time; see also faster
)

// patience is how long a call is measured: after it no further way is tried.
var patience = 40 * time.Millisecond

// measure measures what a program for a purpose is about to ask of libraries and was not measured yet, if that is asked for.
func (t *tuner) measure(m *maker, all []commands, purpose string) error {
	if t.mode != "measure" {
		return nil
	}
	type job struct {
		*call
		key, problem string
	}
	var jobs []job
	listed, numbers := map[string]bool{}, map[string]int{}
	for _, c := range t.calls(all) {
		key, problem, err := t.key(c)
		if err != nil || listed[key] || t.vain[key] || t.find(key) != nil { // an error is told when the call is planned
			continue
		}
		listed[key] = true
		library, _, _ := strings.Cut(c.library, " ")
		numbers[library]++
		jobs = append(jobs, job{c, key, problem})
	}
	choices := t.choicesToMeasure(m, all)
	if err := t.engine.stopped(); err != nil || len(jobs)+len(choices) == 0 {
		return err
	}
	kept := "kept for this process"
	if path := t.disk.Path(); path != "" {
		kept = "kept in " + path
	}
	t.tell("measuring %s of %s on %s; the fastest ways are %s", list(amount(numbers["cuDNN"], "convolution", "convolutions"),
		amount(numbers["cuBLASLt"], "matrix product", "matrix products"), amount(len(choices), "alternative", "alternatives")), purpose, t.engine.dev.Name, kept)
	start, done, faster, others := time.Now(), 0, 0, 0
	trial := &trial{engine: t.engine, flush: 2 * int64(t.engine.dev.L2)}
	var err error
	for i := 0; i < len(jobs) && err == nil; i++ {
		j := jobs[i]
		var best *choice
		best, err = trial.measure(j.call)
		if err = cmp.Or(err, t.engine.stopped()); err == nil { // what was stopped has the best of a part of the ways
			faster += t.keep(j.key, j.library, j.problem, best)
			done++
		}
	}
	for i := 0; i < len(choices) && err == nil; i++ {
		j := choices[i]
		var best *choice
		best, err = trial.measureChoice(m, j)
		if err = cmp.Or(err, t.engine.stopped()); err == nil {
			others += t.keep(j.key, t.versions(), j.problem, best)
			done++
		}
	}
	closed := trial.close()
	if all := len(jobs) + len(choices); 0 < done && done < all && t.engine.stopped() != nil && t.disk.Path() != "" {
		t.tell("stopped: %d of those %d are measured and kept", done, all)
	}
	if err := errors.Join(err, closed); err != nil {
		return fmt.Errorf("cuda: measuring: %w", err)
	}
	var found []string
	if len(jobs) > 0 {
		found = append(found, fmt.Sprintf("for %d of %d another way than the library's first is faster", faster, len(jobs)))
	}
	if len(choices) > 0 {
		found = append(found, fmt.Sprintf("for %d of %s another than the first is", others, amount(len(choices), "alternative", "alternatives")))
	}
	t.tell("measured those of %s in %.1f s; %s", purpose, time.Since(start).Seconds(), strings.Join(found, "; "))
	return nil
}

// tell logs a line, each time.
func (t *tuner) tell(format string, args ...any) {
	if t.engine.config.Log != nil {
		t.engine.config.Log(fmt.Sprintf(format, args...))
	}
}

// amount is "53 convolutions", "" for none.
func amount(n int, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// list is "a, b and c", without those that are "".
func list(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if n := len(parts); n > 1 {
		parts = append(parts[:n-2], parts[n-2]+" and "+parts[n-1])
	}
	return strings.Join(parts, ", ")
}

// measure finds the fastest way to compute a call, none if there is only the library's word. A way that fails is left out; the error
// is of what spoils the device.
func (t *trial) measure(c *call) (best *choice, err error) {
	t.filled = false
	tried, first, workspace := 0, 0.0, int64(0)
	var start time.Time // once the first way, which has to be planned anyhow, was timed
	err = c.ways(func(w *way) (err error) {
		defer func() { err = errors.Join(err, w.Close()) }()
		limit := 0.0
		if best != nil {
			limit = best.Milliseconds
		}
		took, err := t.timeCall(w, limit)
		switch {
		case driver.IsLost(err):
			return err
		case t.engine.stopped() != nil:
			return errEnough
		case tried == 0 && t.noMemory(err):
			return errEnough
		case err == nil:
			if tried == 0 {
				first = took
			}
			if best == nil || faster(took, w.workspace, best.Milliseconds, workspace) {
				workspace = w.workspace
				if id, err := w.choice(); err == nil { // what does not say what it is cannot be taken again
					text, err := json.Marshal(id)
					if err != nil {
						return err
					}
					best = &choice{Choice: text, Milliseconds: took, Proposed: tried == 0}
				}
			}
		}
		if tried++; tried == 1 {
			start = time.Now()
		}
		if tried == mostWays || time.Since(start) > max(patience, c.patience) {
			return errEnough
		}
		return nil
	})
	if driver.IsLost(err) {
		return nil, err
	}
	if best != nil { // what another way's plan fails with is no harm
		best.Of, best.First = tried, first
		if c.only != nil {
			return best, c.only(best.Choice)
		}
	}
	return best, nil
}
