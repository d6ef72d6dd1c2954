package graph

import (
	"cmp"
	"slices"
)

// labelStep is the distance of the labels of neighbours in the list of groups, where nothing was moved.
const labelStep = 1 << 40

// unite makes two groups one, which it returns, unless a way leads from one to the other through a third: then it returns
// the first as it is.
//
// A way can only lead from the earlier group to the later one, and only through groups between them. Those that the later
// one depends on are not on such a way if they do not depend on the earlier one; then they can be moved before it, and the
// list is in order with both groups in the earlier one's place. (After Pearce and Kelly 2006, A Dynamic Topological Sort
// Algorithm for Directed Acyclic Graphs.)
func (l *looper) unite(g, h *loopGroup) *loopGroup {
	early, late := h, g
	if g.label < h.label {
		early, late = g, h
	}
	between, ok := l.between(early, late)
	if !ok {
		return g
	}
	slices.SortFunc(between, func(a, b *loopGroup) int { return cmp.Compare(a.label, b.label) })
	l.moveBefore(early, between)
	for _, m := range late.members {
		l.group[m] = early
	}
	early.members = append(early.members, late.members...)
	slices.Sort(early.members)
	l.unlink(late)
	return early
}

// between finds the groups between two that the later one depends on; ok is false if one of them depends on the earlier one,
// or if the search takes too long.
func (l *looper) between(early, late *loopGroup) (found []*loopGroup, ok bool) {
	l.visit++
	late.seen = l.visit
	next := []*loopGroup{late}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		for _, m := range k.members {
			for _, e := range l.before[m] {
				switch w := l.group[e.step]; {
				case w == early:
					if k != late || e.view {
						return nil, false
					}
				case w.label > early.label && w.seen != l.visit:
					w.seen = l.visit
					found, next = append(found, w), append(next, w)
				}
			}
		}
		if len(found) > loopSearch {
			return nil, false
		}
	}
	return found, true
}

// moveBefore moves groups, in their order, right before another one.
func (l *looper) moveBefore(g *loopGroup, moving []*loopGroup) {
	if len(moving) == 0 {
		return
	}
	for _, m := range moving {
		l.unlink(m)
	}
	low := g.label - labelStep
	if g.prev != nil {
		low = g.prev.label
	}
	// In the lower half of the gap, so that what is moved here next finds one of half the size.
	step := (g.label - low) / int64(2*len(moving)+2)
	for i, m := range moving {
		m.label = low + step*int64(i+1)
		m.prev, m.next = g.prev, g
		if g.prev != nil {
			g.prev.next = m
		}
		g.prev = m
	}
	if step == 0 {
		l.renumber()
	}
}

func (l *looper) unlink(g *loopGroup) {
	if g.prev != nil {
		g.prev.next = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		l.last = g.prev
	}
}

// renumber spreads the labels out again.
func (l *looper) renumber() {
	n := int64(0)
	for g := l.last; g != nil; g = g.prev {
		g.label = -n * labelStep
		n++
	}
}
