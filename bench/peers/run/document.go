package main

import (
	"fmt"
	"slices"
	"strings"
)

// document is the record as a Markdown file.
func document(r *record) string {
	var b strings.Builder
	var dates, rounds []string
	for _, m := range r.Measurements {
		most := 0
		for _, e := range m.Entries {
			most = max(most, len(e.Result.Rates))
		}
		dates, rounds = with(dates, m.Date), with(rounds, fmt.Sprintf("%d rounds of %g s", most, m.Seconds))
	}
	fmt.Fprintf(&b, `# On the CPU, beside other frameworks

Written by `+"`make bench-peers`"+` (bench/peers) on %s: %s. In each round every contestant has a turn; who is first goes round.
Images per second are medians over the rounds. "Stheno ÷ best peer" is the median, and in brackets the least and the most, of the ratios
within the rounds; the best peer is the one with the highest median, in bold. All compute in float32.
`, strings.Join(dates, ", "), strings.Join(rounds, ", "))
	b.WriteString(goals(r))
	for _, mode := range modes {
		ms := r.ordered(mode.name)
		if len(ms) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s, images/s\n\n%s", mode.title, table(ms))
		if slices.ContainsFunc(ms, func(m *measurement) bool { return m.entry(ours) != nil && m.best() != nil }) {
			fmt.Fprintf(&b, "\nHow many times as fast Stheno is:\n\n%s", others(ms))
		}
	}
	b.WriteString(conditions)
	for _, mode := range modes {
		if ms := r.ordered(mode.name); len(ms) > 0 {
			fmt.Fprintf(&b, "\n## %s: spread, memory, configurations\n\n%s", mode.title, details(ms))
		}
	}
	b.WriteString("\n## Machine\n\n" + r.Machine.text())
	fmt.Fprintf(&b, "\nVersions: %s.\n", strings.Join(r.versions(), ", "))
	b.WriteString("\nEnvironment: " + unsetText() + " Besides:\n\n")
	for _, c := range contestants {
		if len(c.env) > 0 {
			fmt.Fprintf(&b, "- %s: `%s`\n", c.title, strings.Join(c.env, " "))
		}
	}
	b.WriteString("\nCommands (`taskset -c 0` with one thread):\n\n```\n")
	for _, c := range contestants {
		program := ".build/peers/" + c.folder
		if c.script != "" {
			program = "python3 bench/peers/" + c.script
		}
		fmt.Fprintf(&b, "taskset -c 0-1 %s --arch vgg16 --size 32 --batch 32 --threads 2 --mode train --seconds 2 --rounds 5\n", program)
	}
	b.WriteString("```\n")
	return b.String()
}

// notesTitle begins what is written by hand.
const notesTitle = "\n## Notes\n"

// notes are those of an older document: everything from their title on.
func notes(old string) string {
	if i := strings.Index(old, notesTitle); i >= 0 {
		return old[i:]
	}
	return ""
}

// conditions is what there is to know of the work.
const conditions = `
## The work

- A training step is forward, cross-entropy of the logits, backward, and SGD with momentum, on one random batch in memory, again and
  again, with a learning rate of 10⁻⁴; every contestant has shown before that its loss falls. Stheno's step also has what its trainer
  reports: top-1 and top-5, and on ResNet-50 the L2 penalties on weights, which the others leave out.
- Inference includes the softmax. Every contestant has shown before that its outputs are probabilities.
- Nets are those of package arch with 100 classes: VGG-16 has its dense layers of 4096; ResNet-50 has the stride of a block on the 3×3
  convolution, in all contestants.
- Where a contestant has several configurations, each is tried for a second in a process of its own, and the best is measured. Where time
  was short it is tried in one case of each net and mode.
- PyTorch is Debian's 1.13 with the OpenMP build of OpenBLAS, huge pages and memory that is kept, which makes its steps up to twice as fast
  as they are when it is just installed.
- Peak memory is the most that the contestant's process occupied (VmHWM), with its libraries.
- "(batch n)" is a contestant that cannot bear the case's batch in sensible time or memory, and was measured with n images. JAX, GoMLX and
  Gorgonia are measured in some of the cases, in a single turn, whose rate is held against the median of ours.
- GoMLX's Go backend cannot differentiate its own convolutions, pools and normalizations; its nets are made of gathered patches and
  products instead, and its optimizer is plain SGD. Where that is faster, in inference too.
`

func with(all []string, s string) []string {
	if slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}

func (m machine) text() string {
	var b strings.Builder
	for _, line := range [][2]string{{"processor", fmt.Sprintf("%s, %d cores", m.CPU, m.Processors)}, {"vector instructions", m.Flags},
		{"caches of a core", strings.Join(m.Caches, ", ")}, {"memory", m.Memory}, {"transparent huge pages", m.HugePages}, {"kernel", m.Kernel}, {"Go", m.Go}} {
		fmt.Fprintf(&b, "- %s: %s\n", line[0], line[1])
	}
	return b.String()
}

func unsetText() string {
	var names []string
	for _, u := range unset {
		if name, whole := strings.CutSuffix(u, "="); whole {
			names = append(names, name)
		} else {
			names = append(names, u+"…")
		}
	}
	return strings.Join(names, ", ") + " are unset; OMP_NUM_THREADS is the number of threads."
}
