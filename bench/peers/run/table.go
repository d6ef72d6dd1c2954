package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/bench/peers/peer"
	"github.com/stheno-ml/stheno/internal/thousands"
)

// summary is a measurement in lines for the screen.
func summary(m *measurement) string {
	var b strings.Builder
	best := m.best()
	for _, e := range m.Entries {
		if m.entry(e.Key) == nil {
			continue
		}
		least, most := slices.Min(e.Result.Rates), slices.Max(e.Result.Rates)
		fmt.Fprintf(&b, "  %-14s %9s images/s (%s to %s), %4d MB, %s%s", e.Title, number(e.Result.ImagesPerSecond), number(least), number(most),
			e.Result.PeakMemory/1e6, e.Result.Config, smaller(m, e))
		if median, least, most, ok := m.ratio(e); ok && e.Key != ours {
			fmt.Fprintf(&b, "; Stheno is %s × as fast (%s to %s)", ratio(median), ratio(least), ratio(most))
			if e == best {
				b.WriteString(", and this is the best peer")
			}
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// smaller says that an entry had fewer images in a batch.
func smaller(m *measurement, e *entry) string {
	if e.Result.Batch == m.Batch {
		return ""
	}
	return fmt.Sprintf(" (batch %d)", e.Result.Batch)
}

// number shows a rate with three digits or more.
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

// ordered are the measurements in the order of the usual cases.
func (r *record) ordered(mode string) (ms []*measurement) {
	place := func(m *measurement) int {
		return slices.IndexFunc(usual, func(u row) bool { return u.arch == m.Arch && u.size == m.Size && u.mode == m.Mode })
	}
	for _, m := range r.Measurements {
		if m.Mode == mode {
			ms = append(ms, m)
		}
	}
	slices.SortStableFunc(ms, func(a, b *measurement) int {
		if by := place(a) - place(b); by != 0 {
			return by
		}
		if by := a.Batch - b.Batch; by != 0 {
			return by
		}
		return b.Threads - a.Threads
	})
	return ms
}

// columns are the contestants that have results in some measurement.
func columns(ms []*measurement) (keys []string) {
	for _, c := range contestants {
		if slices.ContainsFunc(ms, func(m *measurement) bool { return m.entry(c.key) != nil }) {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// table compares the medians; the best peer is bold.
func table(ms []*measurement) string {
	var b strings.Builder
	keys := columns(ms)
	b.WriteString("| net | batch | threads |")
	for _, key := range keys {
		b.WriteString(" " + contestants[find(key)].title + " |")
	}
	b.WriteString(" Stheno ÷ best peer |\n|---|--:|--:|" + strings.Repeat("--:|", len(keys)+1) + "\n")
	for _, m := range ms {
		fmt.Fprintf(&b, "| %s %d² | %d | %d |", nets[m.Arch], m.Size, m.Batch, m.Threads)
		best := m.best()
		for _, key := range keys {
			e := m.entry(key)
			switch {
			case e == nil:
				b.WriteString(" – |")
			case e == best:
				fmt.Fprintf(&b, " **%s**%s |", number(e.Result.ImagesPerSecond), smaller(m, e))
			default:
				fmt.Fprintf(&b, " %s%s |", number(e.Result.ImagesPerSecond), smaller(m, e))
			}
		}
		if median, least, most, ok := m.ratio(best); ok {
			fmt.Fprintf(&b, " **%s** (%s–%s) |\n", ratio(median), ratio(least), ratio(most))
		} else {
			b.WriteString(" – |\n")
		}
	}
	return b.String()
}

var nets = map[string]string{
	"simplecnn": "SimpleCNN", "vgg16": "VGG-16", "resnet50": "ResNet-50", "mobilenetv2": "MobileNetV2", "mobilenetv3-large": "MobileNetV3-Large",
	"efficientnetb0": "EfficientNet-B0", "convnext-tiny": "ConvNeXt-Tiny", "vit-s16": "ViT-S/16", "vit-ti4": "ViT-Ti/4", "densenet121": "DenseNet-121",
	"resnext50-32x4d": "ResNeXt-50", "inceptionv3": "Inception-v3",
}

// others compares us with every one of the others, in ratios.
func others(ms []*measurement) string {
	var b strings.Builder
	keys := slices.DeleteFunc(columns(ms), func(key string) bool { return key == ours })
	b.WriteString("| net | batch | threads |")
	for _, key := range keys {
		b.WriteString(" ÷ " + contestants[find(key)].title + " |")
	}
	b.WriteString("\n|---|--:|--:|" + strings.Repeat("--:|", len(keys)) + "\n")
	for _, m := range ms {
		fmt.Fprintf(&b, "| %s %d² | %d | %d |", nets[m.Arch], m.Size, m.Batch, m.Threads)
		for _, key := range keys {
			if median, _, _, ok := m.ratio(m.entry(key)); ok {
				fmt.Fprintf(&b, " %s |", ratio(median))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// details has spread, memory and configuration of every entry.
func details(ms []*measurement) string {
	var b strings.Builder
	b.WriteString("| net | batch | threads | | images/s | slowest–fastest | peak memory | configuration, and those that were tried |\n|---|--:|--:|---|--:|--:|--:|---|\n")
	for _, m := range ms {
		for _, e := range m.Entries {
			fmt.Fprintf(&b, "| %s %d² | %d | %d | %s |", nets[m.Arch], m.Size, m.Batch, m.Threads, e.Title)
			if m.entry(e.Key) == nil {
				fmt.Fprintf(&b, " – | | | %s |\n", e.Reason)
				continue
			}
			fmt.Fprintf(&b, " %s | %s–%s | %d MB | %s%s%s |\n", number(e.Result.ImagesPerSecond), number(slices.Min(e.Result.Rates)),
				number(slices.Max(e.Result.Rates)), e.Result.PeakMemory/1e6, e.Result.Config, smaller(m, e), tried(e))
		}
	}
	return b.String()
}

// tried lists the configurations that are not the one that was measured.
func tried(e *entry) string {
	var all []string
	for _, t := range e.Trials {
		switch {
		case t.Reason != "":
			all = append(all, t.Config+": "+t.Reason)
		case t.Config != e.Result.Config:
			all = append(all, t.Config+" "+number(t.ImagesPerSecond))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}

// versions lists the frameworks.
func (r *record) versions() (all []string) {
	for _, c := range contestants {
		for _, m := range r.Measurements {
			if e := m.entry(c.key); e != nil {
				if v := e.Result.Framework + " " + e.Result.Version; !slices.Contains(all, v) {
					all = append(all, v)
				}
			}
		}
	}
	return all
}

// modes in the order of the document.
var modes = []struct{ name, title string }{{peer.Train, "Training steps"}, {peer.Inference, "Inference"}}
