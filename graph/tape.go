package graph

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// NewTapeMachine is gorgonia.NewTapeMachine on Stheno: the same graphs, the same options, compiled once and run fast. It takes
// every gorgonia.VMOpt of Gorgonia's tape machine, and besides [Using], [Keep] and [WithSeed]. The program must import an
// engine, such as _ "github.com/stheno-ml/stheno/cpu". Gorgonia's LispMachine, which builds graphs while they run, has no
// counterpart here: programs that use gorgonia.NewLispMachine keep it.
//
// A graph that cannot be compiled is reported by RunAll, and by [Machine.Err] before: Gorgonia's function has no error to
// return and panics.
//
// What differs from Gorgonia's machine: RunAll needs no Reset before it, and the values that a run leaves are right or absent,
// never overwritten by a later operation. They are left bound to the roots of the graph, to nodes in [Keep], and to all other
// forward nodes of at most [KeptBytes] each that are computed on their own; a node whose value is gone has a [ValueNotKept].
// gorgonia.Read always works. docs/gorgonia.md lists where results differ because Gorgonia's are wrong.
//
// Machines may run at the same time, those of one graph too: of these, the ones that change tensors of the graph (gradients of
// BindDualValues, running averages, gorgonia.Set) run one after the other.
func NewTapeMachine(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) *Machine {
	m, err := newTapeMachine(g, opts)
	if err != nil {
		return &Machine{broken: err}
	}
	return m
}

// KeptBytes is the size up to which a tape machine leaves the values of forward nodes bound to them without being asked.
const KeptBytes = 1 << 20

func newTapeMachine(g *gorgonia.ExprGraph, opts []gorgonia.VMOpt) (m *Machine, err error) {
	defer func() { // in Gorgonia's code, on a graph that it did not expect
		if r := recover(); r != nil {
			m, err = nil, &CompileError{Stage: "capture", Reason: fmt.Sprintf("panic: %v", r), Remedy: "this is a defect: please report it with the graph\n" + string(debug.Stack())}
		}
	}()
	s, err := readTapeOptions(opts)
	if err != nil {
		return nil, err
	}
	if s.graph != nil {
		g = s.graph
	}
	if g == nil {
		return nil, &CompileError{Stage: "capture", Reason: "the graph is nil"}
	}
	if slices.Contains(s.own.keep, nil) {
		return nil, &CompileError{Stage: "capture", Reason: "a node of graph.Keep is nil"}
	}
	if slices.Contains(s.bindTo, nil) {
		return nil, &CompileError{Stage: "capture", Reason: "a node of gorgonia.BindDualValues is nil"}
	}
	o := newOptions(nil, s.own.compile)
	if o.engine == nil {
		if o.engine, err = sharedEngine(); err != nil {
			return nil, err
		}
	}
	o.mode = mode{evaluating: s.evaluate, seed: uint64(time.Now().UnixNano())}
	if s.own.seed != nil {
		o.mode.seed = *s.own.seed
	}
	o.watch, o.trace, o.turn = s.watch, s.trace, turnOf(ownerOf(g))
	switch {
	case o.watch.active():
		o.passes = only("materialise") // every node is a step of its own
	case o.trace:
		o.passes = only("view", "materialise")
	}
	o.demand(g, s)
	return compile(g, o)
}

// ownerOf returns the graph that the nodes of g belong to: that of which gorgonia.CompileFunction took a part.
func ownerOf(g *gorgonia.ExprGraph) *gorgonia.ExprGraph {
	for _, n := range g.AllNodes() {
		if n.Graph() != nil {
			return n.Graph()
		}
	}
	return g
}

// demand finds out what a program that owns g may look at after a run.
func (o *options) demand(g *gorgonia.ExprGraph, s tapeSettings) {
	o.addStatements(g)
	nodes := g.AllNodes()
	bound := map[*gorgonia.Node]bool{} // nodes whose gradients go into dual values
	for _, n := range nodes {
		for _, of := range n.DerivOf() {
			if s.bind && of.Op() == nil && (len(s.bindTo) == 0 || s.bindTo.Contains(of)) {
				o.gradients = append(o.gradients, gradient{node: n, of: of})
				bound[n] = true
			}
		}
	}
	for _, n := range roots(g) {
		if !bound[n] {
			o.outputs = append(o.outputs, n)
		}
	}
	o.outputs = append(o.outputs, s.own.keep...)
	for _, n := range s.bindTo { // gradients of nodes that are not inputs stay with their nodes
		if n.Op() != nil && n.Deriv() != nil {
			o.outputs = append(o.outputs, n.Deriv())
		}
	}
	for _, n := range nodes {
		if n.Op() == nil || isStatement(n) {
			continue
		}
		o.explained = append(o.explained, n)
		switch {
		case isConstant(n):
		case o.trace: // also what nothing reads
			o.outputs = append(o.outputs, n)
		case (!inGradients(n) || derivesInput(n)) && valueBytes(n) <= KeptBytes:
			o.soft = append(o.soft, n)
		}
	}
}

// reading is a gorgonia.Read of the graph.
type reading struct {
	node *gorgonia.Node
	into *gorgonia.Value
}

// gradient is a node whose value is added to the dual value of an input after every run.
type gradient struct{ node, of *gorgonia.Node }

// addStatements adds what gorgonia.Read and gorgonia.Set of the graph ask for.
func (o *options) addStatements(g *gorgonia.ExprGraph) {
	for _, n := range g.AllNodes() {
		if !isStatement(n) {
			continue
		}
		children := op.Children(n)
		switch a := attributesOf(n.Op()); a.typeName() {
		case "readOp":
			into := (*gorgonia.Value)(a.v.FieldByName("into").UnsafePointer())
			if len(children) == 1 && into != nil {
				o.reads = append(o.reads, reading{children[0], into})
			}
		case "letOp":
			if len(children) == 2 {
				o.updates = append(o.updates, op.Update{Target: children[0], New: children[1]})
			}
		}
	}
}

// isStatement says whether n is a gorgonia.Read or gorgonia.Set, which have no value.
func isStatement(n *gorgonia.Node) bool { return n.Op() != nil && n.Type() == nil }

// inGradients says whether gorgonia.Grad made n. The mark is in an unexported field.
func inGradients(n *gorgonia.Node) bool {
	group := reflect.ValueOf(n).Elem().FieldByName("group")
	return group.IsValid() && group.Kind() == reflect.String && group.String() == "gradients"
}

func derivesInput(n *gorgonia.Node) bool {
	for _, of := range n.DerivOf() {
		if of.Op() == nil {
			return true
		}
	}
	return false
}

func valueBytes(n *gorgonia.Node) int {
	dt, err := dtypeOf(n)
	if err != nil {
		return 0
	}
	b, ok := shape.Bytes(n.Shape(), int(dt.Size()))
	if !ok {
		return KeptBytes + 1
	}
	return b
}

// accumulate adds the gradients to the dual values of their inputs.
func (c *capturer) accumulate(gradients []gradient) error {
	for _, g := range gradients {
		v, err := c.value(g.node)
		if err != nil {
			return err
		}
		dt, err := dtypeOf(g.of)
		if err != nil || dt != v.Dtype || !isFloat(dt) {
			continue
		}
		sum := c.prog.newValue("gradient of "+g.of.Name(), g.of.Shape().Clone(), dt, nil)
		sum.Input = true
		sum.source = func() (gorgonia.Value, error) { return dualOf(g.of) }
		l := c.lower(g.node, nil, v)
		next := l.emit(&op.Add{}, sum, l.reshape(v, sum.Shape...))
		if next == nil {
			return &CompileError{Stage: "capture", Node: g.of.Name(),
				Reason: fmt.Sprintf("its gradient %q has shape %v, the node %v", g.node.Name(), v.Shape, sum.Shape)}
		}
		c.prog.update(sum, next)
	}
	return nil
}

// dualOf returns the gradient part of the value that is bound to n, and makes one of zeros where there is none.
func dualOf(n *gorgonia.Node) (gorgonia.Value, error) {
	bound := reflect.ValueOf(n).Elem().FieldByName("boundTo")
	if bound.IsNil() {
		return nil, nil
	}
	if bound.Elem().Type().String() != "*gorgonia.dualValue" {
		zero, err := gorgonia.CloneValue(n.Value())
		if err != nil {
			return nil, err
		}
		if d, ok := zero.(*tensor.Dense); ok && !d.Shape().IsScalar() && boxed(d) { // of a view
			zero = tensor.New(tensor.Of(d.Dtype()), tensor.WithShape(d.Shape().Clone()...))
		}
		gorgonia.WithGrad(gorgonia.ZeroValue(zero))(n)
	}
	return n.Grad()
}

// shared is the engine of tape machines, which are made in great numbers and seldom closed. It lives as long as the
// process.
var shared = struct {
	sync.Mutex
	engine Engine
}{}

func sharedEngine() (Engine, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil {
		e, err := Open(defaultDevice, Config{})
		if err != nil {
			return nil, err
		}
		shared.engine = e
	}
	return shared.engine, nil
}

// Let binds a value to an input of the graph, as gorgonia.Let does. One that the input cannot take is a *FeedError.
func (m *Machine) Let(n *gorgonia.Node, be any) error {
	if err := m.owns(n); err != nil {
		return err
	}
	binding.Lock()
	defer binding.Unlock()
	if err := gorgonia.Let(n, be); err != nil {
		got := fmt.Sprintf("a %T", be)
		if v, ok := be.(gorgonia.Value); ok && v != nil {
			got = fmt.Sprintf("%v of shape %v", v.Dtype(), v.Shape())
		}
		wanted := fmt.Sprintf("a value of shape %v", n.Shape())
		if dt, err := dtypeOf(n); err == nil {
			wanted = fmt.Sprintf("%v of shape %v", dt, n.Shape())
		}
		return &FeedError{Node: n.Name(), Wanted: wanted, Got: got, Err: err}
	}
	return nil
}

// Set binds a copy of the value that b has now to input a. Gorgonia's tape machine binds the value itself, which here the next
// run would overwrite.
func (m *Machine) Set(a, b *gorgonia.Node) error {
	if err := errors.Join(m.owns(a), m.owns(b)); err != nil {
		return err
	}
	v := b.Value()
	if absent, ok := v.(*ValueNotKept); ok {
		return absent
	}
	if v == nil {
		return &FeedError{Node: b.Name(), Wanted: "a value", Got: "no value", Remedy: "run the machine before"}
	}
	v, err := gorgonia.CloneValue(v)
	if err != nil {
		return err
	}
	return m.Let(a, v)
}

// owns says what is wrong with a node that cannot be one of the machine's graph.
func (m *Machine) owns(n *gorgonia.Node) error {
	switch {
	case m.broken != nil:
		return m.broken
	case n == nil:
		return &FeedError{Node: "<nil>", Wanted: "a node", Got: "nil"}
	case n.Graph() != ownerOf(m.graph):
		return &FeedError{Node: n.Name(), Wanted: "a node of the machine's graph", Got: "one of another graph"}
	}
	return nil
}
