package graph

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

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
		m.feeds = append(m.feeds, &feed{v: v, hosted: m.turn != nil})
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
