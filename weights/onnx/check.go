package onnx

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// check fills in the parts of g from the graph of the file.
func (g *Graph) check(p *graphProto) error {
	if p.sparse > 0 {
		return &GraphError{Problem: "has sparse initializers, which are not supported", Remedy: "store them as full tensors"}
	}
	made := map[string]string{} // a value's name → what makes it
	define := func(name, by string) error {
		if first, ok := made[name]; ok {
			return &GraphError{Node: by, Problem: fmt.Sprintf("the value %q is made twice, first by %s", name, first)}
		}
		made[name] = by
		return nil
	}
	for _, t := range p.initializers {
		if t.name == "" {
			return t.bad("named initializers", "no name")
		}
		if err := define(t.name, "an initializer"); err != nil {
			return err
		}
		if err := t.check(); err != nil {
			return err
		}
		g.initial[t.name], g.stored = t, append(g.stored, t)
	}
	for _, v := range p.inputs {
		if g.initial[v.name] != nil {
			continue // its default; the value that counts is the initializer's
		}
		if v.name == "" {
			return &GraphError{Problem: "has an input without a name"}
		}
		if err := define(v.name, "an input"); err != nil {
			return err
		}
		value, err := v.value()
		if err != nil {
			return err
		}
		g.Inputs = append(g.Inputs, value)
	}
	producer := map[string]*nodeProto{}
	for _, n := range p.nodes {
		if captured := capturedBy(n); len(captured) > 0 {
			n.captured = append(slices.Clone(n.inputs), captured...)
		}
		if n.opType == "" {
			return &FormatError{Offset: n.at, Expected: "nodes with an op_type", Found: "none"}
		}
		for _, out := range n.outputs {
			if out == "" {
				continue
			}
			if err := define(out, n.String()); err != nil {
				return err
			}
			producer[out] = n
		}
	}
	names := make([]string, 0, len(made))
	for name := range made {
		names = append(names, name)
	}
	for _, v := range p.outputs {
		if made[v.name] == "" {
			return &GraphError{Problem: fmt.Sprintf("its output %q is not made by anything%s", v.name, phrase(v.name, names))}
		}
		value, err := v.value()
		if err != nil {
			return err
		}
		g.Outputs = append(g.Outputs, value)
	}
	if len(g.Outputs) == 0 {
		return &GraphError{Problem: "has no output"}
	}
	for _, n := range p.nodes {
		for i, in := range n.inputs {
			if in != "" && made[in] == "" {
				return &GraphError{Node: n.String(), Problem: fmt.Sprintf("input %d, %q, is not made by anything%s", i, in, phrase(in, names))}
			}
		}
	}
	return g.sort(producer)
}

// needs are the values that a node uses, those of graphs in its attributes included.
func (n *nodeProto) needs() []string {
	if n.captured == nil {
		return n.inputs
	}
	return n.captured
}

// capturedBy lists the values that the graphs in a node's attributes use and don't make.
func capturedBy(n *nodeProto) []string {
	var out []string
	for _, a := range n.attributes {
		if a.g == nil {
			continue
		}
		made := map[string]bool{"": true}
		for _, t := range a.g.initializers {
			made[t.name] = true
		}
		for _, v := range a.g.inputs {
			made[v.name] = true
		}
		for _, inner := range a.g.nodes {
			for _, name := range inner.outputs {
				made[name] = true
			}
		}
		use := func(names []string) {
			for _, name := range names {
				if !made[name] {
					made[name] = true
					out = append(out, name)
				}
			}
		}
		for _, inner := range a.g.nodes {
			use(inner.inputs)
			use(capturedBy(inner))
		}
		for _, v := range a.g.outputs {
			use([]string{v.name})
		}
	}
	return out
}

// phrase suggests a name, of not too many.
func phrase(name string, names []string) string {
	if len(names) > 1000 {
		return ""
	}
	return suggest.Phrase(name, names)
}

// sort orders the nodes that lead to the outputs: producers first. It keeps its own stack, since files may be deep.
func (g *Graph) sort(producer map[string]*nodeProto) error {
	const open, done = 1, 2
	state := map[*nodeProto]int{}
	type frame struct {
		n    *nodeProto
		next int
	}
	var stack []frame
	push := func(name string) error {
		n := producer[name]
		if n == nil || state[n] == done {
			return nil
		}
		if state[n] == open {
			return &GraphError{Node: n.String(), Problem: fmt.Sprintf("depends on itself: its result %q leads back to its inputs", name)}
		}
		state[n] = open
		stack = append(stack, frame{n: n})
		return nil
	}
	for _, out := range g.Outputs {
		if err := push(out.Name); err != nil {
			return err
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if deps := top.n.needs(); top.next < len(deps) {
				in := deps[top.next]
				top.next++
				if err := push(in); err != nil {
					return err
				}
				continue
			}
			state[top.n] = done
			g.nodes = append(g.nodes, top.n)
			stack = stack[:len(stack)-1]
		}
	}
	return nil
}

func (v valueInfo) value() (Value, error) {
	out := Value{Name: v.name}
	if v.elem != 0 {
		out.Type = v.elem.String()
	}
	if !v.ranked {
		return out, nil
	}
	if len(v.dims) > maxRank {
		return out, &GraphError{Node: fmt.Sprintf("%q", v.name), Problem: fmt.Sprintf("has %d axes, at most %d are supported", len(v.dims), maxRank)}
	}
	out.Dims = []Dim{}
	for _, d := range v.dims {
		switch {
		case !d.fixed:
			out.Dims = append(out.Dims, Dim{-1, d.param})
		case d.size < 0 || d.size > maxSize:
			return out, &GraphError{Node: fmt.Sprintf("%q", v.name), Problem: fmt.Sprintf("declares an axis of size %d", d.size)}
		default:
			out.Dims = append(out.Dims, Dim{Size: int(d.size)})
		}
	}
	return out, nil
}

// Unsupported returns an *[UnsupportedError] if the graph has operations that this package doesn't know.
func (g *Graph) Unsupported() error {
	missing := map[string]int{}
	for _, n := range g.nodes {
		if _, ok := operators[n.fullType()]; !ok {
			missing[n.fullType()]++
		}
	}
	if len(missing) > 0 {
		return &UnsupportedError{Path: g.path, Ops: missing}
	}
	return nil
}
