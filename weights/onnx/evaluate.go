package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// evaluator computes the values of a graph one after the other.
type evaluator struct {
	g      *Graph
	leaves leaves
	values map[string]*value
	train  *training
	budget int64
	absent map[string]string // results that operations don't make, and by whom
	outer  *evaluator        // of the graph around this one
}

func (g *Graph) evaluator(l leaves, values map[string]*value, train *training, budget int64) *evaluator {
	if budget <= 0 {
		budget = 256<<20 + 16*g.size
	}
	return &evaluator{g: g, leaves: l, values: values, train: train, budget: budget, absent: map[string]string{}}
}

// run computes nodes in their order.
func (e *evaluator) run(nodes []*nodeProto) error {
	if err := e.g.Unsupported(); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := e.node(n); err != nil {
			return err
		}
	}
	return nil
}

// lookup returns a value by name, initializers too; nil for "".
func (e *evaluator) lookup(name string) (*value, error) {
	if name == "" {
		return nil, nil
	}
	if v := e.values[name]; v != nil {
		return v, nil
	}
	if e.outer != nil {
		return e.outer.lookup(name)
	}
	if t := e.g.initial[name]; t != nil {
		v := &value{stored: t, name: name, shape: ints(t.dims)}
		e.values[name] = v
		return v, nil
	}
	if by := e.absent[name]; by != "" {
		return nil, &GraphError{Node: by, Problem: fmt.Sprintf("its result %q is not supported", name)}
	}
	return nil, &GraphError{Problem: fmt.Sprintf("there is no value %q", name)}
}

func (e *evaluator) node(n *nodeProto) error {
	o, known := operators[n.fullType()]
	if !known { // in a branch
		return &UnsupportedError{Ops: map[string]int{n.fullType(): 1}}
	}
	c := &call{node: n, scope: e, version: e.g.Opset, leaves: e.leaves, folder: e.g.folder, budget: &e.budget, train: e.train, read: map[string]bool{},
		out: make([]*value, len(n.outputs))}
	folds := o.fold != nil
	for i, name := range n.inputs {
		v, err := e.lookup(name)
		if err != nil {
			return err
		}
		c.in = append(c.in, v)
		folds = folds && c.isFixed(i)
	}
	for len(c.in) > 0 && c.in[len(c.in)-1] == nil {
		c.in = c.in[:len(c.in)-1]
	}
	if folds {
		c.fix(o.fold(c))
	} else {
		o.lower(c)
	}
	c.unread()
	if c.err != nil {
		return c.err
	}
	for i, name := range n.outputs {
		switch v := c.out[i]; {
		case name == "":
		case v == nil:
			e.absent[name] = n.String()
		default:
			e.values[name] = v
			if v.node != nil && v.node.Op() != nil && i == 0 && !isAny(c.in, v.node) {
				gorgonia.WithName(name)(v.node)
			}
		}
	}
	return nil
}

// branch computes a graph inside a node, which sees the values around it and whose results they become.
func (e *evaluator) branch(g *graphProto) ([]*value, error) {
	inner := &evaluator{g: e.g, leaves: e.leaves, values: map[string]*value{}, train: e.train, budget: e.budget, absent: e.absent, outer: e}
	for _, t := range g.initializers {
		if err := t.check(); err != nil {
			return nil, err
		}
		inner.values[t.name] = &value{stored: t, name: t.name, inNode: true, shape: ints(t.dims)}
	}
	for _, n := range g.nodes {
		if err := inner.node(n); err != nil {
			return nil, err
		}
	}
	e.budget = inner.budget
	var out []*value
	for _, v := range g.outputs {
		x, err := inner.lookup(v.name)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// isAny says whether a node is one of the inputs, handed on.
func isAny(in []*value, n *gorgonia.Node) bool {
	return slices.ContainsFunc(in, func(v *value) bool { return v != nil && v.node == n })
}

// output returns a value as a node.
func (e *evaluator) output(name string) (*gorgonia.Node, error) {
	v, err := e.lookup(name)
	if err != nil {
		return nil, err
	}
	if v != nil && v.node != nil {
		return v.node, nil
	}
	c := &call{node: &nodeProto{opType: "Output", name: name, inputs: []string{name}}, in: []*value{v}, leaves: e.leaves, folder: e.g.folder, budget: &e.budget}
	n := c.x(0)
	return n, c.err
}
