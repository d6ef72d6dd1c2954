package main

import (
	"fmt"
	"strings"
)

// goal is a ratio that we want to reach in a case, against the fastest of some contestants, or a number of images a second.
type goal struct {
	against string
	among   func(contestant) bool // nil: the number is images a second
	number  float64
}

// goals of a case.
func goals(c testCase) (all []goal) {
	if c.Mode == "train" && c.Size == 32 {
		all = append(all, goal{"PyTorch eager", isEager, 2}, goal{"torch.compile, the fastest of its modes", isCompiled, 1.1})
	} else {
		all = append(all, goal{"PyTorch, the fastest of all", isPyTorch, 1})
	}
	if c.Mode == "train" && c.Size == 224 && c.Precision == "bf16" && c.Arch == "resnet50" {
		all = append(all, goal{"images a second", nil, 3500})
	}
	return all
}

// reached counts the goals, and lists those that were missed, as a part of a document. It is empty where none was measured.
func (r *record) reached() string {
	var missed, open []string
	met, measured := 0, 0
	for _, mode := range modes {
		for _, c := range r.cases(mode.name) {
			us := r.of(c, contestants[0])
			for _, g := range goals(c) {
				var peer *entry
				if g.among != nil {
					peer = r.best(c, g.among)
				}
				if us == nil || g.among != nil && peer == nil {
					open = append(open, fmt.Sprintf("%s in %s against %s", c.name(), mode.title, g.against))
					continue
				}
				got := us.ImagesPerSecond
				if peer != nil {
					got /= peer.ImagesPerSecond
				}
				measured++
				if got >= g.number {
					met++
					continue
				}
				missed = append(missed, fmt.Sprintf("| %s | %s | %s | %s | %s |\n", c.name(), mode.title, g.against, amount(g.number), amount(got)))
			}
		}
	}
	if measured == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d of %d goals that were measured are reached.\n", met, measured)
	if len(open) > 0 {
		b.WriteString("Not measured in one call: " + strings.Join(open, "; ") + ".\n")
	}
	if len(missed) > 0 {
		b.WriteString("\n| missed | | against | wanted | measured |\n|---|---|---|--:|--:|\n" + strings.Join(missed, ""))
	}
	return b.String()
}

// amount is a ratio or a number of images.
func amount(x float64) string {
	if x < 100 {
		return ratio(x)
	}
	return number(x)
}
