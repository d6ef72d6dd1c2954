package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/bench/peers/peer"
	"github.com/stheno-ml/stheno/internal/words"
)

// row is a line of the usual cases: the product of its lists.
type row struct {
	arch    string
	size    int
	mode    string
	batches []int
	threads []int

	wanted []float64 // of each batch: how many times as fast as the reference Stheno shall be, at least
	slow   int       // the batch that the slow contestants are measured with too, on two threads
	gflop  float64   // of an image, forward
	family bool      // it shows one more family of networks, and is not among the usual cases
}

// usual are the cases that count.
var usual = []row{
	{"simplecnn", 32, peer.Train, []int{64}, []int{2, 1}, []float64{1.5}, 64, 0.00298, false},
	{"vgg16", 32, peer.Train, []int{32, 64}, []int{2, 1}, []float64{1.4, 1.4}, 32, 0.665, false},
	{"resnet50", 32, peer.Train, []int{32, 64}, []int{2, 1}, []float64{1.5, 1.5}, 32, 0.158, false},
	{"resnet50", 224, peer.Train, []int{16}, []int{2, 1}, []float64{1.15}, 16, 7.71, false},
	{"simplecnn", 32, peer.Inference, []int{1, 16, 64}, []int{2}, []float64{1.2, 1.2, 1.2}, 64, 0.00298, false},
	{"vgg16", 32, peer.Inference, []int{1, 16, 64}, []int{2}, []float64{1, 1.3, 1.3}, 16, 0.665, false}, // a batch of 1 streams weights
	{"resnet50", 32, peer.Inference, []int{1, 16, 64}, []int{2}, []float64{1.2, 1.2, 1.2}, 16, 0.158, false},
	{"resnet50", 224, peer.Inference, []int{1, 16, 64}, []int{2}, []float64{1.05, 1.05, 1.05}, 1, 7.71, false},
}

// ahead is wanted of the families: to be faster than the best of the others.
var ahead = []float64{1, 1}

// families are cases of further networks, one of each kind, on two threads; those of 224×224 and 299×299 as they were published.
var families = slices.Concat(
	family("mobilenetv2", 224, 16, 0.6), family("mobilenetv3-large", 224, 16, 0.43), family("efficientnetb0", 224, 16, 0.78),
	family("convnext-tiny", 224, 8, 8.9), family("vit-s16", 224, 8, 9.2), family("vit-ti4", 32, 64, 0.75),
	family("densenet121", 224, 8, 5.7), family("resnext50-32x4d", 224, 8, 8.5), family("inceptionv3", 299, 8, 11.4))

// family are the rows of a network: training steps and inference of a batch, and inference of one image.
func family(arch string, size, batch int, gflop float64) []row {
	two := []int{2}
	return []row{
		{arch, size, peer.Train, []int{batch}, two, ahead, 0, gflop, true},
		{arch, size, peer.Inference, []int{1, batch}, two, ahead, 0, gflop, true},
	}
}

// rows are all of them.
var rows = slices.Concat(usual, families)

// rowOf is where a case belongs, nil if it has a net, a size or a mode that no row has.
func rowOf(c peer.Case) *row {
	for i := range rows {
		if u := &rows[i]; u.arch == c.Arch && u.size == c.Size && u.mode == c.Mode {
			return u
		}
	}
	return nil
}

// wanted is the ratio that a case shall reach against its reference, 0 where none is known.
func wanted(c peer.Case) float64 {
	if u := rowOf(c); u != nil {
		if i := slices.Index(u.batches, c.Batch); i >= 0 && slices.Contains(u.threads, c.Threads) {
			return u.wanted[i]
		}
	}
	return 0
}

// forSlow says that the slow contestants are measured in a case.
func forSlow(c peer.Case) bool {
	u := rowOf(c)
	return u != nil && c.Batch == u.slow && c.Threads == 2
}

// gflop is about how much arithmetic a step of a case is.
func gflop(c peer.Case) float64 {
	u := rowOf(c)
	if u == nil {
		return 0
	}
	if c.Mode == peer.Train {
		return 3 * u.gflop * float64(c.Batch)
	}
	return u.gflop * float64(c.Batch)
}

// cases are those of the row.
func (r row) cases() (all []peer.Case) {
	for _, batch := range r.batches {
		for _, threads := range r.threads {
			all = append(all, peer.Case{Arch: r.arch, Size: r.size, Batch: batch, Threads: threads, Mode: r.mode})
		}
	}
	return all
}

// selection restricts the cases: to the usual ones, or to families, where it names no nets. Batches and threads replace the usual ones; what is empty leaves them.
type selection struct {
	families bool
	archs    []string
	sizes    []int
	modes    []string
	batches  []int
	threads  []int
}

func (s selection) cases() (cases []peer.Case, err error) {
	for _, r := range rows {
		if len(s.archs) == 0 && r.family != s.families || s.families && !r.family {
			continue
		}
		if !has(s.archs, r.arch) || !has(s.sizes, r.size) || !has(s.modes, r.mode) {
			continue
		}
		r.batches, r.threads = or(s.batches, r.batches), or(s.threads, r.threads)
		cases = append(cases, r.cases()...)
	}
	if len(cases) == 0 {
		var there []string
		for _, r := range rows {
			if net := fmt.Sprintf("%s of %d×%d", r.arch, r.size, r.size); !slices.Contains(there, net) {
				there = append(there, net)
			}
		}
		return nil, fmt.Errorf("no case has these nets %v, sizes %v and modes %v; there are %s", s.archs, s.sizes, s.modes, strings.Join(there, ", "))
	}
	return cases, nil
}

func has[T comparable](given []T, x T) bool { return len(given) == 0 || slices.Contains(given, x) }

func or(given, usual []int) []int {
	if len(given) > 0 {
		return given
	}
	return usual
}

// describe is a case in words.
func describe(c peer.Case) string {
	return fmt.Sprintf("%s %d×%d, batch %d, %s, %d %s", c.Arch, c.Size, c.Size, c.Batch, c.Mode, c.Threads, words.Plural("thread", c.Threads))
}
