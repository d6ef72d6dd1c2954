package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stheno-ml/stheno/bench"
)

// progressLine shows measurements to a person: a line for each case that is done, and on a terminal one below that says what is under way. It
// writes only when it is told something, which is never while a case is timed: a bar that moves by itself would be timed, too.
type progressLine struct {
	to       io.Writer
	terminal *os.File // nil when there is none
	shown    bool
	noted    map[string]bool // lines: engines of several cases have the same to say
}

// newProgressLine shows progress on standard output or, where that is for a report alone, on standard error.
func newProgressLine(cmd *cobra.Command, reportAlone bool) *progressLine {
	p := &progressLine{to: cmd.OutOrStdout(), noted: map[string]bool{}}
	if reportAlone {
		p.to = cmd.ErrOrStderr()
	}
	w := p.to
	if o, ok := w.(*output); ok {
		w = o.to
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = f
	}
	return p
}

// clear takes the line away that says what is under way.
func (p *progressLine) clear() {
	if p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = false
	}
}

// note shows a line that stays, once.
func (p *progressLine) note(line string) {
	if p.noted[line] {
		return
	}
	p.noted[line] = true
	p.clear()
	fmt.Fprintln(p.to, "note:", line)
}

// show takes the progress of a benchmark.
func (p *progressLine) show(e bench.Event) {
	p.clear()
	if e.Phase == bench.Timed {
		fmt.Fprintf(p.to, "%v: %s images/s; %s\n", e.Case, speed(e.Result.ImagesPerSecond), e.Result.Verified)
		return
	}
	if e.Phase == bench.Left { // which the report tells
		return
	}
	line := string(e.Phase)
	if e.Phase == bench.Timing {
		line = fmt.Sprintf("%s, round %d of %d", line, e.Round, e.Rounds)
	}
	if e.Number > 0 {
		line = fmt.Sprintf("%d/%d  %v: %s", e.Number, e.Cases, e.Case, line)
	}
	p.under(line)
}

// under shows on a terminal what is under way.
func (p *progressLine) under(line string) {
	p.clear()
	if p.terminal == nil {
		return
	}
	if width, _, err := term.GetSize(int(p.terminal.Fd())); err == nil { // a line that wraps could not be taken away
		if runes := []rune(line); len(runes) > width-2 {
			line = string(runes[:max(width-2, 0)])
		}
	}
	fmt.Fprint(p.to, line+"…")
	p.shown = true
}
