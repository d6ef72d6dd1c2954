//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"time"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// run runs the program. next says that the results of the run before are still wanted.
func (p *program) run(o graph.Observer, next bool) error {
	for v := range p.unmet {
		return fmt.Errorf("cuda: value %q was never bound", v.Name)
	}
	if err := p.engine.scratch.begin(p); err != nil {
		return err
	}
	for _, f := range p.before {
		if err := f(); err != nil {
			return err
		}
	}
	if err := p.engine.parcel.send(); err != nil {
		return err
	}
	p.results = p.results[:0]
	for _, v := range p.outputs {
		p.results = append(p.results, p.bound[v])
	}
	if err := p.prepareOutboxes(next); err != nil {
		return err
	}
	if err := p.merge(); err != nil {
		return err
	}
	if err := p.prepareFilters(); err != nil {
		return err
	}
	if err := p.packChanged(); err != nil {
		return err
	}
	if err := p.engine.idle.record(p.engine.stream); err != nil {
		return err
	}
	done := false
	if o == nil {
		var err error
		if done, err = p.launch(); err != nil {
			return err
		}
	}
	switch {
	case done:
	case o == nil && !p.sync:
		if err := p.everything(); err != nil {
			return err
		}
	case timesOnly(o) && !p.sync:
		if err := p.timed(o.(graph.Timekeeper)); err != nil {
			return err
		}
	default:
		if err := p.eachStep(o); err != nil {
			return err
		}
		if err := p.last(); err != nil {
			return err
		}
	}
	for _, a := range p.plan.Assigns {
		m := p.bound[a.Target.Root()]
		m.newer, m.unread = true, 0
		m.version++
	}
	return p.send()
}

// prepareOutboxes finds out where this run's results will go.
func (p *program) prepareOutboxes(next bool) error {
	if !next {
		for _, m := range p.results {
			if m.unread > 0 { // nobody has asked for it
				m.unread, m.newer = 0, true
			}
			if err := m.open(p.slot); err != nil { // of one that was bound since
				return err
			}
		}
		return nil
	}
	slot := p.slot ^ 1
	for _, m := range p.results {
		if m.unread > 1 {
			return errors.New("cuda: the results of two runs wait to be taken; take those of the first before starting a third")
		}
		if err := m.open(slot); err != nil {
			return err
		}
	}
	p.slot = slot
	return nil
}

// send puts the way of the results to the host on the stream. It is no part of a CUDA graph: runs take turns with outboxes.
func (p *program) send() error {
	for _, m := range p.results {
		if err := m.send(sending{p.slot, p.done[p.slot]}); err != nil {
			return err
		}
	}
	if err := p.engine.idle.record(p.engine.stream); err != nil {
		return err
	}
	return p.done[p.slot].Record(p.engine.stream)
}

// eachStep puts the steps on the stream, and waits for each.
func (p *program) eachStep(o graph.Observer) error {
	if err := p.engine.stream.Synchronize(); err != nil { // of what came before this run
		return err
	}
	if err := p.packOwn(); err != nil {
		return err
	}
	for i := range p.steps {
		if o != nil {
			o.Before(i)
		}
		for _, a := range p.steps[i].actions {
			if err := a.run(p); err != nil {
				return p.failed(i, err)
			}
		}
		if err := p.engine.stream.Synchronize(); err != nil {
			return p.failed(i, err)
		}
		if o != nil {
			if err := p.show(o, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// timesOnly says whether an observer wants times alone.
func timesOnly(o graph.Observer) bool {
	t, ok := o.(graph.Timekeeper)
	return ok && t.TimesOnly()
}

// timed puts the steps on the stream with events between them, and tells the times that the device noted. Nothing waits in between, so
// they are those of the work, and of launching it only where the device has nothing else to do meanwhile.
func (p *program) timed(t graph.Timekeeper) error {
	for len(p.timers) <= len(p.steps) {
		e, err := driver.NewTimer()
		if err != nil {
			return err
		}
		p.timers = append(p.timers, e)
		p.close = append(p.close, e.Close)
	}
	stream := p.engine.stream
	if err := p.packOwn(); err != nil {
		return err
	}
	if err := p.timers[0].Record(stream); err != nil {
		return err
	}
	for i := range p.steps {
		for _, a := range p.steps[i].actions {
			if err := a.run(p); driver.IsLost(err) { // see everything
				return err
			} else if err != nil {
				return p.failed(i, err)
			}
		}
		if err := p.timers[i+1].Record(stream); err != nil {
			return err
		}
	}
	if err := p.last(); err != nil {
		return err
	}
	if err := stream.Synchronize(); err != nil {
		return err
	}
	begin := time.Duration(0)
	for i := range p.steps {
		ms, err := p.timers[i+1].Since(p.timers[i])
		if err != nil {
			return err
		}
		length := time.Duration(ms * float64(time.Millisecond))
		t.Took(i, begin, length)
		begin += length
	}
	return nil
}

// last does the updates that are left.
func (p *program) last() error {
	for _, a := range p.copies {
		if err := p.engine.stream.Copy(p.address(a.Target), p.address(a.New), int64(a.Target.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// everything is a run that nobody watches.
func (p *program) everything() error {
	if err := p.packOwn(); err != nil {
		return err
	}
	for _, a := range p.merged.list {
		if err := a.run(p); driver.IsLost(err) { // by any kernel before, which nobody has waited for
			return err
		} else if err != nil {
			return p.failed(a.step, err)
		}
	}
	return p.last()
}

// show brings the results of a step to the host for an observer.
func (p *program) show(o graph.Observer, i int) error {
	if timesOnly(o) {
		return o.After(i, nil)
	}
	s := p.plan.Steps[i]
	results := make([]op.Array, len(s.Out))
	for k, v := range s.Out {
		a, err := op.NewArray(v.Dtype, v.Shape)
		if err != nil {
			return err
		}
		if err := p.engine.staging.bring(a, v, p.address(v)); err != nil {
			return p.failed(i, err)
		}
		results[k] = a
	}
	return o.After(i, results)
}
