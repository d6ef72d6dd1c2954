package graph

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ErrClosed is returned by a machine that was closed.
var ErrClosed = errors.New("graph: the machine is closed")

// Machine runs a compiled graph. It is a gorgonia.VM: RunAll runs everything once, with the values that are bound to
// the input nodes at that moment, and leaves the outputs' values bound to their nodes. A machine may be used from
// several goroutines, which take turns. Several machines may run at once, also machines of one graph, as long as none
// updates a variable that another one reads.
//
// An input's tensor may be changed in place between runs or replaced with gorgonia.Let. It must not share memory with a
// variable or with an output's value, which a run overwrites: RunAll refuses that. Variables are different on
// devices with memory of their own: there the device has the newest value, which [Machine.Sync] brings to the tensor, and
// a tensor changed by the caller is taken over only when another tensor is bound with gorgonia.Let.
type Machine struct {
	mu     sync.Mutex
	plan   *Plan
	prog   Program
	engine Engine
	owned  bool
	closed bool

	feeds    []*feed
	fetches  []*fetch
	byNode   map[*gorgonia.Node]*fetch
	buffers  []Buffer // of constants
	announce bool     // outputs are not yet bound to their nodes
}

var _ gorgonia.VM = (*Machine)(nil)

func newMachine(p *Plan, prog Program, o options) (*Machine, error) {
	m := &Machine{plan: p, prog: prog, engine: o.engine, owned: o.owned, byNode: map[*gorgonia.Node]*fetch{}, announce: true}
	if err := m.bind(o); err != nil {
		return nil, errors.Join(append(m.closeBuffers(), err)...)
	}
	return m, nil
}

// bind gives constants and outputs their memory. Inputs get theirs when the first run finds their values.
func (m *Machine) bind(o options) error {
	p := m.plan
	for _, v := range p.Values {
		if v.Const == nil {
			continue
		}
		b, err := m.engine.Wrap(*v.Const)
		if err != nil {
			return err
		}
		m.buffers = append(m.buffers, b)
		if err := m.prog.Bind(v, b); err != nil {
			return err
		}
	}
	for _, v := range p.Inputs {
		m.feeds = append(m.feeds, &feed{v: v})
	}
	asked := o.outputs
	if len(asked) == 0 && len(p.Outputs) > 0 {
		asked = make([]*gorgonia.Node, len(p.Outputs))
		for i, v := range p.Outputs {
			asked[i] = v.Node
		}
	}
	done := map[*Value]*fetch{}
	for i, v := range p.Outputs {
		f := done[v]
		if f == nil {
			var err error
			if f, err = newFetch(v, m.engine, m.prog); err != nil {
				return err
			}
			done[v] = f
			m.fetches = append(m.fetches, f)
		}
		m.byNode[asked[i]] = f
	}
	return nil
}

// Plan returns the compiled plan. It must not be changed.
func (m *Machine) Plan() *Plan { return m.plan }

// RunAll runs the plan once. It returns a [*FeedError] for an input whose value is missing or does not fit, a
// [*StepError] for an operation that failed or panicked, and [ErrClosed] after Close; the process survives all of them,
// and the machine may be run again. When it fails in the middle of a plan, variables that are updated in place may have
// been updated already and others not.
func (m *Machine) RunAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
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
	if err := m.prog.Run(); err != nil {
		return err
	}
	for _, f := range m.feeds {
		if f.v.Variable && f.box != nil {
			if err := f.unbox(); err != nil {
				return err
			}
		}
	}
	for _, f := range m.fetches {
		if err := f.update(); err != nil {
			return err
		}
	}
	if m.announce {
		return m.bindNodes()
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

// binding keeps machines of one graph from binding values to its nodes at the same time.
var binding sync.Mutex

// bindNodes leaves the outputs' values bound to their nodes, as Gorgonia's own machines do. Once is enough: later runs
// write to the same memory.
func (m *Machine) bindNodes() error {
	binding.Lock()
	defer binding.Unlock()
	for n, f := range m.byNode {
		if n.Op() == nil {
			continue // an input keeps the caller's value
		}
		if _, constant := constantOf(n); constant {
			continue
		}
		if err := gorgonia.UnsafeLet(n, f.value); err != nil {
			return fmt.Errorf("graph: output %q cannot be bound to its node: %w", n.Name(), err)
		}
	}
	m.announce = false
	return nil
}

// Value returns the value of an output after the last run: zeros before the first. It is overwritten by the next run;
// clone it to keep it. It stays readable after Close.
func (m *Machine) Value(n *gorgonia.Node) (gorgonia.Value, error) {
	f, ok := m.byNode[n]
	if !ok {
		name := "<nil>"
		if n != nil {
			name = n.Name()
		}
		return nil, fmt.Errorf("graph: %q is not an output of this machine; name it in WithOutputs", name)
	}
	return f.value, nil
}

// Sync makes the host tensors of all variables hold what the device has. On the CPU engine they always do.
func (m *Machine) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, f := range m.feeds {
		if f.v.Variable && f.buffer != nil {
			if err := f.buffer.Download(f.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reset does nothing: a machine keeps no state between runs but its variables, which belong to the caller.
func (m *Machine) Reset() {}

// Close frees the program, and the engine if Compile opened it. Closing twice is harmless.
func (m *Machine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	errs := append([]error{m.prog.Close()}, m.closeBuffers()...)
	if m.owned {
		errs = append(errs, m.engine.Close())
	}
	return errors.Join(errs...)
}

func (m *Machine) closeBuffers() (errs []error) {
	for _, f := range m.feeds {
		if f.buffer != nil {
			errs = append(errs, f.buffer.Close())
		}
	}
	for _, f := range m.fetches {
		errs = append(errs, f.buffer.Close())
	}
	for _, b := range m.buffers {
		errs = append(errs, b.Close())
	}
	return errs
}
