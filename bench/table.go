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
		r.leftOut(&b)
		return b.String()
	}
	var engines []string
	for _, c := range r.Cases {
		engine := c.Engine
		if engine == "" {
			continue
		}
		if c.Precision != "" && (c.Precision != train.FP32 || !c.onCPU()) {
			engine += ", precision " + c.Precision
		}
		if !slices.Contains(engines, engine) {
			engines = append(engines, engine)
			b.WriteString("computed by " + engine + "\n")
		}
	}
	b.WriteString("\n")
	r.rows().write(&b)
	r.leftOut(&b)
	peak := "that of float32"
	if r.accelerators() {
		peak = "that of float32 on the CPU and of the case's precision elsewhere"
	}
	fmt.Fprintf(&b, `
Images a second are medians of the rounds, the spread is from the slowest to the fastest. GFLOP/s are nominal: what the operations mean,
whatever a kernel makes of them, which may be less, so more than the peak is possible. The peak is
%s. Memory is the most that the process occupied, plan what
the values need. Differs: by how much of their norm the gradients (train) or the scores (inference) differed from those of the reference
in float64 before the timing.
`, peak)
	if r.accelerators() {
		b.WriteString(aboutAccelerators)
	}
	few := func(c Result) bool { return c.Batch < leastBatch }
	elsewhere := func(because func(Result) bool) bool {
		return slices.ContainsFunc(r.Cases, func(c Result) bool { return c.elsewhere() && c.onCPU() && because(c) })
	}
	if elsewhere(few) {
		b.WriteString("A training step of so few images is not verified itself: batch norm over them makes too much of rounding. What is verified is its\n" +
			"network at the batch size that stands in the last column, whose plan and kernels may be others.\n")
	}
	if elsewhere(func(c Result) bool { return !few(c) }) {
		b.WriteString("A training step that drops some of its network at random is not verified itself, as its reference would have to compute all images. What\n" +
			"is verified is its network at the batch size that stands in the last column, whose plan and kernels may be others.\n")
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
		switch {
		case c.FLOPs == 0 && c.Bytes > 0:
			s += fmt.Sprintf("%s at best: %.1f GB/s from and to memory\n", c.name(), c.Bytes/1e9)
		case c.FLOPs > 0:
			s += fmt.Sprintf("%s at best: %s, %.1f GB/s from and to memory\n", c.name(), flopsText(c.FLOPs), c.Bytes/1e9)
		}
	}
	return s
}

func (c Ceiling) name() string {
	if c.Threads > 0 {
		return fmt.Sprintf("%s with %d %s", c.Device, c.Threads, words.Plural("thread", c.Threads))
	}
	if c.Precision != "" {
		return c.Device + " in " + c.Precision
	}
	return c.Device
}

// rows is the table of cases. What is the same everywhere, and usual, has no column.
func (r *Report) rows() *table {
	devices, precisions, accelerators := false, false, r.accelerators()
	verified := slices.ContainsFunc(r.Cases, func(c Result) bool { return c.elsewhere() || c.Verified == notVerified })
	energy := slices.ContainsFunc(r.Cases, func(c Result) bool { return c.Energy > 0 })
	for _, c := range r.Cases {
		devices, precisions = devices || c.Device != "cpu", precisions || c.Precision != train.FP32
	}
	t := &table{}
	for i := -1; i < len(r.Cases); i++ {
		c, head := &Result{}, i < 0
		if !head {
			c = &r.Cases[i]
		}
		var row []string
		add := func(when, left bool, title, cell string) {
			switch {
			case !when:
				return
			case head:
				row, t.left = append(row, title), append(t.left, left)
			default:
				row = append(row, cell)
			}
		}
		add(true, true, "network", c.Arch)
		add(true, true, "images", fmt.Sprintf("%d×%d", c.Size, c.Size))
		add(true, false, "batch", fmt.Sprint(c.Batch))
		add(true, true, "mode", string(c.Mode))
		threads := fmt.Sprint(c.Threads)
		if !c.onCPU() {
			threads = "-"
		}
		add(true, false, "threads", threads)
		add(devices, true, "device", c.Device)
		add(precisions, true, "precision", c.Precision)
		add(true, false, "images/s", digits(c.ImagesPerSecond))
		add(accelerators, false, "speed-up", c.speedup())
		add(true, false, "spread", fmt.Sprintf("%.1f%%", 100*c.Spread))
		add(true, false, "ms", digits(c.Milliseconds))
		add(true, false, "GFLOP/s", digits(c.GFLOPs))
		add(true, false, "of peak", share(c.PeakShare))
		add(accelerators, false, "GB/s", digits(c.BytesPerSecond/1e9))
		add(accelerators, false, "of best", share(c.BandwidthShare))
		add(energy, false, "J/image", number(c.Energy))
		add(true, false, "memory", bytesText(c.PeakMemory))
		add(accelerators, false, "on device", bytesText(c.DeviceMemory))
		add(true, false, "plan", bytesText(c.PlanMemory))
		add(true, false, "allocs", digits(c.Allocs))
		add(true, false, "differs", c.difference())
		add(verified, false, "verified", c.where())
		t.rows = append(t.rows, row)
	}
	return t
}

// accelerators says that there are cases of other devices than the CPU.
func (r *Report) accelerators() bool {
	return slices.ContainsFunc(r.Cases, func(c Result) bool { return !c.onCPU() })
}

// aboutAccelerators is what a table of theirs means.
const aboutAccelerators = `Other devices than the CPU are fed as training and evaluation feed them, with bytes for the next step while they compute one; inference ends
with the scores in the host's memory. Their peak is measured by a large matrix product; best is what a large copy on the device reads and
writes in a second, and GB/s are nominal, what the operations of the plan read and write. Speed-up is over the CPU for the same network,
images and mode, in the same precision or in fp32, whichever is faster there; brackets say in what its case differs. On device is the
memory of its own that the engine holds, J/image what the device drew in the rounds. Their results were compared with those of the CPU
engine in float32, which is what differs tells of them.
`

func (r *Report) leftOut(b *strings.Builder) {
	for i, line := range r.LeftOutLines() {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString(line + "\n")
	}
}

// speedup is over the CPU: "37", or "37 (batch 16)".
func (r *Result) speedup() string {
	if r.Speedup == 0 {
		return "-"
	}
	s := digits(r.Speedup)
	if o := r.otherwise(); o != "" {
		s += " (" + o + ")"
	}
	return s
}

// where says which batch was verified.
func (r *Result) where() string {
	switch {
	case r.Verified == notVerified:
		return notVerified
	case r.elsewhere():
		return fmt.Sprintf("verified at batch %d", r.VerifiedBatch)
	}
	return "as timed"
}

// difference is differs in words.
func (r *Result) difference() string {
	if r.Verified == notVerified {
		return "-"
	}
	return fmt.Sprintf("%.0e", r.differs())
}

// number prints what may be small.
func number(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v < 0.01:
		return fmt.Sprintf("%.2g", v)
	}
	return digits(v)
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

// flopsText prints what a device does in a second.
func flopsText(perSecond float64) string {
	if perSecond >= 1e13 {
		return fmt.Sprintf("%.0f TFLOP/s", perSecond/1e12)
	}
	return fmt.Sprintf("%.0f GFLOP/s", perSecond/1e9)
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
