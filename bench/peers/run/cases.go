package main

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// row is a line of the usual cases: the product of its lists.
type row struct {
	arch    string
	size    int
	mode    string
	batches []int
	threads []int
}

// usual are the cases that count.
var usual = []row{
	{"simplecnn", 32, peer.Train, []int{64}, []int{2, 1}},
	{"vgg16", 32, peer.Train, []int{32, 64}, []int{2, 1}},
	{"resnet50", 32, peer.Train, []int{32, 64}, []int{2, 1}},
	{"resnet50", 224, peer.Train, []int{16}, []int{2, 1}},
	{"simplecnn", 32, peer.Inference, []int{1, 16, 64}, []int{2}},
	{"vgg16", 32, peer.Inference, []int{1, 16, 64}, []int{2}},
	{"resnet50", 32, peer.Inference, []int{1, 16, 64}, []int{2}},
	{"resnet50", 224, peer.Inference, []int{1, 16, 64}, []int{2}},
}

// selection restricts the usual cases. Batches and threads replace the usual ones; what is empty leaves them.
type selection struct {
	archs   []string
	sizes   []int
	modes   []string
	batches []int
	threads []int
}

func (s selection) cases() (cases []peer.Case, err error) {
	for _, r := range usual {
		if !has(s.archs, r.arch) || !has(s.sizes, r.size) || !has(s.modes, r.mode) {
			continue
		}
		for _, batch := range or(s.batches, r.batches) {
			for _, threads := range or(s.threads, r.threads) {
				cases = append(cases, peer.Case{Arch: r.arch, Size: r.size, Batch: batch, Threads: threads, Mode: r.mode})
			}
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("no case has these nets %v, sizes %v and modes %v; the nets are simplecnn, vgg16 and resnet50 of 32×32, and resnet50 of 224×224", s.archs, s.sizes, s.modes)
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
	return fmt.Sprintf("%s %d×%d, batch %d, %s, %d %s", c.Arch, c.Size, c.Size, c.Batch, c.Mode, c.Threads, plural("thread", c.Threads))
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
