package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
)

// Measurer is an engine that can measure what its device does at best. It is optional.
type Measurer interface {
	// MeasurePeak is the arithmetic of a large matrix product in the engine's precision, in FLOP/s; 0 is not known.
	MeasurePeak() (flopsPerSecond float64, err error)
	// MeasureBandwidth is what a large copy reads and writes of the device's memory.
	MeasureBandwidth() (bytesPerSecond float64, err error)
}

// Metered is an engine that knows what its device draws. It is optional.
type Metered interface {
	// MeasureEnergy begins to measure; stop tells the energy in joules that the device has taken since. An error says why it is not known.
	MeasureEnergy() (stop func() (joules float64, err error), err error)
}

// Holder is an engine with a memory of its own. It is optional.
type Holder interface {
	// Memory is the bytes of it that programs use, and that the engine holds.
	Memory() (used, held int64)
}

// held is what an engine holds of a memory of its own, 0 where it has none.
func held(e graph.Engine) int64 {
	if h, ok := e.(Holder); ok {
		_, bytes := h.Memory()
		return bytes
	}
	return 0
}

// meter begins to measure energy, and returns what ends it. 0 is not known: a benchmark without is one all the same.
func meter(e graph.Engine) func() float64 {
	if m, ok := e.(Metered); ok {
		if stop, err := m.MeasureEnergy(); err == nil {
			return func() float64 {
				joules, err := stop()
				if err != nil {
					return 0
				}
				return joules
			}
		}
	}
	return func() float64 { return 0 }
}

// ceiling measures what c's device does at best.
func (r *runner) ceiling(ctx context.Context, c Case) (ceiling Ceiling, err error) {
	ceiling = ceilingFor(c)
	switch {
	case r.Ceiling != nil:
		given, err := r.Ceiling(c.Device, c.Threads)
		given.Precision = ceiling.Precision
		return given, err
	case c.onCPU():
		var other error
		ceiling.FLOPs, err = cpu.MeasurePeak(c.Threads)
		ceiling.Bytes, other = cpu.MeasureBandwidth(c.Threads)
		return ceiling, errors.Join(err, other)
	}
	e, err := r.Open(ctx, c)
	if err != nil {
		return ceiling, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if m, ok := e.(Measurer); ok {
		var other error
		ceiling.FLOPs, err = m.MeasurePeak()
		ceiling.Bytes, other = m.MeasureBandwidth()
		err = errors.Join(err, other)
	}
	return ceiling, err
}

// accelerated does cases of other devices than the CPU that have their reference in common: the CPU engine's results, which are computed
// when the first of them is. What is verified is the program that is timed: compiling it takes such a device long.
func (r *runner) accelerated(ctx context.Context, group []int) error {
	var t *truth
	for _, i := range group {
		if r.gone(i) || r.late(i) {
			continue
		}
		begin := time.Now()
		within, stop := r.limit(ctx)
		var err error
		if t == nil && !r.NoVerify {
			r.Progress(r.event(i, Referring))
			if t, err = cpuTruth(within, r.cases[i].Case, r.cases[i].referred); err != nil {
				err = &referenceError{err}
			}
		}
		referred := time.Since(begin)
		var result *Result
		if err == nil {
			result, err = r.accelerate(within, i, t)
		}
		stop()
		if err := r.done(ctx, i, result, err); err != nil {
			return err
		}
		r.spent(i, begin.Add(referred))
	}
	return nil
}

// referenceError is a reference that could not be computed.
type referenceError struct{ err error }

func (e *referenceError) Error() string { return "the reference on the CPU: " + e.err.Error() }
func (e *referenceError) Unwrap() error { return e.err }

// accelerate verifies and times case i. Without t it is not verified.
func (r *runner) accelerate(ctx context.Context, i int, t *truth) (result *Result, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := r.cases[i]
	r.Progress(r.event(i, Compiling))
	counted := startMemory()
	engine, err := r.Open(ctx, d.Case)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	var v *Verification
	if t != nil && d.size != d.Batch {
		r.Progress(r.event(i, Verifying))
		if v, err = t.verify(engine, d); err != nil {
			return nil, err
		}
	}
	begins := usual
	if t != nil {
		begins = t.begin
	}
	s, err := newSubject(engine, d.Case, dealFor(engine, d.Case, min(d.distinct, d.Batch)), begins)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if t != nil && v == nil {
		r.Progress(r.event(i, Verifying))
		if err := s.rehearse(); err != nil {
			return nil, err
		}
		if v, err = t.verifySubject(engine, s, d); err != nil {
			return nil, err
		}
		if err := s.restart(); err != nil {
			return nil, err
		}
	}
	if v != nil {
		e := r.event(i, Verified)
		e.Verified = v
		r.Progress(e)
	}
	result, err = r.rounds(ctx, i, engine, s)
	if result == nil {
		return nil, err
	}
	if loss := s.Loss(); d.Mode == Train && (math.IsNaN(loss) || math.IsInf(loss, 0)) {
		return nil, errors.Join(err, fmt.Errorf("bench: %v: the loss of the timed steps came to %v", d.Case, loss))
	}
	result.verified(v)
	if counted {
		result.PeakMemory = max(host.PeakMemory()-t.bytes(), 0) // the reference is not the case's
	}
	if err == nil && r.Profile {
		result.Kinds, err = r.profile(ctx, i, s)
	}
	return result, err
}
