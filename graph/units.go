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
	return fmt.Sprintf("%.*f %s", digits(v), v, strings.TrimSpace(string(runes[unit])))
}

// bytesText is a size in the units that memory is measured in: 512 B, 13.9 MiB.
func bytesText[T int | int64](n T) string {
	v, unit := float64(n), 0
	for math.Abs(v) >= 999.5 && unit < len(binary)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.*f %s", digits(v), v, binary[unit])
}

var binary = [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// digits are the places behind the point that make three digits of a number below 1000.
func digits(v float64) int {
	switch v = math.Abs(v); {
	case v < 9.995:
		return 2
	case v < 99.95:
		return 1
	}
	return 0
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
