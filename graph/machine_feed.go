package graph

import (
	"fmt"

	"gorgonia.org/tensor"
)

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
	stale := false
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
		stale = stale || f.stale
	}
	if stale {
		if err := m.together(m.upload); err != nil {
			return err
		}
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
