package metrics

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Report is a table of precision, recall, F1 and support of every class, with the accuracy and the macro and weighted means below. Names
// that are missing are the classes' numbers.
func (c *Confusion) Report(names []string) string {
	name := func(i int) string {
		if i < len(names) {
			return names[i]
		}
		return strconv.Itoa(i)
	}
	const accuracy, macro, weighted = "accuracy", "macro mean", "weighted mean"
	width := len(weighted)
	for i := range c.classes {
		width = max(width, utf8.RuneCountInString(name(i)))
	}
	var b strings.Builder
	row := func(label string, s Scores, support float64) {
		fmt.Fprintf(&b, "%-*s %10.4f %10.4f %10.4f %10s\n", width, label, s.Precision, s.Recall, s.F1, strconv.FormatFloat(support, 'g', 10, 64))
	}
	fmt.Fprintf(&b, "%-*s %10s %10s %10s %10s\n", width, "class", "precision", "recall", "F1", "support")
	for i := range c.classes {
		row(name(i), c.Class(i), c.Support(i))
	}
	_, all := c.totals()
	b.WriteByte('\n')
	fmt.Fprintf(&b, "%-*s %32.4f %10s\n", width, accuracy, c.Result(), strconv.FormatFloat(all, 'g', 10, 64))
	row(macro, c.Macro(), all)
	row(weighted, c.Weighted(), all)
	return b.String()
}
