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
	fmt.Fprintf(&b, "\n%d of %d goals that were measured are reached: in training at 32² twice PyTorch's eager mode and 1.1 times its fastest compiled one, elsewhere "+
		"the fastest of PyTorch, and 3,500 images/s of ResNet-50 at 224² in bf16.\n", met, measured)
	b.WriteString(r.coverage())
	if len(open) > 0 {
		b.WriteString("Not measured in one call: " + strings.Join(open, "; ") + ".\n")
	}
	if len(missed) > 0 {
		b.WriteString("\n| missed | | against | wanted | measured |\n|---|---|---|--:|--:|\n" + strings.Join(missed, ""))
	}
	return b.String()
}

// wanted are the cases of CASES=all of scripts/gpu-bench.sh.
func wanted() (all []testCase) {
	add := func(size int, batches []int, nets ...string) {
		for _, net := range nets {
			for _, batch := range batches {
				for _, mode := range modes {
					for _, precision := range []string{"bf16", "tf32", "fp32"} {
						classes := 100
						if size == 224 {
							classes = 1000
						}
						all = append(all, testCase{net, size, classes, batch, mode.name, precision})
					}
				}
			}
		}
	}
	add(32, []int{64, 128, 512, 1024}, "simplecnn", "vgg16", "resnet50")
	add(224, []int{64, 256}, "resnet50", "vgg16", "alexnet")
	return all
}

// coverage says how much of what the script lists was measured, by whom.
func (r *record) coverage() string {
	cases := wanted()
	of := func(mode string, who contestant) (n int) {
		for _, c := range cases {
			if e := r.of(c, who); c.Mode == mode && e != nil && e.ImagesPerSecond > 0 {
				n++
			}
		}
		return n
	}
	var list []string
	for _, who := range contestants {
		list = append(list, fmt.Sprintf("%s %d and %d", who.title, of("train", who), of("inference", who)))
	}
	return fmt.Sprintf("Of the %d cases of training and %[1]d of inference that CASES=all lists: %s. The others are not measured.\n", len(cases)/2, strings.Join(list, ", "))
}

// amount is a ratio or a number of images.
func amount(x float64) string {
	if x < 100 {
		return ratio(x)
	}
	return number(x)
}
