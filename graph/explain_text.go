package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/words"
)

// loopFunctions are the first functions of a loop's program.
func loopFunctions(program string) (names []string) {
	const most = 4
	for _, statement := range strings.Split(program, ";") {
		_, expression, ok := strings.Cut(statement, " = ")
		if !ok {
			continue
		}
		if len(names) == most {
			return append(names, "…")
		}
		words := strings.Fields(expression)
		name, _, call := strings.Cut(words[0], "(")
		if !call && len(words) == 3 {
			name = words[1]
		}
		names = append(names, name)
	}
	return names
}

// shortName is an operation without its attributes: "Conv2D+bias+relu". Those whose first attribute is what they compute
// keep it: "Unary(tanh)", "Reduce(sum)"; a loop, its functions: "Loop(neg, exp)".
func shortName(operation string) string {
	open := strings.Index(operation, "(")
	switch {
	case open < 0:
		return operation
	case slices.Contains([]string{"HostOp", "Unary", "Binary"}, operation[:open]):
		return operation
	case operation[:open] == "Loop":
		return "Loop(" + strings.Join(loopFunctions(operation[open+1:]), ", ") + ")"
	case operation[:open] == "Reduce":
		first, _, _ := strings.Cut(operation, ",")
		return strings.TrimSuffix(first, ")") + ")"
	}
	level := 0
	return strings.Map(func(c rune) rune {
		switch c {
		case '(':
			level++
		case ')':
			level--
			return -1
		}
		if level > 0 {
			return -1
		}
		return c
	}, operation)
}

// String is the table. It ends with the totals and the peak.
func (e *Explanation) String() string {
	if e == nil {
		return "no plan: the machine could not be made; see Machine.Err\n"
	}
	var b strings.Builder
	on := "planned only"
	if e.Engine != "" {
		on = e.Engine
	}
	precision := e.Precision
	if e.Products != "" {
		precision += " with products in " + e.Products
	}
	fmt.Fprintf(&b, "%d %s, %s; %s\n", len(e.Steps), words.Plural("step", len(e.Steps)), precision, on)
	t := columns("rlllllrrlr")
	t.add("#", "operation", "layer", "kernel", "result", "layout", "moved", "FLOPs", "place", "live")
	for i := range e.Steps {
		s := &e.Steps[i]
		layout := s.Layout
		if layout == "" {
			layout = "-"
		}
		operation := shortName(s.Operation)
		if s.Once {
			operation = "once " + operation
		}
		t.add(fmt.Sprint(s.Step), operation, s.Layer, s.Kernel, brief(s.Out), layout, bytesText(s.Bytes), flopsText(s.FLOPs),
			briefPlace(s.Place), bytesText(s.LiveBytes))
	}
	t.write(&b)
	fmt.Fprintf(&b, "total: %s moved, %sFLOPs\n", bytesText(e.Bytes), spaced(flopsText(e.FLOPs)))
	fmt.Fprintf(&b, "peak: %s = arena %s", bytesText(e.PeakBytes), bytesText(e.ArenaBytes))
	for _, g := range []struct {
		name string
		Group
	}{{"variable", e.Variables}, {"input", e.Inputs}, {"constant", e.Constants}, {"output", e.Outputs}} {
		if g.Count > 0 {
			fmt.Fprintf(&b, " + %d %s %s", g.Count, words.Plural(g.name, g.Count), bytesText(g.Bytes))
		}
	}
	if e.PeakStep >= 0 {
		fmt.Fprintf(&b, "; the arena is fullest at step %d, with %s alive", e.PeakStep, bytesText(e.LiveBytes))
	}
	b.WriteString("\n")
	if e.RoomBytes > 0 {
		fmt.Fprintf(&b, "with the working memory of kernels and libraries, which lies where no value lives, the engine keeps %s instead of the arena; at the fullest step %s are in use\n",
			bytesText(e.RoomBytes), bytesText(e.RoomLiveBytes))
	}
	return b.String()
}

// brief is a list of which all are alike as one with a count: a fused update has three results of one shape.
func brief(list []string) string {
	if len(list) > 1 && !slices.ContainsFunc(list, func(s string) bool { return s != list[0] }) {
		return fmt.Sprintf("%d×%s", len(list), list[0])
	}
	return strings.Join(list, " ")
}

// briefPlace is a list of places without names.
func briefPlace(places []string) string {
	var short []string
	for _, p := range places {
		p, _, _ = strings.Cut(p, " of ")
		if !slices.Contains(short, p) {
			short = append(short, p)
		}
	}
	return strings.Join(short, " ")
}

// spaced puts a space between a number and its unit, where there is no prefix to stand there.
func spaced(s string) string {
	if s == "-" || strings.Contains(s, " ") {
		return s
	}
	return s + " "
}
