package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
)

// PassText is the state of a plan in the making: before the first pass, or after one that changed it.
type PassText struct {
	Pass  string // "" before the first
	Steps int    // that the plan has now
	Text  string // a line a step in the order of the graph; after a pass, "-" and "+" mark what it took and what it made
}

// ExplainPasses compiles g as [PlanFor] does and tells what the passes made of it.
func ExplainPasses(g *gorgonia.ExprGraph, opts ...Option) ([]PassText, error) {
	var texts []PassText
	var before []string
	seen := func(pass string, p *program) {
		lines := stepLines(p)
		switch {
		case pass == "":
			texts = append(texts, PassText{Steps: len(p.steps), Text: "  " + strings.Join(lines, "\n  ") + "\n"})
		case !slices.Equal(before, lines):
			texts = append(texts, PassText{Pass: pass, Steps: len(p.steps), Text: difference(before, lines)})
		}
		before = lines
	}
	p, err := PlanFor(g, opts...)
	if err != nil {
		return nil, err
	}
	// Once more, with the recomputation that was settled upon: it may have taken several trials.
	settled := func(o *options) { o.recompute, o.budget, o.seen = p.Recompute, 0, seen }
	_, err = PlanFor(g, append(slices.Clone(opts), settled)...)
	return texts, err
}

// stepLines are the steps of a program in the order in which the graph was built: passes leave them in any.
func stepLines(p *program) []string {
	steps := slices.Clone(p.steps)
	slices.SortStableFunc(steps, func(a, b *Step) int { return cmp.Compare(a.rank, b.rank) })
	lines := make([]string, len(steps))
	for i, s := range steps {
		line := fmt.Sprintf("%s = %s(%s)", names(s.Out), shortName(s.Instr.String()), names(s.In))
		for _, o := range s.Out {
			line += " " + typeString(o)
		}
		lines[i] = line
	}
	return lines
}

// difference merges two lists of lines, each of them without duplicates. before is used up.
func difference(before, after []string) string {
	was, is := map[string]bool{}, map[string]bool{}
	for _, l := range before {
		was[l] = true
	}
	for _, l := range after {
		is[l] = true
	}
	var b strings.Builder
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) > 0 && !is[before[0]]:
			fmt.Fprintf(&b, "- %s\n", before[0])
			before = before[1:]
		case len(after) > 0 && !was[after[0]]:
			fmt.Fprintf(&b, "+ %s\n", after[0])
			after = after[1:]
		case len(after) > 0: // in both; what a pass moved is shown where it is now
			fmt.Fprintf(&b, "  %s\n", after[0])
			if i := slices.Index(before, after[0]); i >= 0 {
				before = slices.Delete(before, i, i+1)
			}
			after = after[1:]
		default:
			before = before[1:]
		}
	}
	return b.String()
}
