package graph

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// RunAll runs the plan once. It returns a [*FeedError] for an input whose value is missing or does not fit, a
// [*StepError] for an operation that failed or panicked, and [ErrClosed] after Close; the process survives all of them,
// and the machine may be run again. When it fails in the middle of a plan, variables that are updated in place may have
// been updated already and others not.
func (m *Machine) RunAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	if m.turn != nil {
		if m.changes {
			m.turn.runs.Lock()
			defer m.turn.runs.Unlock()
		} else {
			m.turn.runs.RLock()
			defer m.turn.runs.RUnlock()
		}
	}
	if err := m.start(); err != nil {
		return err
	}
	return m.wait()
}

// Feed brings the values that are bound to the inputs to the device, for the next run. The tensors may be changed when it returns:
// the run computes with what they held. On the CPU, where it works on the tensors themselves, they may not, before the run.
func (m *Machine) Feed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	return m.feed()
}

var errTape = errors.New("graph: Start is not for tape machines, whose programs look at values between runs; call RunAll")

// Start begins a run, with what [Machine.Feed] brought since the last one, else with the values that are bound now. On a device
// with a queue of its own it returns before the run is over; [Machine.Wait] tells its errors and brings its results. A run that
// nobody waited for is waited for first. On a tape machine it is an error.
func (m *Machine) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	if m.turn != nil {
		return errTape
	}
	return m.start()
}

// Queues says whether [Machine.StartNext] may put a run behind one that nobody has waited for: on a device with a queue of its own,
// where between two runs nothing else is to be brought to the host than outputs, and nobody watches or profiles them.
func (m *Machine) Queues() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usable() == nil && m.queues()
}

func (m *Machine) queues() bool {
	if _, ok := m.prog.(Queuer); !ok || m.turn != nil || m.watcher != nil || m.recorder != nil && !m.recorder.stopped {
		return false
	}
	for _, f := range m.feeds {
		if f.v.Variable && (f.box != nil || f.hosted) {
			return false
		}
	}
	return true
}

// StartNext is Start that waits for nothing: while a run is under way, which must be the only one, the new one is put behind it. The
// next Wait then waits for the first of the two, and the one after it for the second. Call it where [Machine.Queues]; elsewhere it is
// an error while a run is under way.
func (m *Machine) StartNext() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	switch {
	case m.turn != nil:
		return errTape
	case !m.running:
		return m.start()
	case m.ahead:
		return errors.New("graph: two runs of the machine are under way; wait for the first of them with Wait before starting a third")
	case !m.queues():
		return errors.New("graph: a run of the machine is under way, and its results must be taken with Wait before the next; Queues tells")
	}
	if !m.fed {
		if err := m.feed(); err != nil {
			return err
		}
	}
	m.fed = false
	if err := m.prog.(Queuer).RunNext(); err != nil {
		return err
	}
	m.ahead = true
	return nil
}

// Wait waits for the run that [Machine.Start] began and leaves its outputs bound to their nodes, as RunAll does. Of two that are under
// way it waits for the first. Without any it does nothing.
func (m *Machine) Wait() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	return m.wait()
}

func (m *Machine) start() error {
	for m.running {
		if err := m.wait(); err != nil {
			return err
		}
	}
	if !m.fed {
		if err := m.feed(); err != nil {
			return err
		}
	}
	m.fed = false
	if err := m.run(); err != nil {
		return err
	}
	m.running = true
	return nil
}

func (m *Machine) wait() error {
	if !m.running {
		return nil
	}
	m.running, m.ahead = m.ahead, false
	if err := m.together(m.download); err != nil {
		return err
	}
	binding.Lock()
	defer binding.Unlock()
	for _, r := range m.reads {
		if err := r.deliver(); err != nil {
			return err
		}
	}
	return m.bindNodes()
}

// run executes the program, under the eyes of the recorder and of the watcher if there are any.
func (m *Machine) run() error {
	if m.watcher != nil {
		if err := m.watcher.inputs(m.feeds); err != nil {
			return err
		}
	}
	switch {
	case m.recorder != nil && !m.recorder.stopped:
		return m.recorder.run(m.prog.(Observable))
	case m.watcher != nil:
		return m.prog.(Observable).RunObserved(m.watcher)
	}
	return m.prog.Run()
}

// feed brings the values of the inputs to the program.
func (m *Machine) feed() error {
	binding.Lock() // another machine of the graph may be making dual values
	defer binding.Unlock()
	if m.plan.counter != nil && !m.fed { // one that replaces another is of the same run
		*m.plan.counter++
	}
	m.fed = false // a part of the inputs is not a feed
	for _, s := range m.plan.slices {
		if err := s.follow(); err != nil {
			return err
		}
	}
	for _, f := range m.feeds {
		before := f.at
		if err := f.update(m.engine, m.prog); err != nil {
			return err
		}
		if f.at != before {
			if err := m.apart(f); err != nil {
				f.bound, f.at = nil, 0 // the next run looks again
				return err
			}
		}
	}
	if err := m.together(m.upload); err != nil {
		return err
	}
	m.fed = true
	return nil
}

// together does something with several of the engine's buffers.
func (m *Machine) together(do func() error) error {
	if g, ok := m.engine.(Confined); ok {
		return g.Together(do)
	}
	return do()
}

// uploadAll brings what was fed to the device.
func (m *Machine) uploadAll() error {
	for _, f := range m.feeds {
		if f.stale {
			if err := f.buffer.Upload(f.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// downloadAll brings outputs, and the variables that the caller's program looks at, to the host.
func (m *Machine) downloadAll() error {
	for _, f := range m.feeds {
		switch {
		case f.v.Variable && f.box != nil:
			if err := f.unbox(); err != nil {
				return err
			}
		case f.v.Variable && f.hosted:
			if err := f.buffer.Download(f.data); err != nil {
				return err
			}
		}
	}
	for _, f := range m.fetches {
		if err := f.update(); err != nil {
			return err
		}
	}
	return nil
}

// deliver hands the value to whoever reads it: into the value that is there, as Gorgonia's machine does, if it fits.
func (r read) deliver() error {
	old, now := *r.into, r.from.value
	if old != nil && old.Dtype() == now.Dtype() && shape.Equal(old.Shape(), now.Shape()) {
		_, err := gorgonia.Copy(old, now)
		return err
	}
	v, err := gorgonia.CloneValue(now)
	if err == nil {
		*r.into = v
	}
	return err
}

// follow moves the operation to where the graph's owner moved the slice.
func (s *movingSlice) follow() error {
	now := s.source.IsSlice()
	fails := func(got string) error {
		return &FeedError{Node: s.node, Wanted: fmt.Sprintf("a slice of %d elements with step %d, as when the machine was made, of an axis of %d",
			s.instr.End-s.instr.Start, s.instr.Step, s.size), Got: got, Remedy: "make a new machine for a slice of another size"}
	}
	switch {
	case now == nil:
		return fails("the whole axis")
	case now.End()-now.Start() != s.instr.End-s.instr.Start || max(now.Step(), 1) != s.instr.Step || now.Start() < 0 || now.End() > s.size:
		return fails(fmt.Sprintf("%d:%d with step %d", now.Start(), now.End(), now.Step()))
	case now.Start() != s.instr.Start:
		s.instr.Start, s.instr.End = now.Start(), now.End()
	}
	return nil
}

// apart refuses an input whose memory another part of the plan writes: that of a variable, or of an output. The plan would
// read new numbers where old ones are meant.
func (m *Machine) apart(f *feed) error {
	for _, o := range m.feeds {
		if o != f && (f.v.Variable || o.v.Variable) && overlap(f.at, f.v.Bytes(), o.at, o.v.Bytes()) {
			return &FeedError{Node: f.v.Name, Wanted: "memory of its own", Got: fmt.Sprintf("a tensor that shares memory with input %q", o.v.Name),
				Remedy: "one of them is updated: clone one of them"}
		}
	}
	for i, o := range m.fetches {
		if d, ok := o.value.(*tensor.Dense); ok && overlap(f.at, f.v.Bytes(), d.Uintptr(), int(d.MemSize())) {
			if m.turn != nil && !f.v.Variable { // Gorgonia's machine makes new memory for every run
				return f.detach(m.engine, m.prog)
			}
			return &FeedError{Node: f.v.Name, Wanted: "memory of its own", Got: fmt.Sprintf("the value of output %d, which the run overwrites", i),
				Remedy: "clone it"}
		}
	}
	return nil
}

// overlap says whether two stretches of memory have a byte in common; address 0 is nowhere.
func overlap(a uintptr, an int, b uintptr, bn int) bool {
	return a != 0 && b != 0 && a < b+uintptr(bn) && b < a+uintptr(an)
}
