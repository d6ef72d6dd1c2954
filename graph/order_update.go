package graph

import (
	"cmp"
	"slices"
)

// updates decides which variables are updated in place. The step that computes the new value must then run after all
// other readers of the old one, which is impossible where it is itself in front of one of them.
//
// To see that without a walk over the graph for every variable, it keeps an order of all steps in which each comes after
// those it depends on, and mends it when a decision adds dependencies (Pearce & Kelly 2007, A Dynamic Topological Sort
// Algorithm for Directed Acyclic Graphs): only what lies between a reader and the update can be on a way from the one to
// the other. As updates are made after all that a step computes, there is nearly never anything to walk.
type updates struct {
	*ordering
	readers map[*Value][]int // of the memory of variables
	at      []int            // at[i]: place of step i in the order
	before  [][]int          // before[i]: steps that must run before step i; made when first needed
	seen    []int            // seen[i] == visit: step i was reached in the walk under way
	visit   int
}

func newUpdates(o *ordering, order []int) *updates {
	u := &updates{ordering: o, readers: map[*Value][]int{}, at: make([]int, len(order)), seen: make([]int, len(order))}
	for place, i := range order {
		u.at[i] = place
	}
	for _, a := range o.p.assigns {
		u.readers[a.Target] = nil
	}
	for i, s := range o.p.steps {
		for _, v := range s.In {
			r := v.Root()
			if all, ok := u.readers[r]; ok && (len(all) == 0 || all[len(all)-1] != i) {
				u.readers[r] = append(all, i)
			}
		}
	}
	return u
}

// tryInPlace lets the producer of a.New write into the memory of a.Target if that is sound.
func (u *updates) tryInPlace(a Assign, e Engine) {
	w := u.p.producer[a.New]
	if w == nil || a.New.Output || a.New.Alias != nil {
		return
	}
	out := outIndex(w, a.New)
	for i, v := range w.In {
		if v.Root() == a.Target && !e.InPlace(w.Instr, a.New.Dtype, out, i) {
			return
		}
	}
	readers := slices.DeleteFunc(slices.Clone(u.readers[a.Target]), func(r int) bool { return r == u.index[w] })
	if u.runAfter(u.index[w], readers) {
		a.New.Alias = a.Target
	}
}

// runAfter makes step w run after the given steps, unless one of them must run after w.
func (u *updates) runAfter(w int, steps []int) bool {
	first, last := u.at[w], u.at[w]
	for _, r := range steps {
		last = max(last, u.at[r])
	}
	u.p.work += len(steps)
	if last > first {
		later, ok := u.reach([]int{w}, u.after, func(i int) bool { return u.at[i] <= last }, steps)
		if !ok {
			return false
		}
		if u.before == nil {
			u.before = make([][]int, len(u.after))
			for i, next := range u.after {
				for _, j := range next {
					u.before[j] = append(u.before[j], i)
				}
			}
		}
		earlier, _ := u.reach(steps, u.before, func(i int) bool { return u.at[i] >= first }, nil)
		u.mend(earlier, later)
	}
	for _, r := range steps {
		u.after[r] = append(u.after[r], w)
		if u.before != nil {
			u.before[w] = append(u.before[w], r)
		}
	}
	return true
}

// reach returns the steps within bounds on the ways from the given ones, themselves included; false if a way leads to one of
// the steps to avoid.
func (u *updates) reach(from []int, next [][]int, within func(int) bool, avoid []int) ([]int, bool) {
	u.visit++
	forbidden := u.visit
	for _, i := range avoid {
		u.seen[i] = forbidden
	}
	u.visit++
	var reached []int
	stack := slices.Clone(from)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		u.p.work++
		if u.seen[i] == forbidden {
			return nil, false
		}
		if u.seen[i] == u.visit || !within(i) {
			continue
		}
		u.seen[i] = u.visit
		reached = append(reached, i)
		stack = append(stack, next[i]...)
	}
	return reached, true
}

// mend puts the steps of earlier in front of those of later, each in their own order, into the places that both have.
func (u *updates) mend(earlier, later []int) {
	byPlace := func(a, b int) int { return cmp.Compare(u.at[a], u.at[b]) }
	slices.SortFunc(earlier, byPlace)
	slices.SortFunc(later, byPlace)
	moved := append(earlier, later...)
	places := make([]int, len(moved))
	for k, i := range moved {
		places[k] = u.at[i]
	}
	slices.Sort(places)
	for k, i := range moved {
		u.at[i] = places[k]
	}
}

func outIndex(s *Step, v *Value) int {
	for i, o := range s.Out {
		if o == v {
			return i
		}
	}
	return -1
}
