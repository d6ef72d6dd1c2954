package graph

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// si prints a quantity with three digits and a prefix of its unit: 13.9 M, 860, 1.20 µ.
func si(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprintf("%g ", v)
	}
	const prefixes = "nµm kMGTPE"
	unit, runes := 3, []rune(prefixes)
	for math.Abs(v) >= 999.5 && unit < len(runes)-1 {
		v, unit = v/1000, unit+1
	}
	for math.Abs(v) < 0.9995 && unit > 0 {
		v, unit = v*1000, unit-1
	}
	digits := 2
	for limit := 9.995; digits > 0 && math.Abs(v) >= limit; limit *= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %s", digits, v, strings.TrimSpace(string(runes[unit])))
}

// bytesText is a size in decimal units: 512 B, 13.9 MB.
func bytesText[T int | int64](n T) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return si(float64(n)) + "B"
}

// flopsText is a number of operations; where there are none, or none are known, a dash.
func flopsText(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1000:
		return fmt.Sprint(n)
	}
	return si(float64(n))
}

// timeText is a duration with three digits.
func timeText(d time.Duration) string { return si(d.Seconds()) + "s" }

// table is text in columns, those of Right on the right.
type table struct {
	right []bool
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(b *strings.Builder) {
	widths := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range t.rows {
		line := ""
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if t.right[i] {
				line += pad + c + "  "
			} else {
				line += c + pad + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// columns reads the alignment of columns from one letter each: l or r.
func columns(letters string) *table {
	t := &table{}
	for _, l := range letters {
		t.right = append(t.right, l == 'r')
	}
	return t
}
