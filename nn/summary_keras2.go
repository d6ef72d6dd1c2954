package nn

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// keras2 lays out the summaries of late Keras 2. A field that is too long goes on in the next line; nested models are
// framed by bars.
type keras2 struct {
	o     SummaryOptions
	ends  []int // columns where fields end
	width int
	chain bool
	out   strings.Builder
}

func (m *Model) writeKeras2(w io.Writer, o SummaryOptions) error {
	t := &keras2{o: o, chain: m.isChain()}
	header, shares := []string{"Layer (type)", "Output Shape", "Param #"}, []float64{.45, .85, 1}
	t.width = 65
	if !t.chain {
		header, shares = append(header, "Connected to"), []float64{.3, .6, .7, 1}
		t.width = 98
	}
	if o.LineLength > 0 {
		t.width = o.LineLength
	}
	for _, share := range shares {
		t.ends = append(t.ends, int(float64(t.width)*share))
	}
	if o.ShowTrainable {
		header = append(header, "Trainable")
		t.width += 11
		t.ends = append(t.ends, t.width)
	}
	for i, end := range t.ends { // a field must have room for something, or it would never end
		if start := append([]int{0}, t.ends...)[i]; end-start < 5 {
			return m.fail(ErrArgument, "use 0 for Keras's own", "LineLength %d leaves no room for the columns", o.LineLength)
		}
	}
	fmt.Fprintf(&t.out, "Model: \"%s\"\n", m.name)
	t.line(strings.Repeat("_", t.width))
	t.row(header, 0)
	t.line(strings.Repeat("=", t.width))
	for _, n := range m.shown() {
		t.layer(m, n, 0, false)
	}
	t.line(strings.Repeat("=", t.width))
	total, trainable, fixed := m.CountParams()
	size := int(m.elementSize())
	more := m.counts() * (8 - size)
	fmt.Fprintf(&t.out, "Total params: %d (%s)\nTrainable params: %d (%s)\nNon-trainable params: %d (%s)\n",
		total, readableSize(total*size+more, "Byte"), trainable, readableSize(trainable*size, "Byte"), fixed, readableSize(fixed*size+more, "Byte"))
	t.line(strings.Repeat("_", t.width))
	_, err := io.WriteString(w, t.out.String())
	return err
}

func (t *keras2) line(s string) { t.out.WriteString(s + "\n") }

// layer prints a layer of m, and the layers of a nested one.
func (t *keras2) layer(m *Model, n *node, level int, last bool) {
	trainable, fixed := n.count()
	fields := []string{n.name + " (" + n.class + ")", m.printedShape(n), strconv.Itoa(trainable + fixed)}
	if !t.chain {
		var from []string
		if level == 0 { // Keras does not know how nested layers are connected
			for _, in := range m.sources(n) {
				from = append(from, "'"+in.printed(in.name)+"'")
			}
		}
		fields = append(fields, "["+strings.Join(from, ", ")+"]")
	}
	if t.o.ShowTrainable {
		fields = append(fields, yesNo(!n.isFrozen()))
	}
	t.row(fields, level)
	bars := func(level int, fill string) {
		bar := strings.Repeat("|", level)
		t.line(bar + strings.Repeat(fill, max(t.width-2*level, 0)) + bar)
	}
	if inner, ok := n.layer.(*Model); ok && t.o.ExpandNested {
		bars(level+1, "¯")
		shown := inner.shown()
		for i, k := range shown {
			t.layer(inner, k, level+1, i == len(shown)-1)
		}
		bars(level, "¯")
		last = true // Keras leaves no line free behind a frame
	}
	if !last {
		bars(level, " ")
	}
}

func yesNo(yes bool) string {
	if yes {
		return "Y"
	}
	return "N"
}

// row prints fields, in as many lines as they take.
func (t *keras2) row(fields []string, level int) {
	left := make([][]rune, len(fields))
	for i, f := range fields {
		left[i] = []rune(f)
	}
	bar := strings.Repeat("|", level)
	for {
		rest := 0
		for _, f := range left {
			rest += len(f)
		}
		if rest == 0 {
			return
		}
		var line []rune
		for col := range left {
			start, lastColumn := 0, col == len(t.ends)-1
			if col > 0 {
				start = t.ends[col-1]
			}
			cutoff := t.ends[col] - start
			if !lastColumn {
				cutoff -= 3 // two spaces between columns, and one in front
			}
			if col == 0 {
				cutoff -= level
			}
			cutoff = min(max(cutoff, 1), len(left[col]))
			cutoff = breakAfter(string(left[col][:cutoff]), cutoff)
			if col == 0 {
				line = append(line, []rune(bar+" ")...)
			}
			line = append(line, left[col][:cutoff]...)
			left[col] = left[col][cutoff:]
			end := t.ends[col]
			if lastColumn {
				end -= level
			} else {
				line = append(line, ' ', ' ')
			}
			for len(line) < end {
				line = append(line, ' ')
			}
		}
		t.line(string(line) + bar)
	}
}

// breakAfter is where a line of a field ends: behind the first element of a list that is printed in it, else at cutoff.
func breakAfter(s string, cutoff int) int {
	for _, end := range []string{"),", "},", "],", "',"} {
		if i := strings.Index(s, end); i >= 0 {
			cutoff = min(cutoff, len([]rune(s[:i]))+len(end))
		}
	}
	return cutoff
}

// readableSize prints bytes with two decimals, as Keras does; unit is its word for bytes.
func readableSize(bytes int, unit string) string {
	size := float64(bytes)
	for _, larger := range []string{"KB", "MB", "GB", "TB", "PB"} {
		if size/1024 < 1 {
			break
		}
		size, unit = size/1024, larger
	}
	return fmt.Sprintf("%.2f %s", size, unit)
}
