package onnx

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/nn"
)

// The versions that are written: an operator set that every runtime of the last years knows.
const (
	writtenIR    = 8
	writtenOpset = 17
)

// WriteConfig says how a model is written. The zero value is the default.
type WriteConfig struct {
	// Logits leaves out a softmax at the end of each output: the output is its input.
	Logits bool
}

// Write stores a model, with its weights and for inference, in a file, which is replaced as a whole or not at all. The batch size stays
// open. Inputs and outputs have the axes that they have here, channels last where the model has them so; between them ONNX's order is
// used, channels first, and a transposition stands only where an operation wants the axes in the model's order, such as at an input
// and in front of a Flatten. Weights carry their names here, kernels in ONNX's layout.
//
// What is written are the operations that the layers are made of, so that layers of programs can be written, too. An operation that has no
// counterpart in ONNX is a *[GraphError], which names the layer.
func Write(path string, m *nn.Model, c WriteConfig) error {
	e, err := export(m, c)
	if err != nil {
		return withPath(err, path)
	}
	if err := atomicfile.WriteFile(path, e.writeTo); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// Encode is Write to w.
func Encode(w io.Writer, m *nn.Model, c WriteConfig) error {
	e, err := export(m, c)
	if err != nil {
		return err
	}
	return e.writeTo(w)
}

// exportBatches are the batch sizes that are compared.
var exportBatches = [2]int{2, 3}

// export builds the model for two batch sizes: what differs between both is the batch.
func export(m *nn.Model, c WriteConfig) (*encoder, error) {
	var nets [2]*nn.Net
	for i, batch := range exportBatches {
		var err error
		if nets[i], err = m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: batch}); err != nil {
			return nil, fmt.Errorf("onnx: %w", err)
		}
	}
	e := &exporter{twins: map[*gorgonia.Node]*gorgonia.Node{}, values: map[*gorgonia.Node]*forms{}, users: map[*gorgonia.Node][]*gorgonia.Node{},
		names: map[string]bool{}, labels: map[string]bool{}, constants: map[string]string{}, elem: elemFloat}
	if dt, ok := m.Dtype(); ok && dt == tensor.Float64 {
		e.elem = elemDouble
	}
	inputs, outs, twins := nets[0].Inputs, nets[0].Outputs, nets[1].Outputs
	if c.Logits {
		outs, twins = nets[0].AllLogits, nets[1].AllLogits
	}
	order, err := e.pair(outs, twins)
	if err != nil {
		return nil, err
	}
	e.input = inputs[0]
	for _, in := range inputs {
		e.values[in] = &forms{logical: e.unique(in.Name())}
	}
	results := make([]string, len(outs))
	for i, out := range outs {
		results[i] = e.unique(out.Name())
	}
	for _, n := range order {
		if n.Op() != nil && !slices.Contains(inputs, n) {
			if err := e.node(n); err != nil {
				return nil, err
			}
		}
	}
	for i, out := range outs {
		e.emit("Identity", []string{e.form(out, logical)}, results[i])
	}
	if e.err != nil {
		return nil, e.err
	}
	graph := &encoder{}
	for _, n := range e.nodes {
		graph.message(1, n)
	}
	graph.text(2, m.Name())
	for _, t := range e.tensors {
		graph.message(5, t)
	}
	for i, in := range inputs {
		graph.message(11, valueMessage(e.values[in].logical, e.elemOf(in), openDims(in, nets[1].Inputs[i]), "batch"))
	}
	for i, out := range outs {
		graph.message(12, valueMessage(results[i], e.elemOf(out), openDims(out, twins[i]), "batch"))
	}
	model := &encoder{}
	model.integer(1, writtenIR)
	model.text(2, "stheno")
	model.message(7, graph)
	opset := &encoder{}
	opset.text(1, "")
	opset.integer(2, writtenOpset)
	model.message(8, opset)
	model.flush()
	if model.size > math.MaxInt32 {
		return nil, &GraphError{Node: m.Name(), Problem: fmt.Sprintf("would make a file of %d bytes; files of this format hold at most 2 GiB", model.size)}
	}
	return model, nil
}

// elemOf is the type of a node's elements in the file.
func (e *exporter) elemOf(n *gorgonia.Node) elemType {
	if n.Dtype() == tensor.Int {
		return elemInt64
	}
	return e.elem
}

// openDims is a shape in which axes that differ between two batch sizes are −1.
func openDims(a, b *gorgonia.Node) []int { return openOf(a.Shape(), b.Shape()) }

func openOf(a, b []int) []int {
	out := slices.Clone(a)
	for i := range out {
		if a[i] != b[i] {
			out[i] = -1
		}
	}
	return out
}

const (
	logical  form = iota // as here
	channels             // (batch, rows, columns, channels) as ONNX has it: (batch, channels, rows, columns)
)

type exporter struct {
	twins     map[*gorgonia.Node]*gorgonia.Node // the same node of the build for another batch size
	values    map[*gorgonia.Node]*forms
	users     map[*gorgonia.Node][]*gorgonia.Node
	nodes     []*encoder
	tensors   []*encoder
	names     map[string]bool
	constants map[string]string
	elem      elemType
	input     *gorgonia.Node // the first
	batch     string         // the batch size as a vector of one element, where it is needed
	at        *gorgonia.Node // the node that is being written
	label     string         // of the next node; its result's name if empty
	labels    map[string]bool
	err       error
}

// pair lists the nodes that lead to outputs, inputs first, and finds their twins. What is an output has it as a user, nil.
func (e *exporter) pair(outs, twins gorgonia.Nodes) (order []*gorgonia.Node, err error) {
	for i, a := range outs {
		e.users[a] = append(e.users[a], nil)
		if known := e.twins[a]; known != nil {
			if known != twins[i] {
				return nil, e.differ(a)
			}
			continue
		}
		if order, err = e.pairFrom(a, twins[i], order); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// pairFrom appends the nodes that lead to a and are not there yet.
func (e *exporter) pairFrom(a, b *gorgonia.Node, order []*gorgonia.Node) ([]*gorgonia.Node, error) {
	type frame struct {
		n    *gorgonia.Node
		next int
	}
	e.twins[a] = b
	for stack := []frame{{n: a}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		mine, its := op.Children(top.n), op.Children(e.twins[top.n])
		if len(mine) != len(its) {
			return nil, e.differ(top.n)
		}
		if top.next == len(mine) {
			order = append(order, top.n)
			stack = stack[:len(stack)-1]
			continue
		}
		child, twin := mine[top.next], its[top.next]
		top.next++
		e.users[child] = append(e.users[child], top.n)
		if known := e.twins[child]; known != nil {
			if known != twin {
				return nil, e.differ(child)
			}
			continue
		}
		e.twins[child] = twin
		stack = append(stack, frame{n: child})
	}
	return order, nil
}

func (e *exporter) differ(n *gorgonia.Node) error {
	return &GraphError{Node: fmt.Sprintf("layer %q", n.Name()), Problem: "is built differently for other batch sizes; such models cannot be written"}
}

func (e *exporter) fail(format string, args ...any) {
	if e.err == nil {
		e.err = &GraphError{Node: fmt.Sprintf("layer %q", e.at.Name()), Problem: fmt.Sprintf(format, args...)}
	}
}

// unique makes a name of its own of a node's.
func (e *exporter) unique(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_/.-", r) {
			return r
		}
		return '_'
	}, name)
	at := name
	for i := 1; e.names[at] || at == ""; i++ {
		at = fmt.Sprintf("%s_%d", name, i)
	}
	e.names[at] = true
	return at
}

// emit writes a node and returns its result's name, which is result if given.
func (e *exporter) emit(opType string, in []string, result string, attrs ...attr) string {
	if result == "" {
		result = e.unique(e.at.Name() + "/" + opType)
	}
	n := &encoder{}
	for _, name := range in {
		n.text(1, name)
	}
	n.text(2, result)
	name := cmp.Or(e.label, result)
	for i, base := 1, name+"/"+opType; e.labels[name]; i++ { // runtimes want names of nodes of their own
		name = base
		if i > 1 {
			name = fmt.Sprintf("%s_%d", base, i)
		}
	}
	n.text(3, name)
	e.labels[name], e.label = true, ""
	n.text(4, opType)
	for _, a := range attrs {
		n.message(5, attrMessage(a))
	}
	e.nodes = append(e.nodes, n)
	return result
}

// node writes an operation.
func (e *exporter) node(n *gorgonia.Node) error {
	e.at = n
	if e.values[n] == nil {
		e.values[n] = &forms{}
	}
	if e.isFixed(n) {
		return nil // it is written where it is asked for
	}
	o, ok := n.Op().(op.Op)
	if !ok {
		e.fail("has the operation %v of Gorgonia, which is not written; use those of graph/op", n.Op())
		return e.err
	}
	write := exporters[o.Kind()]
	if write == nil {
		e.fail("has the operation %s, which has no counterpart in ONNX here", o.Kind())
		return e.err
	}
	write(e, n, o)
	return e.err
}

// set keeps the name of a node's result.
func (e *exporter) set(n *gorgonia.Node, f form, name string) { *e.values[n].at(f) = name }
