package graph

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/internal/words"
)

// String is the whole table.
func (p *Profile) String() string { return p.Table(0) }

// Table is the profile as text: the steps by their time, the slowest first, and then all time by kind of operation. top is
// the number of steps that are listed; 0 lists all.
func (p *Profile) Table(top int) string {
	var b strings.Builder
	steps := time.Duration(0)
	for _, s := range p.Steps {
		steps += s.Total
	}
	fmt.Fprintf(&b, "%d runs of %d steps on %s: %s", p.Runs, len(p.Steps), cmp.Or(p.Plan.Engine, "an engine"), timeText(p.Wall))
	if p.Runs == 0 {
		b.WriteString("\n")
		return b.String()
	}
	fmt.Fprintf(&b, ", %s a run", timeText(p.Wall/time.Duration(p.Runs)))
	if p.Wall > 0 {
		fmt.Fprintf(&b, ", %.1f%% of it in steps", 100*float64(steps)/float64(p.Wall))
	}
	b.WriteString("\n")

	sorted := slices.Clone(p.Steps)
	slices.SortStableFunc(sorted, func(x, y StepTime) int { return cmp.Compare(y.Total, x.Total) })
	if top <= 0 || top > len(sorted) {
		top = len(sorted)
	}
	t := columns("rllllrrrrrr")
	t.add("#", "operation", "layer", "kernel", "result", "total", "median", "min", "FLOP/s", "bytes/s", "share")
	for _, s := range sorted[:top] {
		e := &p.Plan.Steps[s.Step]
		median := timeText(s.Median)
		if s.Runs > 0 && s.Median == 0 {
			median = "-" // it was in none of the latest runs
		}
		t.add(fmt.Sprint(s.Step), shortName(e.Operation), e.Layer, e.Kernel, brief(e.Out), timeText(s.Total), median, timeText(s.Min),
			rateText(s.FLOPsPerSecond), rateText(s.BytesPerSecond), fmt.Sprintf("%.1f%%", 100*s.Share))
	}
	t.write(&b)
	if rest := sorted[top:]; len(rest) > 0 {
		var sum time.Duration
		share := 0.0
		for _, s := range rest {
			sum += s.Total
			share += s.Share
		}
		fmt.Fprintf(&b, "and %d %s more: %s, %.1f%%\n", len(rest), words.Plural("step", len(rest)), timeText(sum), 100*share)
	}
	b.WriteString("\n")
	p.byKind(&b, steps)
	return b.String()
}

// byKind is the summary: what all steps of a kind take together.
func (p *Profile) byKind(b *strings.Builder, steps time.Duration) {
	groups := p.Kinds()
	t := columns("lrrrrrr")
	t.add("operation", "steps", "total", "a run", "FLOP/s", "bytes/s", "share")
	all := KindTime{Name: "all steps", Total: steps}
	for _, g := range groups {
		all.Steps += g.Steps
		all.FLOPs += g.FLOPs
		all.Bytes += g.Bytes
	}
	for _, g := range append(groups, all) {
		share, flops, bytes := 0.0, 0.0, 0.0
		if g.Total > 0 {
			perRun := g.Total.Seconds() / float64(p.Runs)
			share, flops, bytes = float64(g.Total)/float64(steps), float64(g.FLOPs)/perRun, float64(g.Bytes)/perRun
		}
		t.add(g.Name, fmt.Sprint(g.Steps), timeText(g.Total), timeText(g.Total/time.Duration(p.Runs)), rateText(flops), rateText(bytes),
			fmt.Sprintf("%.1f%%", 100*share))
	}
	t.write(b)
}

// rateText is a rate without its unit, which the column's head tells.
func rateText(v float64) string {
	if v == 0 {
		return "-"
	}
	return strings.TrimSpace(si(v))
}

// traceEvent is an event of Chrome's trace format; times are in microseconds.
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"` // "X": an event with a length; "M": a name
	Begin    float64        `json:"ts"`
	Length   *float64       `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// TraceRuns is how many of the latest runs of a profile a trace shows.
const TraceRuns = 10

// WriteTrace writes the latest runs as a trace for Perfetto (https://ui.perfetto.dev) or chrome://tracing.
func (p *Profile) WriteTrace(w io.Writer) error { return WriteTrace(w, []string{"plan"}, p) }

// WriteTrace writes the latest runs of several profiles as one trace, on a line each, as they followed upon each other; names
// call the profiles.
func WriteTrace(w io.Writer, names []string, profiles ...*Profile) error {
	events := []traceEvent{name("process_name", 0, "stheno")}
	var zero time.Duration // the trace begins at its first run
	found := false
	for _, p := range profiles {
		if from := max(len(p.spans)-TraceRuns, 0); len(p.spans) > 0 && (!found || p.spans[from].begin < zero) {
			zero, found = p.spans[from].begin, true
		}
	}
	for i, p := range profiles {
		events = append(events, name("thread_name", i+1, names[i]))
		for k := max(len(p.spans)-TraceRuns, 0); k < len(p.spans); k++ {
			run := p.spans[k]
			events = append(events, complete(fmt.Sprintf("run %d", p.Runs-len(p.spans)+k+1), "run", run, zero, i+1, nil))
			for n, s := range p.kept[k] {
				if s == absent {
					continue
				}
				e := &p.Plan.Steps[n]
				args := map[string]any{"step": n, "operation": e.Operation, "kernel": e.Kernel, "in": e.In, "out": e.Out, "bytes": e.Bytes}
				if e.Layer != "" {
					args["layer"] = e.Layer
				}
				if e.FLOPs != 0 {
					args["flops"] = e.FLOPs
				}
				events = append(events, complete(shortName(e.Operation), e.Kind, s, zero, i+1, args))
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(map[string]any{"displayTimeUnit": "ms", "traceEvents": events})
}

func name(what string, thread int, is string) traceEvent {
	return traceEvent{Name: what, Phase: "M", Process: 1, Thread: thread, Args: map[string]any{"name": is}}
}

func complete(name, category string, s span, zero time.Duration, thread int, args map[string]any) traceEvent {
	length := microseconds(s.length)
	return traceEvent{Name: name, Category: category, Phase: "X", Begin: microseconds(s.begin - zero), Length: &length, Process: 1, Thread: thread, Args: args}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
