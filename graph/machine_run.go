package graph

import (
	"errors"

	"gorgonia.org/gorgonia"

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
