package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// The versions of ONNX's operator set that are understood. Of versions before 7, what was changed later is refused where it matters.
const (
	oldestOpset = 1
	newestOpset = 28
)

// Graph is a model that was read from a file and checked: every value is computed once, before it is used. It builds Gorgonia graphs
// by [Graph.Build] and becomes a model of package nn by [Graph.Model]; all of them share the weights.
type Graph struct {
	Name     string            // of the graph
	Producer string            // who wrote the file, such as "pytorch 2.5.1"
	Opset    int               // version of ONNX's own operator set
	Metadata map[string]string // metadata_props
	Inputs   []Value           // inputs that are no initializers
	Outputs  []Value

	path, folder string
	size         int64
	nodes        []*nodeProto // live ones, in an order in which they can be computed
	initial      map[string]*tensorProto
	weights      map[weightKey]*nn.Weight
	order        []weightKey // of the weights, as they were met
}

// Value is an input or an output of a graph.
type Value struct {
	Name string
	Type string // of its elements, such as "float" or "int64"; empty where the file doesn't say
	Dims []Dim  // nil where the file doesn't say
}

// Dim is the size of an axis: a number, or a name for a number that is open, such as "batch".
type Dim struct {
	Size  int // −1 where it is open
	Param string
}

// String is the size, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Param != "":
		return d.Param
	}
	return "?"
}

// Read reads and checks the model in a file. External data is read from files in the model's folder, and from nowhere else. What is
// wrong with a file is a *[FormatError] or a *[GraphError]; operations that are not supported show when a graph is built.
func Read(path string) (*Graph, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("onnx: %s is not a regular file", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	g, err := decode(raw, filepath.Dir(path))
	if err != nil {
		return nil, withPath(err, path)
	}
	g.path = path
	return g, nil
}

// Decode is Read of the bytes of a file, which the graph goes on using. They must hold all data.
func Decode(raw []byte) (*Graph, error) { return decode(raw, "") }

// withPath fills in the file of an error of this package.
func withPath(err error, path string) error {
	switch e := err.(type) {
	case *FormatError:
		e.Path = path
	case *GraphError:
		e.Path = path
	case *UnsupportedError:
		e.Path = path
	}
	return err
}

func decode(raw []byte, folder string) (*Graph, error) {
	m, err := parseModel(raw)
	if err != nil {
		return nil, err
	}
	if m.graph == nil || m.irVersion < 1 {
		return nil, &FormatError{Offset: 0, Expected: "a model with a version and a graph", Found: "none; is this an ONNX file?"}
	}
	g := &Graph{Name: m.graph.name, Producer: strings.TrimSpace(m.producerName + " " + m.producerVersion), folder: folder, size: int64(len(raw)),
		Metadata: map[string]string{}, initial: map[string]*tensorProto{}, weights: map[weightKey]*nn.Weight{}}
	for _, e := range m.metadata {
		g.Metadata[e.key] = e.value
	}
	for _, o := range m.opsets {
		if isOwnDomain(o.domain) {
			g.Opset = int(min(max(o.version, 0), 1<<20))
		}
	}
	if g.Opset < oldestOpset || g.Opset > newestOpset {
		return nil, &GraphError{Problem: fmt.Sprintf("uses version %d of ONNX's operator set; versions %d to %d are understood", g.Opset, oldestOpset, newestOpset),
			Remedy: "convert it with onnx.version_converter"}
	}
	if err := g.check(m.graph); err != nil {
		return nil, err
	}
	return g, nil
}

func isOwnDomain(domain string) bool { return domain == "" || domain == "ai.onnx" }

// String is how errors call a node.
func (n *nodeProto) String() string {
	name := n.name
	if name == "" && len(n.outputs) > 0 {
		name = n.outputs[0]
	}
	return fmt.Sprintf("%s %q", n.fullType(), name)
}

func (n *nodeProto) fullType() string {
	if isOwnDomain(n.domain) {
		return n.opType
	}
	return n.domain + "." + n.opType
}

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
		g.initial[t.name] = t
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
		n.captured = capturedBy(n)
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
	if len(n.captured) == 0 {
		return n.inputs
	}
	return append(append([]string(nil), n.inputs...), n.captured...)
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

const (
	maxRank = 16
	maxSize = 1 << 31
)

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
