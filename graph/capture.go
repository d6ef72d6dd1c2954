package graph

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// capture reads what the options ask for out of g: steps over values, in no particular order yet (order fixes it). Nodes
// that nothing asked for, such as the gradients that Gorgonia leaves behind, are never looked at.
func capture(g *gorgonia.ExprGraph, o *options) (*program, error) {
	c := &capturer{
		mode:    o.mode,
		graph:   g,
		prog:    &program{producer: map[*Value]*Step{}, slices: map[unsafe.Pointer]*movingSlice{}},
		values:  map[*gorgonia.Node]*Value{},
		rank:    map[*gorgonia.Node]int{},
		moments: map[*gorgonia.BatchNormOp]*moments{},
		running: map[*gorgonia.BatchNormOp]*moments{},
		streams: map[any]uint32{},
	}
	for i, n := range g.AllNodes() {
		c.rank[n] = i
	}
	for _, n := range o.outputs {
		if err := c.output(n); err != nil {
			return nil, err
		}
	}
	for _, r := range o.reads {
		if err := c.output(r.node); err != nil {
			return nil, err
		}
	}
	if err := c.updates(o.updates); err != nil {
		return nil, err
	}
	if err := c.accumulate(o.gradients); err != nil {
		return nil, err
	}
	for _, n := range o.soft {
		if v := c.values[n]; v != nil {
			v.soft = true
		}
	}
	if rank, ok := c.rank[o.since]; ok {
		c.prog.updatesSince = rank
	}
	for _, n := range o.shared {
		if v := c.values[n]; v != nil && v.Input {
			v.Variable = true
		}
	}
	for _, n := range o.resident {
		if v := c.values[n]; v != nil && v.Input {
			v.Resident = !v.Variable
		}
	}
	for _, n := range o.constants {
		if v := c.values[n]; v != nil && v.Input && !v.Variable {
			v.Resident, v.unchanging = true, true
		}
	}
	return c.prog, nil
}

func (c *capturer) output(n *gorgonia.Node) error {
	v, err := c.value(n)
	if err == nil {
		c.prog.outputs = append(c.prog.outputs, v)
	}
	return err
}

type capturer struct {
	mode
	graph  *gorgonia.ExprGraph
	prog   *program
	values map[*gorgonia.Node]*Value
	rank   map[*gorgonia.Node]int
	bytes  int // of all values so far

	moments, running map[*gorgonia.BatchNormOp]*moments // of stock batch norms
	streams          map[any]uint32                     // of stock sources of randomness
}

// value returns the value of a node, capturing all it depends on. It walks with a stack of its own: graphs of deep
// nets are thousands of nodes deep.
func (c *capturer) value(root *gorgonia.Node) (*Value, error) {
	type frame struct {
		n        *gorgonia.Node
		children []*gorgonia.Node
		next     int
	}
	onPath := map[*gorgonia.Node]bool{}
	stack := []*frame{{n: root}}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		c.prog.work++
		if c.values[f.n] != nil {
			stack = stack[:len(stack)-1]
			continue
		}
		if f.children == nil {
			if _, ok := c.rank[f.n]; !ok {
				return nil, &CompileError{Stage: "capture", Node: f.n.Name(), Reason: "the node is not part of this graph"}
			}
			f.children = op.Children(f.n)
			onPath[f.n] = true
		}
		if f.next < len(f.children) {
			child := f.children[f.next]
			f.next++
			if onPath[child] && c.values[child] == nil {
				return nil, &CompileError{Stage: "capture", Node: child.Name(), Reason: "the graph has a cycle through this node"}
			}
			if c.values[child] == nil {
				stack = append(stack, &frame{n: child})
			}
			continue
		}
		if err := c.node(f.n, f.children); err != nil {
			return nil, err
		}
		delete(onPath, f.n)
		stack = stack[:len(stack)-1]
	}
	return c.values[root], nil
}

// node captures one node whose children are captured.
func (c *capturer) node(n *gorgonia.Node, children []*gorgonia.Node) error {
	dt, err := dtypeOf(n)
	if err != nil {
		return err
	}
	if _, err := op.NewArray(dt, tensor.ScalarShape()); err != nil {
		return &CompileError{Stage: "capture", Node: n.Name(), Reason: fmt.Sprintf("element type %v is not supported", dt),
			Remedy: "use float32 or float64 (int for labels and counters)"}
	}
	bytes, ok := shape.Bytes(n.Shape(), int(dt.Size()))
	if c.bytes += bytes; !ok || c.bytes > shape.MaxBytes {
		return &CompileError{Stage: "capture", Node: n.Name(),
			Reason: fmt.Sprintf("no memory can hold its value of shape %s", shape.Format(n.Shape())),
			Remedy: "check the sizes of the inputs, the batch first"}
	}
	v := c.prog.newValue(n.Name(), n.Shape().Clone(), dt, n)
	c.values[n] = v
	if k, ok := constantOf(n); ok {
		a, err := op.AsArray(k)
		if err != nil {
			return &CompileError{Stage: "capture", Node: n.Name(), Reason: "a constant of an element type that is not supported", Err: err}
		}
		v.Const = &a
		return nil
	}
	if n.Op() == nil {
		if tt, ok := n.Type().(gorgonia.TensorType); ok && tt.Dims != len(v.Shape) {
			return &CompileError{Stage: "capture", Node: n.Name(), Reason: fmt.Sprintf("the input has %d axes and no shape", tt.Dims),
				Remedy: "give it one with gorgonia.WithShape"}
		}
		v.Input = true
		return nil
	}
	if v.Const = sizeOf(n, children, dt); v.Const != nil {
		return nil
	}
	in := make([]*Value, len(children))
	for i, child := range children {
		in[i] = c.values[child]
	}
	if o, ok := n.Op().(op.Op); ok {
		if c.primitive(o, c.rank[n], in, v) {
			return nil
		}
		c.prog.addStep(&Step{Instr: o, In: in, Out: []*Value{v}, rank: c.rank[n]})
		return nil
	}
	if c.stock(n, in, v) {
		return nil
	}
	if err := hostable(n); err != nil {
		return err
	}
	c.prog.host = append(c.prog.host, n.Op().String())
	c.prog.addStep(&Step{Instr: &HostOp{Op: n.Op(), turn: turnOf(c.graph)}, In: in, Out: []*Value{v}, rank: c.rank[n]})
	return nil
}

func (c *capturer) updates(updates []op.Update) error {
	seen := map[*gorgonia.Node]bool{}
	for _, u := range updates {
		if u.Target == nil || u.New == nil {
			return &CompileError{Stage: "capture", Reason: "an update has a nil Target or New"}
		}
		name := u.Target.Name()
		switch {
		case u.Target.Op() != nil:
			return &CompileError{Stage: "capture", Node: name, Reason: "the target of an update must be an input of the graph",
				Remedy: "make it with gorgonia.NewTensor and give it a value"}
		case seen[u.Target]:
			return &CompileError{Stage: "capture", Node: name, Reason: "two updates have the same target"}
		case !shape.Equal(u.Target.Shape(), u.New.Shape()):
			return &CompileError{Stage: "capture", Node: name,
				Reason: fmt.Sprintf("the update has shape %v, its target %v", u.New.Shape(), u.Target.Shape())}
		}
		seen[u.Target] = true
		v, err := c.value(u.New)
		if err != nil {
			return err
		}
		t, err := c.value(u.Target)
		if err != nil {
			return err
		}
		if t.Dtype != v.Dtype {
			return &CompileError{Stage: "capture", Node: name,
				Reason: fmt.Sprintf("the update is %v, its target %v", v.Dtype, t.Dtype)}
		}
		c.prog.update(t, v)
	}
	return nil
}

// dtypeOf is Node.Dtype without its panic on statements.
func dtypeOf(n *gorgonia.Node) (tensor.Dtype, error) {
	var elem any = n.Type()
	for { // a DiagFlat is a matrix of vectors
		switch t := elem.(type) {
		case gorgonia.TensorType:
			elem = t.Of
			continue
		case *gorgonia.TensorType:
			elem = t.Of
			continue
		case tensor.Dtype:
			return t, nil
		}
		break
	}
	if n.Type() == nil {
		return tensor.Dtype{}, &CompileError{Stage: "capture", Node: n.Name(), Reason: "a statement has no value",
			Remedy: "leave gorgonia.Read and gorgonia.Set out: name outputs with WithOutputs, new values of variables with WithUpdates"}
	}
	return tensor.Dtype{}, &CompileError{Stage: "capture", Node: n.Name(),
		Reason: fmt.Sprintf("a node of type %v has no element type", n.Type())}
}

func isConstant(n *gorgonia.Node) bool { _, ok := constantOf(n); return ok }

// constantOf returns the value of a node that Gorgonia made as a constant.
func constantOf(n *gorgonia.Node) (gorgonia.Value, bool) {
	if k, ok := n.Op().(interface{ Value() gorgonia.Value }); ok {
		return k.Value(), true
	}
	return nil, false
}
