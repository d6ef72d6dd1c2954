//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// trial measures ways to compute calls, in memory of its own.
type trial struct {
	engine *Engine
	memory driver.Ptr
	bytes  int64
	filled bool  // the operands of the call at hand hold numbers
	flush  int64 // bytes that are written between runs, so that no run finds its operands in a cache
	timers [2 * repeats]*driver.Event
}

// noMemory says whether something failed as there is no memory to measure with, and tells so once.
func (t *trial) noMemory(err error) bool {
	if !driver.IsOutOfMemory(err) && !errors.As(err, new(*driver.MemoryError)) {
		return false
	}
	t.engine.tuner.full.Do(func() {
		t.engine.say("some calls of libraries are not measured, as there is no memory to do so: %v", err)
	})
	return true
}

// timeCall times a way of a library, see time.
func (t *trial) timeCall(w *way, limit float64) (float64, error) {
	operands := w.Bytes()
	parts, flush, err := t.room(append(operands, w.workspace)...)
	if err != nil {
		return 0, err
	}
	work := parts[len(operands)]
	if !t.filled {
		if err := t.engine.stream.Fill(t.memory, filler, int64(work-t.memory)); err != nil {
			return 0, err
		}
		t.filled = true
	}
	at := make([]uintptr, len(operands))
	for i, bytes := range operands {
		if bytes > 0 {
			at[i] = uintptr(parts[i])
		}
	}
	return t.time(func() error { return w.run(at, uintptr(work)) }, flush, 1, limit)
}

// time runs something several times and returns the least time, in milliseconds. It is soon done with what is hopeless beside a limit,
// 0 being none, and fails where the engine is to stop. Before every run the memory at flush is written so many times.
func (t *trial) time(run func() error, flush driver.Ptr, times int, limit float64) (float64, error) {
	stream := t.engine.stream
	for i := range t.timers {
		if t.timers[i] == nil {
			var err error
			if t.timers[i], err = driver.NewTimer(); err != nil {
				return 0, err
			}
		}
	}
	// The fill keeps the device busy until the run is in its queue, so that the host's work is not counted.
	fill := func() (err error) {
		for i := 0; i < times && err == nil; i++ {
			err = stream.Fill(flush, filler, t.flush)
		}
		return err
	}
	runs := func(from, to int) (float64, error) {
		if err := t.engine.stopped(); err != nil { // such a run may take a second
			return 0, err
		}
		for i := from; i < to; i++ {
			for _, do := range []func() error{
				fill,
				func() error { return t.timers[2*i].Record(stream) },
				run,
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

// room finds memory for parts of so many bytes, and behind them for what is written between runs.
func (t *trial) room(bytes ...int64) (at []driver.Ptr, flush driver.Ptr, err error) {
	const align = 512
	n := int64(0)
	for _, b := range append(bytes, t.flush) {
		at = append(at, driver.Ptr(n))
		n += (b + align - 1) / align * align
	}
	if n > t.bytes {
		if err := t.release(); err != nil {
			return nil, 0, err
		}
		if t.memory, err = t.engine.dev.Memory.Alloc(n, "measuring how libraries compute fastest"); err != nil {
			return nil, 0, err
		}
		t.bytes, t.filled = n, false
	}
	for i := range at {
		at[i] += t.memory
	}
	return at[:len(bytes)], at[len(bytes)], nil
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
