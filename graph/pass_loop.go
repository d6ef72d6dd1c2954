package graph

import (
	"cmp"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// What a loop may have at most, so that its registers stay in the first-level cache (or in those of a GPU's thread).
const (
	loopInputs  = 16
	loopResults = 12 // and those that somebody may look at when the plan has run
	loopSteps   = 64
)

// loopSearch is how many steps are looked at for a way out of a group and back before it is supposed that there is one. It
// keeps the pass linear; steps so far apart gain nothing from sharing a loop.
const loopSearch = 256

// fuseLoops makes elementwise steps of one shape that read each other's results one ir.Loop. What others read as well, the
// loop hands out. Values that were only repeated for such a step are read by the loop with a stride of 0.
func fuseLoops(p *program, e Engine) {
	l := newLooper(p, e)
	for i := range l.steps {
		l.join(i)
	}
	l.rewrite()
}

// looper finds groups of steps that become loops. It walks the steps in an order in which each comes after those it
// depends on, and unites the group of a step with those of its operands unless a way leads out of the group and back, all
// other groups taken as one step each. So the steps never depend on each other in a cycle.
type looper struct {
	p      *program
	e      Engine
	r      *rewriter
	steps  []*Step
	at     map[*Step]int
	before [][]edge          // of each step: the steps that it reads from
	group  []*loopGroup      // of each step so far: those that are no part of a loop have one of their own
	last   *loopGroup        // of all groups, in their order
	source map[*Value]*Value // results of Repeat → what a loop reads in their place
	inputs map[*Value]int    // inputs counted: == visit
	visit  int
}

// edge is a step that another one reads from: its result itself, or a view of it.
type edge struct {
	step int
	view bool
}

// loopGroup is a number of steps in their order. Groups form a list in which each comes after those it depends on; label
// tells which of two comes first.
type loopGroup struct {
	members     []int
	elementwise bool
	label       int64
	prev, next  *loopGroup
	seen        int // == looper.visit: reached in the search under way, or one of those that are to become one
}

func (g *loopGroup) end() int { return g.members[len(g.members)-1] }

func newLooper(p *program, e Engine) *looper {
	l := &looper{p: p, e: e, r: newRewriter(p), at: map[*Step]int{}, source: map[*Value]*Value{}, inputs: map[*Value]int{}}
	l.steps = p.sorted()
	for i, s := range l.steps {
		l.at[s] = i
	}
	l.before, l.group = make([][]edge, len(l.steps)), make([]*loopGroup, len(l.steps))
	for i, s := range l.steps {
		for _, v := range s.In {
			if w := p.producer[v.Root()]; w != nil {
				l.before[i] = append(l.before[i], edge{l.at[w], v.Alias != nil})
			}
		}
	}
	return l
}

// sorted returns the steps such that each comes after those it depends on, otherwise in their order.
func (p *program) sorted() []*Step {
	out := make([]*Step, 0, len(p.steps))
	state := map[*Step]int{} // next input to look at, plus 1
	var stack []*Step
	for _, s := range p.steps {
		for stack = append(stack, s); len(stack) > 0; {
			top := stack[len(stack)-1]
			next := state[top]
			if next == len(top.In) {
				out = append(out, top)
			}
			if next >= len(top.In) {
				state[top] = len(top.In) + 1
				stack = stack[:len(stack)-1]
				continue
			}
			state[top] = next + 1
			if w := p.producer[top.In[next].Root()]; w != nil && state[w] == 0 {
				stack = append(stack, w)
			}
		}
	}
	return out
}

// join puts step i into a group of its own and unites it with the groups of the steps whose results it reads.
func (l *looper) join(i int) {
	s := l.steps[i]
	g := &loopGroup{members: []int{i}, elementwise: fusable(s, l.e), prev: l.last}
	if l.last != nil {
		g.label = l.last.label + labelStep
		l.last.next = g
	}
	l.last, l.group[i] = g, g
	if !g.elementwise {
		return
	}
	var near []*loopGroup
	for _, e := range l.before[i] {
		h := l.group[e.step]
		if !e.view && h.elementwise && !slices.Contains(near, h) && shape.Equal(l.steps[e.step].Out[0].Shape, s.Out[0].Shape) {
			near = append(near, h)
		}
	}
	slices.SortFunc(near, func(a, b *loopGroup) int { return cmp.Compare(b.end(), a.end()) })
	for _, h := range near {
		if l.fits(g, h) {
			g = l.unite(g, h)
		}
	}
}

// fusable says whether a loop can do what the step does, on floats of one type.
func fusable(s *Step, e Engine) bool {
	dt := s.Out[0].Dtype
	if !loops(s.Instr) || dt != tensor.Float32 && dt != tensor.Float64 || !e.Fuses((&ir.Loop{}).Kind(), dt) {
		return false
	}
	for _, v := range s.In {
		if v.Dtype != dt {
			return false
		}
	}
	return true
}

// loops says whether an operation may be a step of a loop.
func loops(instr Instr) bool {
	switch instr.(type) {
	case *ir.Unary, *ir.Binary, *op.Add, *op.Mul, *op.Scale, *op.ReLU, *op.ReLUGrad, *op.BiasAdd, *op.ChannelAffine:
		return true
	}
	return false
}

// fits says whether a loop of two groups keeps within the limits.
func (l *looper) fits(g, h *loopGroup) bool {
	if len(g.members)+len(h.members) > loopSteps {
		return false
	}
	l.visit++
	g.seen, h.seen = l.visit, l.visit
	inputs, results := 0, 0
	for _, k := range []*loopGroup{g, h} {
		for _, m := range k.members {
			for _, v := range l.steps[m].In {
				if _, isNumber := number(v.Root()); !isNumber && l.inputs[v] != l.visit && !l.inside(v) {
					l.inputs[v] = l.visit
					inputs++
				}
			}
			if l.wanted(l.steps[m].Out[0]) {
				results++
			}
		}
	}
	return inputs <= loopInputs && results <= loopResults
}

// inside says whether v is computed by a member of the groups looked at.
func (l *looper) inside(v *Value) bool {
	w := l.p.producer[v]
	return w != nil && l.group[l.at[w]].seen == l.visit
}

// wanted says whether somebody besides the members of the groups looked at reads v.
func (l *looper) wanted(v *Value) bool {
	if l.r.kept[v] {
		return true
	}
	for _, u := range l.r.uses[v] {
		if g := l.group[l.at[u]]; g == nil || g.seen != l.visit {
			return true
		}
	}
	return false
}

// rewrite puts a loop in the place of the last member of each group. A group of one step stays as it is, unless it reads
// something repeated that its loop can read without.
func (l *looper) rewrite() {
	var steps []*Step
	changed := false
	for i, s := range l.steps {
		g := l.group[i]
		if g.end() != i {
			continue
		}
		if g.elementwise && (len(g.members) > 1 || l.repeats(s)) {
			s, changed = l.loop(g), true
		}
		steps = append(steps, s)
	}
	if !changed {
		return
	}
	l.p.steps = l.withoutRepeats(steps)
	l.p.producer = map[*Value]*Step{}
	for _, s := range l.p.steps {
		for _, o := range s.Out {
			l.p.producer[o] = s
		}
	}
}

// repeats says whether an input of a step can be read without the Repeat that made it.
func (l *looper) repeats(s *Step) bool {
	for _, v := range s.In {
		if l.read(v) != v {
			return true
		}
	}
	return false
}

// read returns what a loop reads in the place of v: where v is made by Repeat of axes of size 1, what is repeated.
func (l *looper) read(v *Value) *Value {
	if w := l.source[v]; w != nil {
		return w
	}
	w := v
	for {
		s := l.p.producer[w]
		if s == nil {
			break
		}
		rep, ok := s.Instr.(*ir.Repeat)
		if !ok || s.In[0].Dtype != v.Dtype {
			break
		}
		x, full := s.In[0], s.In[0].Shape.Clone()
		for len(full) <= rep.Axis {
			full = append(full, 1)
		}
		if x.Len() != 1 && (full[rep.Axis] != 1 || len(full) != len(v.Shape)) {
			break
		}
		w = x
		if x.Len() != 1 {
			w = l.view(x, full)
		}
	}
	l.source[v] = w
	return w
}

// view returns x as a value of another shape.
func (l *looper) view(x *Value, s tensor.Shape) *Value {
	if shape.Equal(x.Shape, s) {
		return x
	}
	v := l.p.newValue(x.Name, s, x.Dtype, x.Node)
	v.Alias = x
	return v
}

// withoutRepeats drops the steps Repeat whose results are not read any more.
func (l *looper) withoutRepeats(steps []*Step) []*Step {
	readers := map[*Value]int{}
	for _, s := range steps {
		for _, v := range s.In {
			readers[v.Root()]++
		}
	}
	kept := make([]*Step, 0, len(steps))
	for _, s := range slices.Backward(steps) {
		if _, ok := s.Instr.(*ir.Repeat); ok && readers[s.Out[0]] == 0 && !l.r.kept[s.Out[0]] {
			for _, v := range s.In {
				readers[v.Root()]--
			}
			continue
		}
		kept = append(kept, s)
	}
	slices.Reverse(kept)
	return kept
}
