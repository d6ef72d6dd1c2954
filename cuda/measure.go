//go:build gpu && cgo && linux

package cuda

import (
	"encoding/json"
	"errors"
	"fmt"
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

// trial measures ways to compute calls, in memory of its own.
type trial struct {
	engine *Engine
	memory driver.Ptr
	bytes  int64
	filled bool  // the operands of the call at hand hold numbers
	flush  int64 // bytes that are written between runs, so that no run finds its operands in a cache
	timers [2 * repeats]*driver.Event
}

// measure measures what a program for a purpose is about to ask of libraries and was not measured yet, if that is asked for.
func (t *tuner) measure(all []commands, purpose string) error {
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
		if err != nil || listed[key] || t.find(key) != nil { // an error is told when the call is planned
			continue
		}
		listed[key] = true
		library, _, _ := strings.Cut(c.library, " ")
		numbers[library]++
		jobs = append(jobs, job{c, key, problem})
	}
	if len(jobs) == 0 {
		return nil
	}
	kept := "kept for this process"
	if path := t.disk.Path(); path != "" {
		kept = "kept in " + path
	}
	t.tell("measuring %s of %s on %s; the fastest ways are %s", amounts(numbers["cuDNN"], numbers["cuBLASLt"]), purpose, t.engine.dev.Name, kept)
	start, faster := time.Now(), 0
	trial := &trial{engine: t.engine, flush: 2 * int64(t.engine.dev.L2)}
	var err error
	for _, j := range jobs {
		var best *choice
		if best, err = trial.measure(j.call); err != nil {
			break
		}
		if best == nil {
			continue
		}
		best.Format, best.Device, best.Library, best.Problem = choiceFormat, t.device, j.library, j.problem
		t.keep(j.key, best)
		if !best.Proposed {
			faster++
		}
	}
	if err := errors.Join(err, trial.close()); err != nil {
		return fmt.Errorf("cuda: measuring: %w", err)
	}
	t.tell("measured those of %s in %.1f s; for %d of %d another way than the library's first is faster", purpose, time.Since(start).Seconds(), faster, len(jobs))
	return nil
}

// tell logs a line, each time.
func (t *tuner) tell(format string, args ...any) {
	if t.engine.config.Log != nil {
		t.engine.config.Log(fmt.Sprintf(format, args...))
	}
}

// amounts is "53 convolutions and 1 matrix product".
func amounts(convolutions, products int) string {
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{convolutions, "convolution"}, {products, "matrix product"}} {
		switch {
		case x.n == 1:
			parts = append(parts, "1 "+x.what)
		case x.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", x.n, x.what))
		}
	}
	return strings.Join(parts, " and ")
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
		took, err := t.time(w, limit)
		switch {
		case driver.IsLost(err):
			return err
		case tried == 0 && (driver.IsOutOfMemory(err) || errors.As(err, new(*driver.MemoryError))):
			t.engine.tuner.full.Do(func() {
				t.engine.say("some calls of libraries are not measured, as there is no memory to do so: %v", err)
			})
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
		if tried == mostWays || time.Since(start) > patience {
			return errEnough
		}
		return nil
	})
	if driver.IsLost(err) {
		return nil, err
	}
	if best != nil { // what another way's plan fails with is no harm
		best.Of, best.First = tried, first
	}
	return best, nil
}

// time runs a way several times and returns the least time, in milliseconds. It is soon done with one that is hopeless beside a limit,
// 0 being none.
func (t *trial) time(w *way, limit float64) (float64, error) {
	at, work, flush, err := t.lay(w)
	if err != nil {
		return 0, err
	}
	stream := t.engine.stream
	for i := range t.timers {
		if t.timers[i] == nil {
			if t.timers[i], err = driver.NewTimer(); err != nil {
				return 0, err
			}
		}
	}
	// The fill keeps the device busy until the run is in its queue, so that the host's work is not counted.
	runs := func(from, to int) (float64, error) {
		for i := from; i < to; i++ {
			for _, do := range []func() error{
				func() error { return stream.Fill(flush, filler, t.flush) },
				func() error { return t.timers[2*i].Record(stream) },
				func() error { return w.run(at, work) },
				func() error { return t.timers[2*i+1].Record(stream) },
			} {
				if err := do(); err != nil {
					return 0, errors.Join(err, stream.Synchronize())
				}
			}
		}
		if err := stream.Synchronize(); err != nil {
			return 0, err
		}
		least := -1.0
		for i := from; i < to; i++ {
			ms, err := t.timers[2*i+1].Since(t.timers[2*i])
			if err != nil {
				return 0, err
			}
			if least < 0 || ms < least {
				least = ms
			}
		}
		return least, nil
	}
	if _, err := runs(0, 1); err != nil { // loads what is loaded once
		return 0, err
	}
	ms, err := runs(0, 2)
	if err != nil || limit > 0 && ms > hopeless*limit {
		return ms, err
	}
	more, err := runs(2, repeats)
	return min(ms, more), err
}

// filler makes numbers of about 0.01 in every type: what multiplies zeros takes less power than usual.
const filler = 0x3c

// lay finds memory for a way's operands, its working memory, and what is written between runs.
func (t *trial) lay(w *way) (at [4]uintptr, work uintptr, flush driver.Ptr, err error) {
	const align = 512
	var offsets [6]int64
	operands, n := w.Bytes(), int64(0)
	for i, bytes := range [6]int64{operands[0], operands[1], operands[2], operands[3], w.workspace, t.flush} {
		offsets[i] = n
		n += (bytes + align - 1) / align * align
	}
	if n > t.bytes {
		if err := t.release(); err != nil {
			return at, 0, 0, err
		}
		if t.memory, err = t.engine.dev.Memory.Alloc(n, "measuring how libraries compute fastest"); err != nil {
			return at, 0, 0, err
		}
		t.bytes, t.filled = n, false
	}
	if !t.filled {
		if err := t.engine.stream.Fill(t.memory, filler, offsets[4]); err != nil {
			return at, 0, 0, err
		}
		t.filled = true
	}
	for i, bytes := range operands {
		if bytes > 0 {
			at[i] = uintptr(t.memory) + uintptr(offsets[i])
		}
	}
	return at, uintptr(t.memory) + uintptr(offsets[4]), t.memory + driver.Ptr(offsets[5]), nil
}

// release gives the memory back.
func (t *trial) release() error {
	if t.bytes == 0 {
		return nil
	}
	t.bytes = 0
	return t.engine.dev.Memory.Free(t.memory)
}

func (t *trial) close() error {
	errs := []error{t.engine.stream.Synchronize(), t.release(), t.engine.dev.Memory.Trim()}
	for _, timer := range t.timers {
		errs = append(errs, timer.Close())
	}
	return driver.Join(errs...)
}
