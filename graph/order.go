package graph

import "container/heap"

// order fixes the sequence of the steps. Among the steps that are ready, the one whose node was created first goes
// first: forward in the order of the layers, then backward layer by layer, as gorgonia.Grad made them. Steps that only
// updates ask for run as soon as their inputs are there, so that a gradient dies young.
//
// It also decides which updates are made in place (Value.Alias): the step that computes the new value of a variable
// may write over the old one when every other reader of the old one can run before it.
func order(p *program, e Engine) error {
	o := newOrdering(p)
	for _, a := range p.assigns {
		o.tryInPlace(a, e)
	}
	return o.run()
}

type ordering struct {
	p       *program
	index   map[*Step]int
	after   [][]int // after[i]: steps that must run after step i
	readers map[*Value][]*Step
	key     []int // rank in the schedule
	seen    []int // seen[i] == visit: step i was reached in the walk under way
	visit   int
}

func newOrdering(p *program) *ordering {
	o := &ordering{p: p, index: map[*Step]int{}, after: make([][]int, len(p.steps)), readers: map[*Value][]*Step{},
		seen: make([]int, len(p.steps))}
	for i, s := range p.steps {
		o.index[s] = i
	}
	for i, s := range p.steps {
		for _, v := range s.In {
			o.readers[v.Root()] = append(o.readers[v.Root()], s)
			if w := p.producer[v.Root()]; w != nil {
				o.after[o.index[w]] = append(o.after[o.index[w]], i)
			}
		}
	}
	o.key = o.keys()
	return o
}

// keys gives every step its rank; steps that no output depends on take the rank of their latest input.
func (o *ordering) keys() []int {
	needed := map[*Step]bool{}
	var stack []*Value
	stack = append(stack, o.p.outputs...)
	for len(stack) > 0 {
		v := stack[len(stack)-1].Root()
		stack = stack[:len(stack)-1]
		if s := o.p.producer[v]; s != nil && !needed[s] {
			needed[s] = true
			stack = append(stack, s.In...)
		}
	}
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
		if needed[s] || !updating(s.Instr) {
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
	for i := range o.p.steps {
		rank(i)
	}
	return key
}

// tryInPlace lets the producer of a.New write into the memory of a.Target if that is sound.
func (o *ordering) tryInPlace(a Assign, e Engine) {
	w := o.p.producer[a.New]
	if w == nil || a.New.Output || a.New.Alias != nil {
		return
	}
	out := outIndex(w, a.New)
	for i, v := range w.In {
		if v.Root() == a.Target && !e.InPlace(w.Instr, a.New.Dtype, out, i) {
			return
		}
	}
	o.walk(w)
	for _, r := range o.readers[a.Target] {
		if r != w && o.seen[o.index[r]] == o.visit {
			return // r needs the old value, but must run after w
		}
	}
	for _, r := range o.readers[a.Target] {
		if r != w {
			o.after[o.index[r]] = append(o.after[o.index[r]], o.index[w])
		}
	}
	a.New.Alias = a.Target
}

// walk marks all steps that must run after s, and s itself.
func (o *ordering) walk(s *Step) {
	o.visit++
	stack := []int{o.index[s]}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if o.seen[i] != o.visit {
			o.seen[i] = o.visit
			stack = append(stack, o.after[i]...)
		}
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

// run is Kahn's algorithm with a heap of the ready steps.
func (o *ordering) run() error {
	waiting := make([]int, len(o.p.steps))
	for _, next := range o.after {
		for _, j := range next {
			waiting[j]++
		}
	}
	ready := &readyHeap{key: o.key}
	for i, n := range waiting {
		if n == 0 {
			heap.Push(ready, i)
		}
	}
	sorted := make([]*Step, 0, len(o.p.steps))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		sorted = append(sorted, o.p.steps[i])
		for _, j := range o.after[i] {
			if waiting[j]--; waiting[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	if len(sorted) != len(o.p.steps) {
		return &CompileError{Stage: "order", Reason: "the steps depend on each other in a cycle"}
	}
	o.p.steps = sorted
	return nil
}

type readyHeap struct {
	key   []int
	items []int
}

func (h *readyHeap) Len() int { return len(h.items) }
func (h *readyHeap) Less(i, j int) bool {
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
