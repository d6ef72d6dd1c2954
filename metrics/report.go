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
	rows := make([]reportRow, c.classes)
	for i := range rows {
		rows[i] = reportRow{nameOf(names, i), c.Class(i), c.Support(i)}
	}
	_, all := c.totals()
	return report("class", rows, c.Result(), all, []reportRow{{"macro mean", c.Macro(), all}, {"weighted mean", c.Weighted(), all}})
}

// reportRow is a line of a report.
type reportRow struct {
	name string
	Scores
	support float64
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return strconv.Itoa(i)
}

// report is the table of rows of something, with their accuracy and means below.
func report(of string, rows []reportRow, accuracy, all float64, means []reportRow) string {
	width := len("weighted mean")
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.name))
	}
	var b strings.Builder
	write := func(list []reportRow) {
		for _, r := range list {
			fmt.Fprintf(&b, "%-*s %10.4f %10.4f %10.4f %10s\n", width, r.name, r.Precision, r.Recall, r.F1, strconv.FormatFloat(r.support, 'g', 10, 64))
		}
	}
	fmt.Fprintf(&b, "%-*s %10s %10s %10s %10s\n", width, of, "precision", "recall", "F1", "support")
	write(rows)
	b.WriteByte('\n')
	fmt.Fprintf(&b, "%-*s %32.4f %10s\n", width, "accuracy", accuracy, strconv.FormatFloat(all, 'g', 10, 64))
	write(means)
	return b.String()
}
