package nn

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// SummaryOptions changes the form of a summary.
type SummaryOptions struct {
	LineLength int // characters a line; 0 means Keras's: 65 for a chain of layers, 98 for a graph with branches
}

// Summary returns the text that Keras's model.summary() prints (TensorFlow 2.4), with a line break at the end. None is
// replaced by the batch size where the Input layer fixes one.
func (m *Model) Summary() string {
	var b strings.Builder
	m.WriteSummary(&b, SummaryOptions{}) // a strings.Builder does not fail
	return b.String()
}

// WriteSummary writes the summary of [Model.Summary].
func (m *Model) WriteSummary(w io.Writer, o SummaryOptions) error {
	t := table{width: 65, ends: []float64{.45, .85, 1}}
	header := []string{"Layer (type)", "Output Shape", "Param #"}
	chain := m.isChain()
	if !chain {
		t = table{width: 98, ends: []float64{.33, .55, .67, 1}}
		header = append(header, "Connected to")
	}
	if o.LineLength > 0 {
		t.width = o.LineLength
	}
	fmt.Fprintf(&t.out, "Model: \"%s\"\n", m.name)
	t.rule("_")
	t.row(header)
	t.rule("=")
	for i, n := range m.layers {
		trainable, fixed := n.count()
		fields := []string{n.name + " (" + n.class + ")", m.printedShape(n), strconv.Itoa(trainable + fixed)}
		if chain {
			t.row(fields)
		} else {
			t.branches(fields, n.inputs)
		}
		if i < len(m.layers)-1 {
			t.rule("_")
		}
	}
	t.rule("=")
	total, trainable, fixed := m.CountParams()
	fmt.Fprintf(&t.out, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n", thousands.Format(total), thousands.Format(trainable), thousands.Format(fixed))
	t.rule("_")
	_, err := io.WriteString(w, t.out.String())
	return err
}

// isChain says whether each layer feeds the next and nothing else: Keras's sequential-like.
func (m *Model) isChain() bool {
	for i, n := range m.layers {
		if i == 0 && len(n.inputs) != 0 || i > 0 && (len(n.inputs) != 1 || n.inputs[0] != m.layers[i-1]) {
			return false
		}
	}
	return true
}

// printedShape is a layer's result as Keras prints it: an input's in brackets, because it is a list of one.
func (m *Model) printedShape(n *node) string {
	s := n.shape.format(m.Batch())
	if n.class == "InputLayer" {
		return "[" + s + "]"
	}
	return s
}

// table lays out rows: each field is cut and padded so that it ends at its share of the line's width.
type table struct {
	width int
	ends  []float64
	out   strings.Builder
}

func (t *table) rule(sign string) { t.out.WriteString(strings.Repeat(sign, t.width) + "\n") }

func (t *table) row(fields []string) {
	var line []rune
	for i, f := range fields {
		if i > 0 && len(line) > 0 { // the last column of a field stays blank
			line[len(line)-1] = ' '
		}
		line = append(line, []rune(f)...)
		end := int(float64(t.width) * t.ends[i])
		line = line[:min(end, len(line))]
		for len(line) < end {
			line = append(line, ' ')
		}
	}
	t.out.WriteString(string(line) + "\n")
}

// branches adds the column of inputs; those after the first go on lines of their own.
func (t *table) branches(fields []string, inputs []*node) {
	first := ""
	for i, in := range inputs {
		c := in.name + "[0][0]" // a layer is applied once and has one result
		if i == 0 {
			first = c
			t.row(append(fields, first))
		} else {
			t.row([]string{"", "", "", c})
		}
	}
	if len(inputs) == 0 {
		t.row(append(fields, first))
	}
}

type summaryJSON struct {
	Model        string      `json:"model"`
	DataFormat   string      `json:"data_format"`
	Layers       []layerJSON `json:"layers"`
	Total        int         `json:"total_params"`
	Trainable    int         `json:"trainable_params"`
	NonTrainable int         `json:"non_trainable_params"`
}

type layerJSON struct {
	Name        string   `json:"layer"`
	Class       string   `json:"class"`
	OutputShape []*int   `json:"output_shape"`
	Params      int      `json:"params"`
	Trainable   int      `json:"trainable_params"`
	ConnectedTo []string `json:"connected_to"`
}

// SummaryJSON returns the summary as indented JSON: name, class, output shape (null for an open batch axis),
// parameters and connected_to for each layer in Keras's order, and the totals.
func (m *Model) SummaryJSON() ([]byte, error) {
	total, trainable, fixed := m.CountParams()
	s := summaryJSON{Model: m.name, DataFormat: "channels_last", Total: total, Trainable: trainable, NonTrainable: fixed}
	if m.format == ChannelsFirst {
		s.DataFormat = "channels_first"
	}
	for _, l := range m.Layers() {
		j := layerJSON{Name: l.Name, Class: l.Class, OutputShape: []*int{nil}, Params: l.Trainable + l.Fixed,
			Trainable: l.Trainable, ConnectedTo: append([]string{}, l.Inputs...)}
		if batch := m.Batch(); batch > 0 {
			j.OutputShape[0] = &batch
		}
		for _, d := range l.OutputShape {
			j.OutputShape = append(j.OutputShape, &d)
		}
		s.Layers = append(s.Layers, j)
	}
	return json.MarshalIndent(s, "", "  ")
}
