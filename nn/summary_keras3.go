package nn

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// keras3 lays out the summaries of Keras 3, a table of the Python library rich.
type keras3 struct {
	o      SummaryOptions
	widths []int // of the columns' texts
	align  string
	chain  bool
	out    strings.Builder
}

func (m *Model) writeKeras3(w io.Writer, o SummaryOptions) error {
	t := &keras3{o: o, chain: m.isChain(), align: "llr"}
	header, shares, length := []string{"Layer (type)", "Output Shape", "Param #"}, []float64{.45, .8, 1}, 88
	if !t.chain {
		header, shares, length, t.align = append(header, "Connected to"), []float64{.3, .56, .74, 1}, 108, "llrl"
	}
	if o.ShowTrainable {
		for i := range shares {
			shares[i] *= 0.9
		}
		header, shares, length, t.align = append(header, "Trainable"), append(shares, 1), length+12, t.align+"c"
	}
	if o.LineLength > 0 {
		length = o.LineLength
	}
	if !t.fit(shares, length) {
		return m.fail(ErrArgument, "use 0 for Keras's own", "LineLength %d leaves no room for the columns", o.LineLength)
	}
	fmt.Fprintf(&t.out, "Model: \"%s\"\n", m.name)
	t.rule("┏━┳┓")
	t.row(header, "┃")
	t.rule("┡━╇┩")
	first := true
	t.layers(m, 0, &first)
	t.rule("└─┴┘")
	total, trainable, fixed := m.CountParams()
	size := m.elementSize()
	more := m.counts() * (8 - size)
	for _, line := range []struct {
		what        string
		count, more int
	}{{"Total", total, more}, {"Trainable", trainable, 0}, {"Non-trainable", fixed, more}} {
		fmt.Fprintf(&t.out, " %s params: %s (%s)\n", line.what, thousands.Format(line.count), readableSize(line.count*size+line.more, "B"))
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

// fit computes the widths that rich gives to the columns: what shares of a line ask for is too much by padding and
// borders, of which each column gives its part.
func (t *keras3) fit(shares []float64, length int) bool {
	sum, at := 0, 0
	for _, share := range shares {
		width := int(share*float64(length)) - at
		if width < 4 {
			return false
		}
		at += width
		t.widths = append(t.widths, width+2)
		sum += width + 2
	}
	excess := sum - (length - len(shares) - 1)
	for i := range t.widths {
		part := int(math.RoundToEven(float64(excess) / float64(len(t.widths)-i)))
		excess -= part
		t.widths[i] -= part + 2
		if t.widths[i] < 1 {
			return false
		}
	}
	return true
}

// rule draws a line of the grid; signs are its left end, line, crossing and right end.
func (t *keras3) rule(signs string) {
	s := strings.Split(signs, "")
	for i, width := range t.widths {
		sign := s[2]
		if i == 0 {
			sign = s[0]
		}
		t.out.WriteString(sign + strings.Repeat(s[1], width+2))
	}
	t.out.WriteString(s[3] + "\n")
}

// layers prints the layers of m, which is nested that deep.
func (t *keras3) layers(m *Model, level int, first *bool) {
	for _, n := range m.shown() {
		if !*first {
			t.rule("├─┼┤")
		}
		*first = false
		name := n.keras3Name()
		if level > 0 {
			name = strings.Repeat("   ", level) + "└ " + name
		}
		trainable, fixed := n.count()
		fields := []string{name + " (" + n.class + ")", m.keras3Shape(n), thousands.Format(trainable + fixed)}
		if !t.chain {
			var from []string
			if level == 0 { // Keras does not know how nested layers are connected
				for _, in := range m.sources(n) {
					from = append(from, in.printed(in.keras3Name()))
				}
			}
			fields = append(fields, strings.Join(from, ", "))
			if len(from) == 0 {
				fields[3] = "-"
			}
		}
		if t.o.ShowTrainable {
			sign := "-"
			if len(n.weights) > 0 {
				sign = yesNo(!n.isFrozen())
			}
			fields = append(fields, sign)
		}
		t.row(fields, "│")
		if inner, ok := n.layer.(*Model); ok && t.o.ExpandNested {
			t.layers(inner, level+1, first)
		}
	}
}

// row prints fields in as many lines as they take.
func (t *keras3) row(fields []string, border string) {
	lines, most := make([][]string, len(fields)), 1
	for i, f := range fields {
		lines[i] = wrap(f, t.widths[i])
		most = max(most, len(lines[i]))
	}
	for k := range most {
		for i, width := range t.widths {
			text := ""
			if k < len(lines[i]) {
				text = lines[i][k]
			}
			left := 0
			space := width - len([]rune(text))
			switch t.align[i] {
			case 'r':
				left = space
			case 'c':
				left = space / 2
			}
			t.out.WriteString(border + " " + strings.Repeat(" ", left) + text + strings.Repeat(" ", space-left) + " ")
		}
		t.out.WriteString(border + "\n")
	}
}

var wordPattern = regexp.MustCompile(`\s*\S+\s*`)

// wrap breaks a text between words into lines of at most width; a word that is longer is cut and ends with an ellipsis.
func wrap(text string, width int) []string {
	var lines []string
	line, length := "", 0
	for _, word := range wordPattern.FindAllString(text, -1) {
		if bare := len([]rune(strings.TrimRight(word, " "))); length > 0 && length+bare > width {
			lines, line, length = append(lines, line), "", 0
		}
		line += word
		length += len([]rune(word))
	}
	lines = append(lines, line)
	for i, l := range lines {
		r := []rune(strings.TrimRight(l, " "))
		if len(r) > width {
			r = append(r[:width-1], '…')
		}
		lines[i] = string(r)
	}
	return lines
}

// keras3Name is the layer's name, of inputs without a name of their own the one that Keras 3 gives them.
func (n *node) keras3Name() string {
	in, ok := n.layer.(Input)
	if !ok || in.Name != "" {
		return n.name
	}
	var number int
	if _, err := fmt.Sscanf(n.name, "input_%d", &number); err != nil || number < 1 {
		return n.name
	}
	if number == 1 {
		return "input_layer"
	}
	return fmt.Sprintf("input_layer_%d", number-1)
}

// keras3Shape is the shape of the layer's result, or the list of several, where it was applied last.
func (m *Model) keras3Shape(n *node) string {
	calls := m.places[n]
	all := calls[len(calls)-1].printedShapes()
	if len(all) == 1 {
		return all[0]
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// isFrozen says whether SetTrainable froze the layer, or of a nested model all of its layers.
func (n *node) isFrozen() bool {
	inner, ok := n.layer.(*Model)
	if !ok || len(n.weights) == 0 {
		return n.frozen
	}
	for _, k := range inner.layers {
		if len(k.weights) > 0 && !k.isFrozen() {
			return false
		}
	}
	return true
}

// elementSize is the number of bytes of an element of the weights.
func (m *Model) elementSize() int {
	if dt, ok := m.Dtype(); ok && dt == tensor.Float64 {
		return 8
	}
	return 4
}

// counts is the number of weights that are the count of a [Normalization], which is an int64 in Keras.
func (m *Model) counts() int {
	n := 0
	for _, l := range m.leafLayers() {
		if l, ok := l.layer.(Normalization); ok && l.adapted() {
			n++
		}
	}
	return n
}
