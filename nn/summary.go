package nn

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// SummaryStyle is whose text a summary is. The zero value is StyleTF24.
type SummaryStyle string

const (
	// StyleTF24 is that of TensorFlow 2.4's Keras, with a rule between layers and names that are cut.
	StyleTF24 SummaryStyle = "tf2.4"
	// StyleKeras2 is that of the last versions of Keras 2 (TensorFlow 2.8 to 2.15).
	StyleKeras2 SummaryStyle = "keras2"
	// StyleKeras3 is that of Keras 3: a table of box-drawing characters.
	StyleKeras3 SummaryStyle = "keras3"
)

// SummaryOptions changes the form of a summary.
type SummaryOptions struct {
	// Style is whose text it is.
	Style SummaryStyle
	// LineLength is the number of characters of a line; 0 means Keras's: 65 for a chain of layers and 98 for a graph with
	// branches, of Keras 3 88 and 108; a column for ShowTrainable is extra.
	LineLength int
	// ExpandNested also prints the layers of nested models. Not of StyleTF24.
	ExpandNested bool
	// ShowTrainable adds a column that says which layers are trained (Y) and which are frozen (N). Not of StyleTF24.
	ShowTrainable bool
}

// longestLine bounds SummaryOptions.LineLength: more is a slip, and each layer has a line of it.
const longestLine = 10_000

// Summary returns the text that Keras's model.summary() prints (TensorFlow 2.4), with a line break at the end. None is
// replaced by the batch size where the Input layer fixes one.
func (m *Model) Summary() string {
	var b strings.Builder
	m.WriteSummary(&b, SummaryOptions{}) // a strings.Builder does not fail
	return b.String()
}

// WriteSummary writes a summary in one of Keras's forms.
func (m *Model) WriteSummary(w io.Writer, o SummaryOptions) error {
	if o.LineLength < 0 || o.LineLength > longestLine {
		return m.fail(ErrArgument, "use 0 for Keras's own", "LineLength must be from 0 to %d, is %d", longestLine, o.LineLength)
	}
	switch o.Style {
	case StyleKeras2:
		return m.writeKeras2(w, o)
	case StyleKeras3:
		return m.writeKeras3(w, o)
	case "", StyleTF24:
	default:
		return m.fail(ErrArgument, "use StyleTF24, StyleKeras2 or StyleKeras3", "there is no style of summaries %q", string(o.Style))
	}
	if o.ExpandNested || o.ShowTrainable {
		return m.fail(ErrArgument, "use StyleKeras2 or StyleKeras3", "summaries of TensorFlow 2.4 have neither ExpandNested nor ShowTrainable")
	}
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
	shown := m.shown()
	for i, n := range shown {
		trainable, fixed := n.count()
		fields := []string{n.name + " (" + n.class + ")", m.printedShape(n), strconv.Itoa(trainable + fixed)}
		if chain {
			t.row(fields)
		} else {
			t.branches(fields, m.sources(n))
		}
		if i < len(shown)-1 {
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

// isChain says whether each layer feeds the next and nothing else, and is applied once: Keras's sequential-like.
func (m *Model) isChain() bool {
	for i, c := range m.calls {
		if i == 0 && len(c.inputs) != 0 || i > 0 && (len(c.inputs) != 1 || c.inputs[0].call != m.calls[i-1]) {
			return false
		}
	}
	return len(m.calls) == len(m.layers)
}

// sources are what the calls of a layer take, one call after another.
func (m *Model) sources(n *node) []result {
	var all []result
	for _, c := range m.places[n] {
		all = append(all, c.inputs...)
	}
	return all
}

// printedShape is a layer's result as Keras 2 prints it: an input's in brackets, because it is a list of one, as those of several results are. Of a nested
// model it tells what that was described for; of a layer whose calls return several shapes none.
func (m *Model) printedShape(n *node) string {
	calls := m.places[n]
	all := calls[0].printedShapes()
	if inner, ok := n.layer.(*Model); ok {
		for i, out := range inner.outputs {
			all[i] = out.shape().format(out.batch)
		}
	} else if slices.ContainsFunc(calls, func(c *call) bool { return !slices.Equal(c.printedShapes(), all) }) {
		return "multiple"
	}
	if n.class == "InputLayer" || len(all) > 1 {
		return "[" + strings.Join(all, ", ") + "]"
	}
	return all[0]
}

// printedShapes are the shapes of a call's results with the batch axis in front.
func (c *call) printedShapes() []string {
	all := make([]string, len(c.shapes))
	for i, s := range c.shapes {
		all[i] = s.format(c.batch)
	}
	return all
}

// printed is a result as Keras writes where a layer gets its input from.
func (r result) printed(name string) string {
	return fmt.Sprintf("%s[%d][%d]", name, r.number, r.index)
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
func (t *table) branches(fields []string, inputs []result) {
	first := ""
	for i, in := range inputs {
		c := in.printed(in.name)
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
