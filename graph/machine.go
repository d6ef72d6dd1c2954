package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
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
// devices with memory of their own: there the device has the newest value, which [Machine.Sync] and [Machine.Close] bring to the
// tensor. Machines of one engine that are bound to the same tensor share that value. A tensor changed by the caller is taken over
// when another tensor is bound with gorgonia.Let, or after Sync, by [Machine.Refresh].
//
// RunAll is [Machine.Feed], [Machine.Start] and [Machine.Wait] in one. Those who have the next inputs ready before the results of
// the last run are there can call them apart: Start, then Feed with the next inputs, then Wait. A GPU then receives a batch while
// it computes the one before.
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

	fed     bool // the next run's inputs are there
	running bool // a run was started and not waited for

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
		if err := b.Upload(*v.Const); err != nil {
			return err
		}
		if err := m.prog.Bind(v, b); err != nil {
			return err
		}
	}
	for _, v := range p.Inputs {
		m.feeds = append(m.feeds, &feed{v: v, resident: v.Node != nil && slices.Contains(o.resident, v.Node), hosted: m.turn != nil})
	}
	done := map[*Value]*fetch{}
	fetched := func(v *Value) (*fetch, error) {
		if f := done[v]; f != nil {
			return f, nil
		}
		f, err := newFetch(v, m.engine, m.prog)
		if err == nil {
			done[v] = f
			m.fetches = append(m.fetches, f)
		}
		return f, err
	}
	for i, v := range p.Outputs {
		f, err := fetched(v)
		if err != nil {
			return err
		}
		if i < len(o.outputs) {
			m.byNode[o.outputs[i]] = f
		} else {
			r := o.reads[i-len(o.outputs)]
			m.byNode[r.node] = f
			m.reads = append(m.reads, read{f, r.into})
		}
	}
	for _, v := range p.kept {
		r := v.Root()
		switch {
		case r.Input: // the new value of a variable
			continue
		case r.Const != nil:
			own, err := op.NewArray(v.Dtype, v.Shape) // whoever writes into it must not change the plan
			if err != nil {
				return err
			}
			op.Copy(own, *r.Const)
			m.byNode[v.Node] = view(v, &fetch{data: own})
			continue
		}
		f, err := fetched(r)
		if err != nil {
			return err
		}
		if v != r {
			f = view(v, f)
			m.fetches = append(m.fetches, f)
		}
		m.byNode[v.Node] = f
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

// Start begins a run, with what [Machine.Feed] brought since the last one, else with the values that are bound now. On a device
// with a queue of its own it returns before the run is over; [Machine.Wait] tells its errors and brings its results. A run that
// nobody waited for is waited for first. It is not for tape machines.
func (m *Machine) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	return m.start()
}

// Wait waits for the run that [Machine.Start] began and leaves its outputs bound to their nodes, as RunAll does. Without such a
// run it does nothing.
func (m *Machine) Wait() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	return m.wait()
}

func (m *Machine) start() error {
	if err := m.wait(); err != nil {
		return err
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
	m.running = false
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
	binding.Lock()
	defer binding.Unlock()
	for _, r := range m.reads {
		if err := r.deliver(); err != nil {
			return err
		}
	}
	return m.bindNodes()
}

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
	if m.plan.counter != nil {
		*m.plan.counter++
	}
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
	m.fed = true
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

// binding keeps machines of one graph from binding values to its nodes at the same time.
var binding sync.Mutex

// findBound lists what a run leaves bound to nodes: the values that it has, and for the other nodes of a tape machine's graph an
// explanation to those who look for values that are not there.
func (m *Machine) findBound(o options) error {
	for n, f := range m.byNode {
		if n.Op() != nil && !isConstant(n) { // an input keeps the caller's value
			m.bound = append(m.bound, nodeValue{n, f.value})
		}
	}
	for _, n := range o.explained {
		if m.byNode[n] != nil || isConstant(n) {
			continue
		}
		dt, err := dtypeOf(n)
		if err != nil {
			continue // nor can anyone else say what it is
		}
		m.bound = append(m.bound, nodeValue{n, &ValueNotKept{node: n.Name(), shape: n.Shape(), dtype: dt}})
	}
	slices.SortFunc(m.bound, func(a, b nodeValue) int { return cmp.Compare(a.node.ID(), b.node.ID()) })
	return nil
}

// bindNodes leaves the values bound to their nodes, as Gorgonia's own machines do. Later runs write to the same memory, but
// another machine of the graph may have bound its own values in between.
func (m *Machine) bindNodes() error {
	for _, b := range m.bound {
		v := b.value
		if b.node.Value() == v {
			continue
		}
		if _, absent := v.(*ValueNotKept); m.trace && !absent {
			var err error
			if v, err = gorgonia.CloneValue(v); err != nil {
				return err
			}
		}
		if err := gorgonia.UnsafeLet(b.node, v); err != nil {
			return fmt.Errorf("graph: the value of %q cannot be bound to its node: %w", b.node.Name(), err)
		}
	}
	return nil
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

// Refresh brings the tensors of variables and of resident inputs ([WithResident]) to the device, as they are now. Where the device
// has newer values than the tensors, these are kept: call [Machine.Sync] before changing tensors. On the CPU engine it does nothing.
func (m *Machine) Refresh() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	for _, f := range m.feeds {
		if (f.v.Variable || f.resident) && f.buffer != nil {
			if err := f.buffer.Upload(f.data); err != nil {
				return err
			}
		}
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
