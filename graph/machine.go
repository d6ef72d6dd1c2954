package graph

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
)

// ErrClosed is returned by a machine that was closed.
var ErrClosed = errors.New("graph: the machine is closed")

// Machine runs a compiled graph. It is a gorgonia.VM: RunAll runs everything once, with the values that are bound to
// the input nodes at that moment (or were at the last Feed), and leaves the outputs' values bound to their nodes. A machine may be used from
// several goroutines, which take turns. Several machines may run at once, also machines of one graph, as long as none
// updates a variable that another one reads.
//
// An input's tensor may be changed in place between runs or replaced with gorgonia.Let. It must not share memory with a
// variable or with an output's value, which a run overwrites: RunAll refuses that. Variables are different on
// devices with memory of their own: there the device has the newest value, which [Machine.Sync] and [Machine.Close] bring to the
// tensor. Machines of one engine that are bound to the same tensor share that value. A tensor changed by the caller is taken over
// when another tensor is bound with gorgonia.Let, or after Sync, by [Machine.Refresh].
//
// RunAll is [Machine.Feed], [Machine.Start] and [Machine.Wait] in one. Those who have the next inputs ready before the results of
// the last run are there can call them apart: Start, then Feed with the next inputs, then Wait. A GPU then receives a batch while
// it computes the one before. Where [Machine.Queues], the next run may be put behind the one under way before its results are
// there, with [Machine.StartNext]: the GPU then never waits for the host to look at results.
type Machine struct {
	mu     sync.Mutex
	plan   *Plan
	prog   Program
	engine Engine
	owned  bool
	closed bool

	feeds   []*feed
	fetches []*fetch
	byNode  map[*gorgonia.Node]*fetch
	bound   []nodeValue // what a run leaves bound to the nodes of the graph
	buffers []Buffer    // of constants

	upload, download func() error // uploadAll and downloadAll, made once, so that runs allocate nothing

	fed     bool // the next run's inputs are there
	running bool // a run was started and not waited for
	ahead   bool // another one was, behind it

	recorder *recorder // of a profile, nil before one is started

	// What tape machines have besides (tape.go).
	broken  error // why the graph could not be compiled
	graph   *gorgonia.ExprGraph
	reads   []read
	watcher *watcher
	trace   bool
	turn    *turn
	changes bool // a run changes tensors of the graph
}

// nodeValue is the value that a node has after a run.
type nodeValue struct {
	node  *gorgonia.Node
	value gorgonia.Value
}

// read is a gorgonia.Read of the graph.
type read struct {
	from *fetch
	into *gorgonia.Value
}

var _ gorgonia.VM = (*Machine)(nil)

func newMachine(p *Plan, prog Program, o options) (*Machine, error) {
	m := &Machine{plan: p, prog: prog, engine: o.engine, owned: o.owned, byNode: map[*gorgonia.Node]*fetch{},
		graph: o.graph, trace: o.trace, turn: o.turn, changes: len(p.Assigns) > 0}
	m.upload, m.download = m.uploadAll, m.downloadAll
	if o.watch.active() {
		if _, ok := prog.(Observable); !ok {
			return nil, &CompileError{Stage: "build", Reason: "engine " + o.engine.Name() + " cannot be watched",
				Remedy: "leave out the options that watch or log values"}
		}
		m.watcher = &watcher{watchlist: o.watch, plan: p}
	}
	if err := m.bind(o); err != nil {
		return nil, errors.Join(append(m.closeBuffers(), err)...)
	}
	if err := m.findBound(o); err != nil {
		return nil, errors.Join(append(m.closeBuffers(), err)...)
	}
	return m, nil
}

// Plan returns the compiled plan. It must not be changed.
func (m *Machine) Plan() *Plan { return m.plan }

// Err says why a machine cannot run: the [*CompileError] of a graph that [NewTapeMachine] could not compile, [ErrClosed] after
// Close, or nil.
func (m *Machine) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usable()
}

func (m *Machine) usable() error {
	switch {
	case m.closed:
		return ErrClosed
	case m.prog == nil && m.broken == nil:
		return &CompileError{Stage: "build", Reason: "the machine has no plan", Remedy: "make it with graph.Compile or graph.NewTapeMachine"}
	}
	return m.broken
}

// Value returns the value of an output after the last run: zeros before the first. It is overwritten by the next run;
// clone it to keep it. It stays readable after Close.
func (m *Machine) Value(n *gorgonia.Node) (gorgonia.Value, error) {
	if m.broken != nil {
		return nil, m.broken
	}
	f, ok := m.byNode[n]
	if !ok {
		name := "<nil>"
		if n != nil {
			name = n.Name()
		}
		remedy := "name it in graph.WithOutputs"
		if m.turn != nil {
			remedy = "read it with gorgonia.Read or name it in graph.Keep, before the machine is made"
		}
		return nil, fmt.Errorf("graph: %q is not an output of this machine; %s", name, remedy)
	}
	return f.value, nil
}

// Sync makes the host tensors of all variables hold what the device has. On the CPU engine they always do.
func (m *Machine) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	return m.sync()
}

func (m *Machine) sync() error {
	for _, f := range m.feeds {
		if f.v.Variable && f.buffer != nil {
			if err := f.buffer.Download(f.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// Refresh takes over what was changed in the tensors of variables and of resident inputs ([WithResident]). It brings them to the device,
// as they are now; where the device has newer values than the tensors, these are kept: call [Machine.Sync] before changing tensors.
// On the CPU engine, which works on the tensors themselves, it makes the next run compute anew what depends on resident inputs alone.
func (m *Machine) Refresh() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	for _, f := range m.feeds {
		if (f.v.Variable || f.v.Resident) && !f.v.unchanging && f.buffer != nil {
			if err := f.buffer.Upload(f.data); err != nil {
				return err
			}
		}
	}
	if r, ok := m.prog.(Refresher); ok {
		r.Refresh()
	}
	return nil
}

// Reset does nothing: a machine keeps no state between runs but its variables, which belong to the caller.
func (m *Machine) Reset() {}

// Close brings what the device has of the variables to their tensors, and frees the program, and the engine if Compile opened it.
// Closing twice is harmless.
func (m *Machine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.prog == nil {
		return nil
	}
	errs := append([]error{m.sync(), m.prog.Close()}, m.closeBuffers()...)
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
		if f.buffer != nil {
			errs = append(errs, f.buffer.Close())
		}
	}
	for _, b := range m.buffers {
		errs = append(errs, b.Close())
	}
	return errs
}
