package graph

import (
	"cmp"
	"container/heap"
	"slices"
)

// order fixes the sequence of the steps. Among the steps that are ready, the one whose node was created first goes
// first: forward in the order of the layers, then backward layer by layer, as gorgonia.Grad made them. Steps that only
// updates ask for run as soon as their inputs are there, so that a gradient dies young.
//
// It also decides which updates are made in place (Value.Alias): the step that computes the new value of a variable
// may write over the old one when every other reader of the old one can run before it.
func order(p *program, e Engine) error {
	o := newOrdering(p)
	o.key = make([]int, len(p.steps))
	for i, s := range p.steps {
		o.key[i] = s.rank
	}
	first, err := o.sort()
	if err != nil {
		return err
	}
	keys := o.keys()
	o.gather(keys, e)
	u := newUpdates(o, first)
	for _, a := range p.assigns {
		u.tryInPlace(a, e)
	}
	o.key = keys
	sorted, err := o.sort()
	if err != nil {
		return err
	}
	steps := make([]*Step, len(sorted))
	for i, j := range sorted {
		steps[i] = p.steps[j]
	}
	p.steps = steps
	return nil
}

// ordering is the graph of the steps: which must run before which.
type ordering struct {
	p     *program
	index map[*Step]int
	after [][]int // after[i]: steps that must run after step i
	key   []int   // rank in the schedule
}

func newOrdering(p *program) *ordering {
	o := &ordering{p: p, index: make(map[*Step]int, len(p.steps)), after: make([][]int, len(p.steps))}
	for i, s := range p.steps {
		o.index[s] = i
	}
	for i, s := range p.steps {
		for _, v := range s.In {
			if w := p.producer[v.Root()]; w != nil {
				o.after[o.index[w]] = append(o.after[o.index[w]], i)
			}
		}
		p.work += len(s.In)
	}
	return o
}

// needed are the steps that outputs depend on. The penalty that an update takes on the way waits for the update, not the
// other way around.
func (o *ordering) needed() map[*Step]bool {
	return o.p.behind(o.p.outputs, func(s *Step, v *Value) bool {
		f, ok := s.Instr.(*FusedUpdate)
		return ok && outIndex(s, v) == f.State()
	})
}

// behind are the steps that the values depend on, but for those of which skip says for one of their results that it does not
// count.
func (p *program) behind(values []*Value, skip func(s *Step, v *Value) bool) map[*Step]bool {
	found := map[*Step]bool{}
	stack := append([]*Value(nil), values...)
	for len(stack) > 0 {
		v := stack[len(stack)-1].Root()
		stack = stack[:len(stack)-1]
		if s := p.producer[v]; s != nil && !found[s] && (skip == nil || !skip(s, v)) {
			found[s] = true
			stack = append(stack, s.In...)
		}
	}
	return found
}

// keys gives every step its rank; steps that no output depends on take the rank of their latest input.
func (o *ordering) keys() []int {
	needed := o.needed()
	// Steps that only updates need are pulled forward to where their inputs are ready. Other steps without an output
	// behind them are gradients: they stay where gorgonia.Grad put them.
	key := make([]int, len(o.p.steps))
	done := make([]bool, len(o.p.steps))
	var rank func(i int) int
	rank = func(i int) int {
		if done[i] {
			return key[i]
		}
		done[i] = true // also ends the walk in a graph with a cycle, which run reports
		s := o.p.steps[i]
		key[i] = s.rank
		if needed[s] || !updating(s.Instr) && (o.p.updatesSince == 0 || s.rank <= o.p.updatesSince) {
			return key[i]
		}
		latest := 0
		for _, v := range s.In {
			if w := o.p.producer[v.Root()]; w != nil {
				latest = max(latest, rank(o.index[w]))
			}
		}
		key[i] = latest
		return latest
	}
	for i, s := range o.p.steps {
		rank(i)
		if s.Once {
			key[i] -= beforeAll
		}
	}
	return key
}

// beforeAll is more than any rank: steps that are Once come before all others.
const beforeAll = 1 << 40

// gather moves updates of parameters behind all other steps, or those of a group behind what its last gradient comes from, for an
// engine that wants it; those of one kind come together: in an optimizer of several steps a parameter, the first of each, then the second
// of each.
func (o *ordering) gather(key []int, e Engine) {
	g, ok := e.(Gatherer)
	if !ok {
		return
	}
	var moved []int
	kinds, kind := map[string]int{}, map[int]int{}
	needed := o.needed()
	for i, s := range o.p.steps {
		since := o.p.updatesSince > 0 && s.rank > o.p.updatesSince
		if needed[s] || !since && !updating(s.Instr) || s.Once || !g.Gathers(s.Out[0].Bytes(), o.p.scarce) {
			continue
		}
		name := s.Instr.Kind()
		if f, ok := s.Instr.(*FusedUpdate); ok { // does the same, and more on the way
			name = f.Update.Kind()
		} else if !updating(s.Instr) {
			name = s.Instr.String()
		}
		if kinds[name] == 0 {
			kinds[name] = len(kinds) + 1
		}
		kind[i], moved = kinds[name], append(moved, i)
	}
	last := 0
	for _, k := range key {
		last = max(last, k)
	}
	ends := o.groups(moved, key, last+1, e)
	for i := range key { // room for the kinds between two ranks
		key[i] *= len(kinds) + 1
	}
	for n, i := range moved {
		key[i] = ends[n]*(len(kinds)+1) + kind[i]
	}
}

// groups says of updates behind which rank each comes: behind those of a group is the first gradient that is none of it, so that
// whatever else reads their parameters has run.
func (o *ordering) groups(updates, key []int, end int, e Engine) []int {
	ends := make([]int, len(updates))
	for n := range ends {
		ends[n] = end
	}
	g, ok := e.(Grouper)
	if !ok || g.GroupBytes() <= 0 {
		return ends
	}
	byRank := make([]int, len(updates))
	for n := range byRank {
		byRank[n] = n
	}
	slices.SortStableFunc(byRank, func(a, b int) int { return cmp.Compare(key[updates[a]], key[updates[b]]) })
	first, bytes := 0, 0
	for k, n := range byRank {
		rank := key[updates[n]]
		if k > 0 && bytes >= g.GroupBytes() && rank > key[updates[byRank[k-1]]] {
			for _, m := range byRank[first:k] {
				ends[m] = rank
			}
			first, bytes = k, 0
		}
		bytes += o.p.steps[updates[n]].Out[0].Bytes()
	}
	return ends
}

// sort is Kahn's algorithm with a heap of the ready steps.
func (o *ordering) sort() ([]int, error) {
	waiting := make([]int, len(o.p.steps))
	for _, next := range o.after {
		for _, j := range next {
			waiting[j]++
		}
	}
	ready := &readyHeap{key: o.key, work: &o.p.work}
	for i, n := range waiting {
		if n == 0 {
			heap.Push(ready, i)
		}
	}
	sorted := make([]int, 0, len(o.p.steps))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		sorted = append(sorted, i)
		for _, j := range o.after[i] {
			if waiting[j]--; waiting[j] == 0 {
				heap.Push(ready, j)
			}
		}
		o.p.work += len(o.after[i])
	}
	if len(sorted) != len(o.p.steps) {
		return nil, &CompileError{Stage: "order", Reason: "the steps depend on each other in a cycle"}
	}
	return sorted, nil
}

type readyHeap struct {
	key   []int
	items []int
	work  *int
}

func (h *readyHeap) Len() int { return len(h.items) }
func (h *readyHeap) Less(i, j int) bool {
	*h.work++
	a, b := h.items[i], h.items[j]
	if h.key[a] != h.key[b] {
		return h.key[a] < h.key[b]
	}
	return a < b
}
func (h *readyHeap) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *readyHeap) Push(x any)    { h.items = append(h.items, x.(int)) }
func (h *readyHeap) Pop() any {
	x := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return x
}
