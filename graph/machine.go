package graph

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// ErrClosed is returned by a machine that was closed.
var ErrClosed = errors.New("graph: the machine is closed")

// Machine runs a compiled graph. It is a gorgonia.VM: RunAll runs everything once, with the values that are bound to
// the input nodes at that moment, and leaves the outputs' values bound to their nodes. A machine may be used from
// several goroutines, one run at a time. Machines of graphs that share a variable's tensor must not run at once.
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
	for _, v := range p.Values {
		if v.Const == nil {
			continue
		}
		b, err := o.engine.Wrap(*v.Const)
		if err != nil {
			return nil, err
		}
		m.buffers = append(m.buffers, b)
		if err := prog.Bind(v, b); err != nil {
			return nil, err
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
			if f, err = newFetch(v, o.engine, prog); err != nil {
				return nil, err
			}
			done[v] = f
			m.fetches = append(m.fetches, f)
		}
		m.byNode[asked[i]] = f
	}
	return m, nil
}

// Plan returns the compiled plan. It must not be changed.
func (m *Machine) Plan() *Plan { return m.plan }

// RunAll runs the plan once.
func (m *Machine) RunAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, f := range m.feeds {
		if err := f.update(m.engine, m.prog); err != nil {
			return err
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
		m.announce = false
		for n, f := range m.byNode {
			if n.Op() == nil {
				continue
			}
			if err := gorgonia.UnsafeLet(n, f.value); err != nil {
				return fmt.Errorf("graph: output %q cannot be bound to its node: %w", n.Name(), err)
			}
		}
	}
	return nil
}

// Value returns the value of an output after the last run. It is overwritten by the next run; clone it to keep it.
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
	errs := []error{m.prog.Close()}
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
	if m.owned {
		errs = append(errs, m.engine.Close())
	}
	return errors.Join(errs...)
}

// feed brings the value of an input node to the program.
type feed struct {
	v      *Value
	bound  gorgonia.Value // the value that buffer wraps
	data   op.Array
	buffer Buffer
	box    gorgonia.Value // a scalar, or a tensor that is not contiguous: copied into data before every run
}

// update binds the node's value if it is another one than last time, and uploads it. Nothing is allocated when the
// same tensor is fed again.
func (f *feed) update(e Engine, prog Program) error {
	now := f.v.Node.Value()
	if now == nil {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: "no value", Remedy: "bind one with gorgonia.Let before running"}
	}
	if now != f.bound {
		if err := f.bind(now, e, prog); err != nil {
			return err
		}
	}
	if f.box != nil {
		if err := f.refresh(); err != nil {
			return err
		}
	}
	if f.v.Variable && f.box == nil {
		return nil // uploaded when it was bound; the device has the newest value
	}
	return f.buffer.Upload(f.data)
}

func (f *feed) wanted() string {
	return fmt.Sprintf("%v of shape %v", f.v.Dtype, f.v.Shape)
}

func (f *feed) bind(now gorgonia.Value, e Engine, prog Program) error {
	if now.Dtype() != f.v.Dtype || !sameShape(now.Shape(), f.v.Shape) {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: fmt.Sprintf("%v of shape %v", now.Dtype(), now.Shape()),
			Remedy: "convert the value, or build the graph for this shape"}
	}
	data, err := op.AsArray(now)
	if err != nil {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: err.Error()}
	}
	f.box = nil
	if d, dense := now.(*tensor.Dense); !dense || d.RequiresIterator() || d.Shape().IsScalar() {
		f.box = now
		if dense && f.v.Variable {
			return &FeedError{Node: f.v.Name, Wanted: "a contiguous tensor, because it is updated", Got: "a view or a scalar tensor",
				Remedy: "clone it, or use a Gorgonia scalar"}
		}
	}
	b, err := e.Wrap(data)
	if err != nil {
		return err
	}
	if err := prog.Bind(f.v, b); err != nil {
		return err
	}
	if f.buffer != nil {
		if err := f.buffer.Close(); err != nil {
			return err
		}
	}
	f.buffer, f.data, f.bound = b, data, now
	return b.Upload(data)
}

// refresh copies a boxed value into data.
func (f *feed) refresh() error {
	switch x := f.box.(type) {
	case *gorgonia.F32:
		f.data.Data.([]float32)[0] = float32(*x)
	case *gorgonia.F64:
		f.data.Data.([]float64)[0] = float64(*x)
	case *gorgonia.I:
		f.data.Data.([]int)[0] = int(*x)
	default:
		a, err := op.AsArray(f.box)
		if err != nil {
			return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: err.Error()}
		}
		copyArray(f.data, a)
	}
	return nil
}

// unbox writes an updated scalar back into the caller's value.
func (f *feed) unbox() error {
	if err := f.buffer.Download(f.data); err != nil {
		return err
	}
	setScalar(f.box, f.data)
	return nil
}

// fetch brings an output to the host.
type fetch struct {
	data   op.Array
	buffer Buffer
	value  gorgonia.Value
}

func newFetch(v *Value, e Engine, prog Program) (*fetch, error) {
	data, err := op.NewArray(v.Dtype, v.Shape)
	if err != nil {
		return nil, err
	}
	b, err := e.Wrap(data)
	if err != nil {
		return nil, err
	}
	return &fetch{data: data, buffer: b, value: data.Value()}, prog.Bind(v, b)
}

func (f *fetch) update() error {
	if err := f.buffer.Download(f.data); err != nil {
		return err
	}
	setScalar(f.value, f.data)
	return nil
}

// setScalar writes a into a scalar value; a tensor shares its memory with a already.
func setScalar(v gorgonia.Value, a op.Array) {
	switch x := v.(type) {
	case *gorgonia.F32:
		*x = gorgonia.F32(a.Data.([]float32)[0])
	case *gorgonia.F64:
		*x = gorgonia.F64(a.Data.([]float64)[0])
	case *gorgonia.I:
		*x = gorgonia.I(a.Data.([]int)[0])
	}
}

func copyArray(dst, src op.Array) {
	switch d := dst.Data.(type) {
	case []float32:
		copy(d, src.Data.([]float32))
	case []float64:
		copy(d, src.Data.([]float64))
	case []int:
		copy(d, src.Data.([]int))
	}
}
