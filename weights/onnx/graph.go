package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

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
	raw          []byte // the file
	size         int64
	nodes        []*nodeProto // live ones, in an order in which they can be computed
	initial      map[string]*tensorProto
	stored       []*tensorProto // the same, in the order of the file
	weights      map[weightKey]*nn.Weight
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

// Is says whether a file that begins so may be an ONNX model: the number of the format's version, and another of a model's fields.
func Is(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 0x40 && bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72}, head[2]) >= 0
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
	g := &Graph{Name: m.graph.name, Producer: strings.TrimSpace(m.producerName + " " + m.producerVersion), folder: folder, raw: raw, size: int64(len(raw)),
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
	name := n.opType
	if !isOwnDomain(n.domain) {
		name = n.domain + "." + name
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name) // errors name it, and terminals obey control characters
	}
	return name
}

const (
	maxRank = 16
	maxSize = 1<<31 - 1
)
