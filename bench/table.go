package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stheno-ml/stheno/internal/words"
	"github.com/stheno-ml/stheno/train"
)

// Table is the report as text: the machine, what computed, a row a case, and what the columns mean.
func (r *Report) Table() string {
	var b strings.Builder
	b.WriteString(r.Machine.String())
	for _, note := range r.BusyNotes() {
		b.WriteString("note: " + note + "\n")
	}
	if len(r.Cases) == 0 {
		return b.String()
	}
	var engines []string
	for _, c := range r.Cases {
		engine := c.Engine
		if engine == "" {
			continue
		}
		if c.Precision != "" && c.Precision != train.FP32 {
			engine += ", precision " + c.Precision
		}
		if !slices.Contains(engines, engine) {
			engines = append(engines, engine)
			b.WriteString("computed by " + engine + "\n")
		}
	}
	b.WriteString("\n")
	r.rows().write(&b)
	b.WriteString(`
Images a second are medians of the rounds, the spread is from the slowest to the fastest. GFLOP/s are nominal: what the operations mean,
whatever a kernel makes of them, which may be less: more than the peak, which is that of float32, is possible. Memory is the most that
the process occupied, plan what the values need. Differs: by how much of their norm the gradients (train) or the scores (inference)
differed from those of the reference in float64 before the timing.
`)
	if slices.ContainsFunc(r.Cases, Result.elsewhere) {
		b.WriteString("A training step of so few images is not verified itself: batch norm over them makes too much of rounding. What is verified is its\n" +
			"network at the batch size that stands in the last column, whose plan and kernels may be others.\n")
	}
	return b.String()
}

// String describes the machine in a line, and what it does at best in one for each device and number of threads.
func (m Machine) String() string {
	name := m.CPU
	if name == "" {
		name = "unknown processor"
	}
	s := fmt.Sprintf("%s, %d %s, %s/%s, %s", name, m.Cores, words.Plural("core", m.Cores), m.OS, m.Arch, m.Go)
	if len(m.Flags) > 0 {
		s += ", " + strings.Join(m.Flags, " ")
	}
	s += "\n"
	for _, c := range m.Ceilings {
		if c.FLOPs > 0 || c.Bytes > 0 {
			s += fmt.Sprintf("%s at best: %.0f GFLOP/s, %.1f GB/s from and to memory\n", c.name(), c.FLOPs/1e9, c.Bytes/1e9)
		}
	}
	return s
}

func (c Ceiling) name() string {
	if c.Threads > 0 {
		return fmt.Sprintf("%s with %d %s", c.Device, c.Threads, words.Plural("thread", c.Threads))
	}
	return c.Device
}

// rows is the table of cases. What is the same everywhere, and usual, has no column.
func (r *Report) rows() *table {
	devices, precisions, elsewhere := false, false, slices.ContainsFunc(r.Cases, Result.elsewhere)
	for _, c := range r.Cases {
		devices, precisions = devices || c.Device != "cpu", precisions || c.Precision != train.FP32
	}
	t := &table{}
	row := []string{"network", "images", "batch", "mode", "threads"}
	t.left = []bool{true, true, false, true, false}
	if devices {
		row, t.left = append(row, "device"), append(t.left, true)
	}
	if precisions {
		row, t.left = append(row, "precision"), append(t.left, true)
	}
	row = append(row, "images/s", "spread", "ms", "GFLOP/s", "of peak", "memory", "plan", "allocs", "differs")
	if elsewhere {
		row = append(row, "verified")
	}
	t.rows = append(t.rows, row)
	for i := range r.Cases {
		c := &r.Cases[i]
		row := []string{c.Arch, fmt.Sprintf("%d×%d", c.Size, c.Size), fmt.Sprint(c.Batch), string(c.Mode), fmt.Sprint(c.Threads)}
		if devices {
			row = append(row, c.Device)
		}
		if precisions {
			row = append(row, c.Precision)
		}
		row = append(row, digits(c.ImagesPerSecond), fmt.Sprintf("%.1f%%", 100*c.Spread), digits(c.Milliseconds), digits(c.GFLOPs),
			share(c.PeakShare), bytesText(c.PeakMemory), bytesText(c.PlanMemory), digits(c.Allocs), fmt.Sprintf("%.0e", c.differs()))
		if elsewhere {
			where := "as timed"
			if c.elsewhere() {
				where = fmt.Sprintf("verified at batch %d", c.VerifiedBatch)
			}
			row = append(row, where)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// elsewhere says that what was verified is a batch of another size.
func (r Result) elsewhere() bool { return r.VerifiedBatch != 0 && r.VerifiedBatch != r.Batch }

// differs is the error that tells most of a case.
func (r *Result) differs() float64 {
	for _, c := range r.Checks {
		if c.Name == checkGradients || c.Name == checkScores {
			return c.Error
		}
	}
	return math.NaN()
}

// digits prints a number with three digits or, where it is larger, without a fraction.
func digits(v float64) string {
	switch {
	case v == math.Trunc(v) && v < 1e15:
		return fmt.Sprintf("%.0f", v)
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.9995:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func share(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}

func bytesText(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<20:
		return digits(float64(n)/(1<<10)) + " KiB"
	case n < 1<<30:
		return digits(float64(n)/(1<<20)) + " MiB"
	case n < 1<<40:
		return digits(float64(n)/(1<<30)) + " GiB"
	}
	return digits(float64(n)/(1<<40)) + " TiB"
}

// table is text in columns, numbers to the right.
type table struct {
	left []bool // of the first columns; the others are numbers
	rows [][]string
}

func (t *table) write(b *strings.Builder) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < len(t.left) && t.left[i] {
				line += cell + pad + "  "
			} else {
				line += pad + cell + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
