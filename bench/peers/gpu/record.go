package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/nn"
)

// record is everything that was measured.
type record struct {
	calls   []*call
	entries []*entry
	broken  []string // files that end in the middle
}

// contestant is a column.
type contestant struct{ framework, variant, title string }

// contestants in the order of the columns.
var contestants = []contestant{
	{ours, "", "Stheno"}, {"PyTorch", "eager", "PyTorch eager"}, {"PyTorch", "compile", "torch.compile"},
	{"PyTorch", "reduce-overhead", "reduce-overhead"}, {"PyTorch", "max-autotune", "max-autotune"}, {"JAX", "jit", "JAX"},
}

// add takes an entry in, in place of an older one of the same contestant in the same case. Numbers are not replaced by a reason why there
// are none, nor are they taken of a net that is not ours.
func (r *record) add(e *entry) {
	if why := e.wrong(); why != "" {
		e.Error, e.ImagesPerSecond, e.Rates = why, 0, nil
	}
	i := slices.IndexFunc(r.entries, func(old *entry) bool {
		return old.testCase == e.testCase && old.gpu == e.gpu && old.Framework == e.Framework && old.Variant == e.Variant
	})
	switch {
	case i < 0:
		r.entries = append(r.entries, e)
	case e.Error == "" || r.entries[i].Error != "":
		r.entries[i] = e
	}
}

// wrong says why an entry's numbers do not count, "" where they do.
func (e *entry) wrong() string {
	switch {
	case e.Error != "":
		return e.Error
	case !(e.ImagesPerSecond > 0) || len(e.Rates) == 0:
		return "there are no rates"
	case e.Parameters == 0:
		return ""
	}
	want, err := e.trained()
	if err != nil {
		return err.Error()
	}
	if e.Parameters != want {
		return fmt.Sprintf("this is another net: it trains %d parameters, ours %d", e.Parameters, want)
	}
	return ""
}

// trained is the number of parameters that are trained in package arch's net.
func (c testCase) trained() (int, error) {
	name, config := c.Arch, arch.Config{Input: nn.Shape{c.Size, c.Size, 3}, Classes: c.Classes}
	if name == "resnet18-cifar" {
		name, config.Stem = "resnet18", arch.CIFARStem
	}
	a, err := arch.ByName(name, config)
	if err != nil {
		return 0, err
	}
	m, err := a.Model()
	if err != nil {
		return 0, err
	}
	_, trained, _ := m.CountParams()
	return trained, nil
}

// gpus are those that have entries, in the order of their calls.
func (r *record) gpus() (names []string) {
	for _, s := range r.calls {
		if !slices.Contains(names, s.GPU) && slices.ContainsFunc(r.entries, func(e *entry) bool { return e.gpu == s.GPU }) {
			names = append(names, s.GPU)
		}
	}
	return names
}

// on is the part of a record that is of one GPU.
func (r *record) on(gpu string) *record {
	part := &record{}
	for _, e := range r.entries {
		if e.gpu == gpu {
			part.entries = append(part.entries, e)
		}
	}
	for _, s := range r.calls {
		if s.GPU == gpu {
			part.calls = append(part.calls, s)
		}
	}
	return part
}

var (
	archs      = []string{"simplecnn", "vgg16", "resnet18-cifar", "resnet50", "alexnet"}
	precisions = []string{"fp32", "tf32", "bf16"}
)

// cases of a mode, in the order of a table.
func (r *record) cases(mode string) (all []testCase) {
	for _, e := range r.entries {
		if e.Mode == mode && !slices.Contains(all, e.testCase) {
			all = append(all, e.testCase)
		}
	}
	slices.SortFunc(all, func(a, b testCase) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(slices.Index(archs, a.Arch), slices.Index(archs, b.Arch)), cmp.Compare(a.Arch, b.Arch),
			cmp.Compare(a.Classes, b.Classes), cmp.Compare(slices.Index(precisions, a.Precision), slices.Index(precisions, b.Precision)), cmp.Compare(a.Batch, b.Batch))
	})
	return all
}

// of is a contestant's entry of a case, nil if it has no numbers.
func (r *record) of(c testCase, who contestant) *entry {
	for _, e := range r.entries {
		if e.testCase == c && e.Framework == who.framework && e.Variant == who.variant && e.Error == "" {
			return e
		}
	}
	return nil
}

// columns are the contestants that have numbers.
func (r *record) columns() []contestant {
	return slices.DeleteFunc(slices.Clone(contestants), func(who contestant) bool {
		return !slices.ContainsFunc(r.entries, func(e *entry) bool {
			return e.Framework == who.framework && e.Variant == who.variant && e.Error == ""
		})
	})
}

// best is the fastest of a case among those that take part and were measured in the call that we were, if we were; nil if there is none.
func (r *record) best(c testCase, takesPart func(contestant) bool) (best *entry) {
	us := r.of(c, contestants[0])
	for _, who := range contestants {
		if e := r.of(c, who); e != nil && takesPart(who) && (us == nil || e.call == us.call) && (best == nil || e.ImagesPerSecond > best.ImagesPerSecond) {
			best = e
		}
	}
	return best
}

func isPeer(who contestant) bool     { return who.framework != ours }
func isEager(who contestant) bool    { return who.variant == "eager" }
func isPyTorch(who contestant) bool  { return who.framework == "PyTorch" }
func isCompiled(who contestant) bool { return isPyTorch(who) && !isEager(who) }

// spread is how far the rounds are apart, as a share of the median.
func (e *entry) spread() float64 {
	return (slices.Max(e.Rates) - slices.Min(e.Rates)) / e.ImagesPerSecond
}
