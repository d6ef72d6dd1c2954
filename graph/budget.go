package graph

import (
	"sort"

	"gorgonia.org/gorgonia"
)

// segmentCounts are the numbers of segments that are tried where the caller names none. Which is best depends on where in
// the net the large values are; about √n of its layers is where to look (Chen et al. 2016).
var segmentCounts = []int{2, 3, 4, 6, 8, 11, 16, 23, 32}

// planSegments takes the number of segments that needs the least memory, the smallest among equals.
func planSegments(g *gorgonia.ExprGraph, o *options) (best *Plan, host []string, err error) {
	for _, n := range segmentCounts {
		p, h, err := planWith(g, o, RecomputeSegments(n))
		if err != nil {
			return nil, nil, err
		}
		if best == nil || p.PeakBytes() < best.PeakBytes() {
			best, host = p, h
		}
	}
	return best, host, nil
}

// planWithin looks for the plan that takes the least time of those that fit the budget: nothing computed again, with updates that
// wait for each other where the engine likes that, or without; else the cheap steps, else for every number of segments as few of
// them as it takes, of which it takes the one with the least work.
func planWithin(g *gorgonia.ExprGraph, o *options) (*Plan, []string, error) {
	s := &budgetSearch{g: g, o: o}
	if _, ok := o.engine.(Gatherer); ok && !s.fits(RecomputeOff) {
		hasty := *o
		hasty.scarce = true
		s.o = &hasty
	}
	for _, r := range []Recompute{RecomputeOff, RecomputeCheap} {
		if s.best != nil || s.fits(r) {
			break
		}
	}
	for _, n := range segmentCounts {
		if s.best != nil && s.best.Recompute.kind != recomputeSegments {
			break
		}
		r := RecomputeSegments(n)
		if s.fits(r) {
			sort.Search(n-2, func(i int) bool { // every plan that fits is noted on the way
				r.most = i + 1
				return s.fits(r)
			})
		}
	}
	switch {
	case s.err != nil:
		return nil, nil, s.err
	case s.best == nil:
		return nil, nil, &BudgetError{Budget: o.budget, Least: s.least.PeakBytes(), With: s.least.Recompute}
	}
	return s.best, s.host, nil
}

type budgetSearch struct {
	g     *gorgonia.ExprGraph
	o     *options
	best  *Plan // of those that fit, the one with the least work
	work  float64
	host  []string
	least *Plan // the smallest, fit or not
	err   error
}

// fits tries one way of recomputation.
func (s *budgetSearch) fits(r Recompute) bool {
	if s.err != nil {
		return false
	}
	p, host, err := planWith(s.g, s.o, r)
	if err != nil {
		s.err = err
		return false
	}
	if s.least == nil || p.PeakBytes() < s.least.PeakBytes() {
		s.least = p
	}
	if p.PeakBytes() > s.o.budget {
		return false
	}
	work := 0.0
	for _, step := range p.Steps {
		work += effort(step)
	}
	if s.best == nil || work < s.work {
		s.best, s.work, s.host = p, work, host
	}
	return true
}
