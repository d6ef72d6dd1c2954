package graph

import "gorgonia.org/gorgonia"

// segmentCounts are the numbers of segments that are tried where the caller names none: about √n of the layers that a
// net may have, of which the best depends on where its large values are.
var segmentCounts = []int{2, 3, 4, 6, 8, 11, 16, 23, 32}

// planSegments takes the number of segments that needs the least memory, the fewest among equals.
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

// planWithin takes the first plan that fits the budget, beginning with those that take the least time: nothing computed
// again, cheap steps, then more and more segments of the number that needs the least memory.
func planWithin(g *gorgonia.ExprGraph, o *options) (*Plan, []string, error) {
	var least *Plan
	try := func(r Recompute) (*Plan, []string, error) {
		p, host, err := planWith(g, o, r)
		if err == nil && (least == nil || p.PeakBytes() < least.PeakBytes()) {
			least = p
		}
		return p, host, err
	}
	for _, r := range []Recompute{RecomputeOff, RecomputeCheap} {
		if p, host, err := try(r); err != nil || p.PeakBytes() <= o.budget {
			return p, host, err
		}
	}
	all, host, err := try(RecomputeSegments(0))
	if err != nil {
		return nil, nil, err
	}
	if all.PeakBytes() > o.budget {
		return nil, nil, &BudgetError{Budget: o.budget, Least: least.PeakBytes(), With: least.Recompute}
	}
	r := all.Recompute
	for r.most = 1; r.most < r.segments-1; r.most++ {
		if p, host, err := try(r); err != nil || p.PeakBytes() <= o.budget {
			return p, host, err
		}
	}
	return all, host, nil
}
