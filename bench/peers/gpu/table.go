package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/thousands"
)

var modes = []struct{ name, title string }{{"train", "training"}, {"inference", "inference"}}

var nets = map[string]string{"simplecnn": "SimpleCNN", "vgg16": "VGG-16", "resnet50": "ResNet-50", "resnet18-cifar": "ResNet-18, 3×3 stem", "alexnet": "AlexNet"}

func (c testCase) name() string {
	return fmt.Sprintf("%s %d², batch %d, %s", cmp.Or(nets[c.Arch], c.Arch), c.Size, c.Batch, c.Precision)
}

// document is the record as a Markdown file.
func (r *record) document() string {
	var b strings.Builder
	b.WriteString(`# On the GPU, beside other frameworks

Written by ` + "`go run ./bench/peers/gpu`" + ` from the measurements of ` + "`scripts/gpu-bench.sh`" + ` in bench/results/gpu. Images per second are medians of
rounds; the fastest peer is bold. Ratios are ours ÷ theirs; best is the fastest of the peers that were measured in the case.

Training is forward, cross-entropy, backward and SGD with momentum; inference has the scores of each batch in host memory before the next one
begins. Batches come from host memory, copied while the one before is computed, as bytes that the GPU makes floats of, where "fed with"
below says nothing else. Ratios are of numbers that one call of the script measured; † marks one of another call. PyTorch has channels-last
layout, cuDNN's measured algorithms and its fused optimizer; in bf16 autocast in training and a net of bfloat16 in inference, frozen where it is
compiled. Peers whose net has not as many trained parameters as ours do not count. Ours has the ways of the libraries that ` + "`--tuning measure`" + ` found
the fastest. Before a case is timed, what Stheno computes is compared with its CPU engine's, unless Rounds says "not verified".
`)
	for _, gpu := range r.gpus() {
		part := r.on(gpu)
		fmt.Fprintf(&b, "\n## %s\n%s", gpu, part.reached())
		for _, mode := range modes {
			if cases := part.cases(mode.name); len(cases) > 0 {
				fmt.Fprintf(&b, "\n### %s, images/s\n\n%s\n### Device memory of %s, MB\n\n%s", title(mode.title), part.speeds(cases), mode.title, part.memory(cases))
			}
		}
		b.WriteString("\n### Rounds\n\n" + part.details() + part.failures() + part.machines())
	}
	for _, s := range r.broken {
		b.WriteString("\nCut short: " + s + ".\n")
	}
	return b.String()
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// heading begins a table of cases with a column for each contestant and some more.
func heading(columns []contestant, more ...string) string {
	var b strings.Builder
	b.WriteString("| net | batch | precision |")
	for _, who := range columns {
		b.WriteString(" " + who.title + " |")
	}
	for _, name := range more {
		b.WriteString(" " + name + " |")
	}
	return b.String() + "\n|---|--:|---|" + strings.Repeat("--:|", len(columns)+len(more)) + "\n"
}

func (c testCase) row() string {
	return fmt.Sprintf("| %s %d² | %d | %s |", cmp.Or(nets[c.Arch], c.Arch), c.Size, c.Batch, c.Precision)
}

// speeds is the table of images per second, with our ratios.
func (r *record) speeds(cases []testCase) string {
	var b strings.Builder
	columns := r.columns()
	b.WriteString(heading(columns, "÷ eager", "÷ best compiled", "÷ best"))
	for _, c := range cases {
		best := r.best(c, isPeer)
		b.WriteString(c.row())
		for _, who := range columns {
			switch e := r.of(c, who); {
			case e == nil:
				b.WriteString(" – |")
			case e == best:
				fmt.Fprintf(&b, " **%s** |", number(e.ImagesPerSecond))
			default:
				mark := ""
				if us := r.of(c, contestants[0]); us != nil && e.call != us.call {
					mark = " †"
				}
				fmt.Fprintf(&b, " %s%s |", number(e.ImagesPerSecond), mark)
			}
		}
		for _, among := range []func(contestant) bool{isEager, isCompiled, isPeer} {
			us, peer := r.of(c, contestants[0]), r.best(c, among)
			if us == nil || peer == nil {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " %s |", ratio(us.ImagesPerSecond/peer.ImagesPerSecond))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// memory is the table of device memory.
func (r *record) memory(cases []testCase) string {
	var b strings.Builder
	columns := r.columns()
	b.WriteString(heading(columns))
	for _, c := range cases {
		b.WriteString(c.row())
		for _, who := range columns {
			if e := r.of(c, who); e != nil && e.Memory > 0 {
				fmt.Fprintf(&b, " %s |", number(float64(e.Memory)/1e6))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteByte('\n')
	}
	return b.String() + "\nStheno's is what its engine holds, PyTorch's the most that its tensors occupied in the rounds, without what\nits CUDA graphs keep (reduce-overhead, max-autotune), JAX's what its compiled step asks for.\n"
}

// details has the spread of every entry, and what is peculiar.
func (r *record) details() string {
	var b strings.Builder
	b.WriteString("| case | | | images/s | slowest–fastest | spread | |\n|---|---|---|--:|--:|--:|---|\n")
	for _, mode := range modes {
		for _, c := range r.cases(mode.name) {
			for _, who := range contestants {
				e := r.of(c, who)
				if e == nil {
					continue
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s–%s | %.1f %% | %s |\n", c.name(), mode.title, who.title, number(e.ImagesPerSecond),
					number(slices.Min(e.Rates)), number(slices.Max(e.Rates)), 100*e.spread(), strings.Join(e.remarks(), "; "))
			}
		}
	}
	return b.String()
}

// notVerified is what a report says of results that were not compared with others.
const notVerified = "not verified"

// remarks are what is peculiar to an entry.
func (e *entry) remarks() (all []string) {
	if e.Feed != "" && e.Feed != "bytes" {
		all = append(all, "fed with "+map[string]string{"floats": "floats from host memory", "device": "floats on the device"}[e.Feed])
	}
	if e.Verified == notVerified {
		all = append(all, notVerified)
	}
	if e.Joules > 0 {
		all = append(all, fmt.Sprintf("%.3g mJ an image", 1e3*e.Joules))
	}
	if len(e.Losses) == 2 && e.Losses[1] >= e.Losses[0] {
		all = append(all, fmt.Sprintf("**the loss did not fall**: %.3g to %.3g", e.Losses[0], e.Losses[1]))
	}
	return all
}

// failures lists what has no numbers.
func (r *record) failures() string {
	var b strings.Builder
	for _, e := range r.entries {
		if e.Error != "" {
			who := strings.TrimSpace(e.Framework + " " + e.Variant)
			fmt.Fprintf(&b, "- %s, %s, %s: %s\n", e.name(), e.Mode, who, brief(e.Error))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### Not measured\n\n" + b.String()
}

// brief is the beginning of an error, in a line. Compilers write pages.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + " …"
	}
	return text
}

// machines are the calls and versions.
func (r *record) machines() string {
	var b strings.Builder
	b.WriteString("\n### Machine and versions\n\n")
	var lines []string
	add := func(line string) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
			b.WriteString("- " + line + "\n")
		}
	}
	for _, s := range r.calls {
		add(fmt.Sprintf("%s, driver %s, %s; %s", s.GPU, cmp.Or(s.Driver, "unknown"), cmp.Or(s.Memory, "memory unknown"), cmp.Or(s.CPU, "processor unknown")))
	}
	for _, e := range r.entries {
		if e.Framework != ours {
			add(e.Framework + " " + e.Version)
		}
	}
	for _, s := range r.calls {
		add("measured on " + s.Date + " with " + cmp.Or(s.Stheno, "no Stheno") + s.at())
	}
	return b.String()
}

// at names the commit.
func (c *call) at() string {
	if c.Commit == "" {
		return ""
	}
	return ", commit " + c.Commit
}

// number shows a rate or an amount with three digits or more.
func number(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return thousands.Format(int64(math.RoundToEven(x)))
}

// ratio shows how many times as fast.
func ratio(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f", x)
	}
	return number(x)
}
