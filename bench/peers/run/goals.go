package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/words"
)

// leastOverGorgonia is how many times as fast as stock Gorgonia every case shall be.
const leastOverGorgonia = 10

// goals says which of the wanted ratios are reached, and by how much the others are missed. What was not measured is not reached.
func goals(r *record) string {
	if !slices.ContainsFunc(r.Measurements, func(m *measurement) bool { return rowOf(m.Case) == nil || !rowOf(m.Case).family }) && len(r.Measurements) > 0 {
		return "" // of further families alone: their tables say it
	}
	var rows strings.Builder
	reached, all, heavy, weighed := 0, 0, 0, 0
	for _, u := range usual {
		for _, c := range u.cases() {
			all++
			m := r.of(c)
			fmt.Fprintf(&rows, "| %s %d² | %s | %d | %d |", nets[c.Arch], c.Size, c.Mode, c.Batch, c.Threads)
			if reason := m.missing(); reason != "" {
				fmt.Fprintf(&rows, " – | – | – | %s | not measured: %s | – |\n", ratio(wanted(c)), reason)
				continue
			}
			least, ref := wanted(c), m.reference()
			median, low, high, _ := m.ratio(ref) // there are both
			verdict := "reached"
			if median < least {
				verdict = fmt.Sprintf("**missed by %.1f %%**", 100*(1-median/least))
			} else {
				reached++
			}
			fmt.Fprintf(&rows, " %s %s | %s | **%s** (%s–%s) | %s | %s |", ref.Title, number(ref.Result.ImagesPerSecond),
				number(m.entry(ours).Result.ImagesPerSecond), ratio(median), ratio(low), ratio(high), ratio(least), verdict+m.without())
			memory, known, more := m.memory()
			if known {
				weighed++
			}
			if more {
				heavy++
			}
			rows.WriteString(" " + memory + " |\n")
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
## Wanted and reached

%d of %d wanted ratios are reached. The reference of training steps is PyTorch as it is tuned here (see "The work"), that of inference the
faster of frozen PyTorch and ONNX Runtime. Peak memory shall be no more than PyTorch's: it is more in %d of %d that were measured.

| net | mode | batch | threads | reference, images/s | Stheno | ratio | wanted | | peak memory, Stheno / PyTorch |
|---|---|--:|--:|--:|--:|--:|--:|---|--:|
%s`, reached, all, heavy, weighed, rows.String())
	b.WriteString(slowGoals(r))
	return b.String()
}

// missing is why a case has no ratio to its reference, "" if it has one. m may be nil.
func (m *measurement) missing() string {
	switch {
	case m == nil:
		return "the case is not in the record"
	case m.entry(ours) == nil:
		return m.absence(ours)
	case m.reference() == nil:
		var reasons []string
		for _, key := range references[m.Mode] {
			reasons = append(reasons, m.absence(key))
		}
		return strings.Join(reasons, "; ")
	}
	return ""
}

// absence is why a contestant has no result.
func (m *measurement) absence(key string) string {
	if e := m.about(key); e != nil {
		return e.Title + ": " + e.Reason
	}
	return contestants[find(key)].title + " took no part"
}

// without names those that the reference might have been, had they been measured.
func (m *measurement) without() string {
	var absent []string
	for _, key := range references[m.Mode] {
		if m.entry(key) == nil {
			absent = append(absent, contestants[find(key)].title)
		}
	}
	if len(absent) == 0 {
		return ""
	}
	return ", without " + strings.Join(absent, " and ")
}

// memory compares ours with PyTorch's, the smaller one if there are two.
func (m *measurement) memory() (text string, known, more bool) {
	us, peak := m.entry(ours), int64(0)
	for _, key := range []string{tunedTorch, "torch2"} {
		if e := m.entry(key); e != nil && e.Result.PeakMemory > 0 && (peak == 0 || e.Result.PeakMemory < peak) {
			peak = e.Result.PeakMemory
		}
	}
	if us == nil || peak == 0 {
		return "–", false, false
	}
	text = fmt.Sprintf("%d / %d MB", us.Result.PeakMemory/1e6, peak/1e6)
	if us.Result.PeakMemory > peak {
		return "**" + text + "**", true, true
	}
	return text, true, false
}

// slowGoals holds us against the frameworks in Go.
func slowGoals(r *record) string {
	var b strings.Builder
	for _, key := range []string{"gorgonia", "gomlx"} {
		least, all := 0.0, 0
		var where string
		var missing []string
		for _, m := range r.Measurements {
			if median, _, _, ok := m.ratio(m.entry(key)); ok {
				if all++; all == 1 || median < least {
					least, where = median, describe(m.Case)
				}
			}
		}
		for _, u := range usual {
			for _, c := range u.cases() {
				m := r.of(c)
				switch {
				case !forSlow(c) || m != nil && m.entry(ours) != nil && m.entry(key) != nil:
				case m == nil:
					missing = append(missing, describe(c)+" (not in the record)")
				case m.entry(ours) == nil:
					missing = append(missing, fmt.Sprintf("%s (%s)", describe(c), m.absence(ours)))
				default:
					missing = append(missing, fmt.Sprintf("%s (%s)", describe(c), m.absence(key)))
				}
			}
		}
		if all > 0 {
			fmt.Fprintf(&b, "\nAgainst %s the least ratio of %d %s is %s (%s)", contestants[find(key)].title, all, words.Plural("case", all), ratio(least), where)
			if key == "gorgonia" {
				fmt.Fprintf(&b, "; wanted is %d", leastOverGorgonia)
				if least < leastOverGorgonia {
					b.WriteString(", which is **missed**")
				}
			}
			b.WriteString(".")
		} else {
			fmt.Fprintf(&b, "\nAgainst %s nothing was measured.", contestants[find(key)].title)
		}
		if all > 0 && len(missing) > 0 {
			fmt.Fprintf(&b, " Not measured: %s.", strings.Join(missing, "; "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
