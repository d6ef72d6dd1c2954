package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/stheno-ml/stheno/internal/host"
)

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| graph | Gorgonia | Stheno | faster | with solver | allocated a run | | peak memory | | results differ by |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range rows {
		solver := ""
		if r.train {
			solver = fmt.Sprintf("%.1f ×", r.step[stock]/r.step[ours])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | **%.1f ×** | %s | %s | %s | %s | %s | %.0e |\n", r.name,
			duration(r.run[stock]), duration(r.run[ours]), r.run[stock]/r.run[ours], solver,
			bytes(r.allocated[stock]), bytes(r.allocated[ours]), bytes(r.peak[stock]), bytes(r.peak[ours]), r.differ)
	}
	return b.String()
}

func duration(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds >= 1e-3:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g µs", seconds*1e6)
}

func bytes(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", n/1e3)
	}
	return fmt.Sprintf("%.0f B", n)
}

// document is the table with all that one has to know to repeat it.
func document(table string, rounds int) string {
	return fmt.Sprintf(`# Against Gorgonia's tape machine

`+"`make bench-gorgonia`"+` at commit %s: graphs of Gorgonia's own operations on gorgonia.NewTapeMachine and on graph.NewTapeMachine,
in turns in one process, medians of %d rounds. %s, %d threads, %s.

%s
- "Gorgonia" and "Stheno" are the time of one RunAll, with the Reset that Gorgonia's machine needs. Graphs called *training* have the
  gradients of all weights, left in dual values for a solver. "with solver" is how much faster a step is with Gorgonia's vanilla
  solver behind it, which is the same code on both sides.
- "allocated a run" and "peak memory" have Gorgonia's figure first, ours second. Memory is that of a process of its own, with the
  graph, its weights and three steps.
- "results differ by" is the largest relative difference of costs, or outputs, over three steps before the timing.
- Images are 32×32 but for YOLO's, which are 416×416. The numbers of images, rows or elements are in bench/gorgonia/workloads.go.
`, commit(), rounds, cmp.Or(host.Processor(), runtime.GOOS+"/"+runtime.GOARCH), runtime.GOMAXPROCS(0), runtime.Version(), table)
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	c := strings.TrimSpace(string(out))
	if dirty, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(dirty) > 0 {
		c += " with changes"
	}
	return c
}
