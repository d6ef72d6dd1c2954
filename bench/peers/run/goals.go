package main

import (
	"fmt"
	"strings"
)

// leastOverGorgonia is how many times as fast as stock Gorgonia every case shall be.
const leastOverGorgonia = 10

// goals says which of the wanted ratios are reached, and by how much the others are missed.
func goals(r *record) string {
	var rows strings.Builder
	reached, all, heavy := 0, 0, 0
	for _, mode := range modes {
		for _, m := range r.ordered(mode.name) {
			least, median, low, high, ok := m.goal()
			if !ok {
				continue
			}
			all++
			verdict := "reached"
			if median < least {
				verdict = fmt.Sprintf("**missed by %.1f %%**", 100*(1-median/least))
			} else {
				reached++
			}
			ref := m.reference()
			fmt.Fprintf(&rows, "| %s %d² | %s | %d | %d | %s %s | %s | **%s** (%s–%s) | %s | %s |", nets[m.Arch], m.Size, m.Mode, m.Batch, m.Threads,
				ref.Title, number(ref.Result.ImagesPerSecond), number(m.entry(ours).Result.ImagesPerSecond), ratio(median), ratio(low), ratio(high), ratio(least), verdict)
			memory, more := m.memory()
			if more {
				heavy++
			}
			rows.WriteString(" " + memory + " |\n")
		}
	}
	if all == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
## Wanted and reached

%d of %d wanted ratios are reached. The reference of training steps is PyTorch as it is tuned here (see "The work"), that of inference the
faster of frozen PyTorch and ONNX Runtime. Peak memory shall be no more than PyTorch's: it is more in %d %s.

| net | mode | batch | threads | reference, images/s | Stheno | ratio | wanted | | peak memory, Stheno / PyTorch |
|---|---|--:|--:|--:|--:|--:|--:|---|--:|
%s`, reached, all, heavy, plural("case", heavy), rows.String())
	b.WriteString(slowGoals(r))
	return b.String()
}

// goal is the wanted ratio of a case and the one that was measured; not ok where one of them is missing.
func (m *measurement) goal() (least, median, low, high float64, ok bool) {
	least = wanted(m.Case)
	median, low, high, ok = m.ratio(m.reference())
	return least, median, low, high, ok && least > 0
}

// memory compares ours with PyTorch's, the smaller one if there are two.
func (m *measurement) memory() (text string, more bool) {
	us, peak := m.entry(ours), int64(0)
	for _, key := range []string{tunedTorch, "torch2"} {
		if e := m.entry(key); e != nil && e.Result.PeakMemory > 0 && (peak == 0 || e.Result.PeakMemory < peak) {
			peak = e.Result.PeakMemory
		}
	}
	if us == nil || peak == 0 {
		return "–", false
	}
	text = fmt.Sprintf("%d / %d MB", us.Result.PeakMemory/1e6, peak/1e6)
	if us.Result.PeakMemory > peak {
		return "**" + text + "**", true
	}
	return text, false
}

// slowGoals holds us against the frameworks in Go.
func slowGoals(r *record) string {
	var b strings.Builder
	for _, key := range []string{"gorgonia", "gomlx"} {
		least, all := 0.0, 0
		var where string
		for _, m := range r.Measurements {
			if median, _, _, ok := m.ratio(m.entry(key)); ok {
				if all++; all == 1 || median < least {
					least, where = median, describe(m.Case)
				}
			}
		}
		if all == 0 {
			continue
		}
		fmt.Fprintf(&b, "\nAgainst %s the least ratio of %d %s is %s (%s)", contestants[find(key)].title, all, plural("case", all), ratio(least), where)
		if key == "gorgonia" {
			fmt.Fprintf(&b, "; wanted is %d", leastOverGorgonia)
			if least < leastOverGorgonia {
				b.WriteString(", which is **missed**")
			}
		}
		b.WriteString(".\n")
	}
	return b.String()
}
