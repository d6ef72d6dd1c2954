package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/bench/peers/peer"
	"github.com/stheno-ml/stheno/internal/words"
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
		dates, rounds = with(dates, m.Date), with(rounds, fmt.Sprintf("%d %s of %g s", most, words.Plural("round", most), m.Seconds))
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
	b.WriteString(conditions(r))
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
	for _, c := range contestants {
		if c.alsoTuned {
			fmt.Fprintf(&b, "- %s, in the configurations%s: `%s`\n", c.title, withMalloc, tunedMalloc)
		}
	}
	if commands := r.commands(); commands != "" {
		b.WriteString("\nCommands, one of each contestant's, in this environment:\n\n```\n" + commands + "```\n")
	}
	return b.String()
}

// commands are how the contestants are called by hand for the first of the cases that they have a result of.
func (r *record) commands() string {
	var b strings.Builder
	for _, c := range contestants {
		var ms []*measurement
		for _, mode := range modes {
			ms = append(ms, r.ordered(mode.name)...)
		}
		i := slices.IndexFunc(ms, func(m *measurement) bool { return m.entry(c.key) != nil })
		if i < 0 {
			continue
		}
		m, e := ms[i], ms[i].entry(c.key)
		program := []string{".build/peers/" + c.folder}
		if c.script != "" {
			program = []string{"python3", "bench/peers/" + c.script}
		}
		if len(r.Machine.Usable) >= m.Threads {
			program = append(taskset(r.Machine.Usable, m.Threads), program...)
		}
		config := strings.TrimSuffix(e.Result.Config, withMalloc)
		fmt.Fprintf(&b, "%s --seconds %g --rounds %d --config %q\n", strings.Join(append(program, arguments(m.Case)...), " "), m.Seconds, len(e.Result.Rates), config)
	}
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
func conditions(r *record) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
## The work

- A training step is forward, cross-entropy of the logits, backward, and SGD with momentum, on one random batch in memory, again and
  again, with a learning rate of 10⁻⁴; every contestant has shown before that its loss falls. Stheno's step also has what its trainer
  reports: top-1 and top-5, and on ResNet-50 the L2 penalties on weights, which the others leave out.
- Inference includes the softmax. Every contestant has shown before that its outputs are probabilities.
- Nets are those of package arch with %d classes: VGG-16 has its dense layers of 4096; ResNet-50 has the stride of a block on the 3×3
  convolution, in all contestants.
`, peer.Classes)
	if slices.ContainsFunc(r.Measurements, func(m *measurement) bool { u := rowOf(m.Case); return u != nil && u.family }) {
		b.WriteString("- Of the further families PyTorch has torchvision's networks, and ONNX Runtime what PyTorch exports of them. They have as many\n" +
			"  trained parameters as ours, but for the scales of Inception's norms, which Keras and ours do without. Running averages of inference are those of\n" +
			"  two images.\n")
	}
	b.WriteString(r.trials())
	var tuned, both []string
	for _, c := range contestants {
		switch {
		case slices.Contains(c.env, tunedMalloc):
			tuned = append(tuned, c.title)
		case c.alsoTuned:
			both = append(both, c.title)
		}
	}
	fmt.Fprintf(&b, `- %s get huge pages from malloc, and memory that is kept, by the variable below; %s are tried with it and without.
- Peak memory is the most that the contestant's process occupied (VmHWM), with its libraries.
`, strings.Join(tuned, " and "), strings.Join(both, " and "))
	b.WriteString(r.exceptions())
	b.WriteString(`- GoMLX's Go backend cannot differentiate its own convolutions, pools and normalizations; its nets are made of gathered patches and
  products instead, and its optimizer is plain SGD. Where that is faster, in inference too.
`)
	return b.String()
}

// trials says how configurations were chosen.
func (r *record) trials() string {
	var times, borrowed []string
	for _, m := range r.Measurements {
		for _, e := range m.Entries {
			if len(e.Trials) > 0 && e.TriedIn == "" && m.Trial > 0 {
				times = with(times, fmt.Sprintf("%g s", m.Trial))
			}
			if e.TriedIn != "" {
				borrowed = with(borrowed, e.TriedIn)
			}
		}
	}
	if len(times) == 0 && len(borrowed) == 0 {
		return ""
	}
	s := "- Where a contestant has several configurations, each is tried in a process of its own"
	if len(times) > 0 {
		s += ", for " + strings.Join(times, " or ")
	}
	s += ", and the best is measured.\n"
	if len(borrowed) > 0 {
		s += "  For want of time they were not tried in every case; the others take what was best in a case of the same net and mode:\n  " +
			strings.Join(borrowed, ";\n  ") + ".\n"
	}
	return s
}

// exceptions says who was measured with smaller batches, in fewer cases, or in fewer turns.
func (r *record) exceptions() string {
	var b strings.Builder
	small, whole := false, 0
	for _, m := range r.Measurements {
		for _, e := range m.Entries {
			small = small || m.entry(e.Key) != nil && e.Result.Batch != m.Batch
		}
		if m.entry(ours) != nil {
			whole++
		}
	}
	if small {
		b.WriteString("- \"(batch n)\" is a contestant that cannot bear the case's batch in sensible time or memory, and was measured with n images.\n")
	}
	var once []string
	for _, c := range contestants {
		n := 0
		for _, m := range r.Measurements {
			if us, e := m.entry(ours), m.entry(c.key); us != nil && e != nil && len(e.Result.Rates) == 1 && len(us.Result.Rates) > 1 {
				n++
			}
		}
		if n > 0 {
			once = append(once, fmt.Sprintf("%s in %d", c.title, n))
		}
	}
	if len(once) > 0 {
		fmt.Fprintf(&b, "- Who is slow has a single turn, whose rate is held against the median of ours: %s of %d %s.\n",
			strings.Join(once, ", "), whole, words.Plural("case", whole))
	}
	return b.String()
}

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
