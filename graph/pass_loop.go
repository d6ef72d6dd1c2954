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
	loopResults = 12
	loopSteps   = 64
)

// loopSearch is how many steps are looked at for a way out of a group and back before it is supposed that there is one. It
// keeps the pass linear; steps so far apart gain nothing from sharing a loop.
const loopSearch = 256

// loopLeaps is how many groups, each reaching further than the one before, are followed to tell that a step lies before
// another one.
const loopLeaps = 16

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
// depends on; a group is joined only if no way leads out of it and back through other steps, all groups taken as one
// step each. So the steps never depend on each other in a cycle.
type looper struct {
	p      *program
	e      Engine
	r      *rewriter
	steps  []*Step
	at     map[*Step]int
	groups []*loopGroup      // of each step so far; nil for those that are no part of a loop
	seen   []int             // seen[i] == visit: step i was reached in the search under way
	spans  []int             // see span
	source map[*Value]*Value // results of Repeat → what a loop reads in their place
	visit  int
}

// loopGroup is a number of steps, in their order.
type loopGroup struct {
	members []int
	joining int // == looper.visit: one of those that are to become one
}

func (g *loopGroup) first() int { return g.members[0] }
func (g *loopGroup) last() int  { return g.members[len(g.members)-1] }

func newLooper(p *program, e Engine) *looper {
	l := &looper{p: p, e: e, r: newRewriter(p), at: map[*Step]int{}, source: map[*Value]*Value{}}
	l.steps = p.sorted()
	for i, s := range l.steps {
		l.at[s] = i
	}
	l.groups, l.seen, l.spans = make([]*loopGroup, len(l.steps)), make([]int, len(l.steps)), make([]int, len(l.steps)+1)
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
	if !l.fusable(s) {
		return
	}
	g := &loopGroup{members: []int{i}}
	l.groups[i] = g
	var near []*loopGroup
	for _, v := range s.In {
		if w := l.p.producer[v]; w != nil {
			h := l.groups[l.at[w]]
			if h != nil && h != g && !slices.Contains(near, h) && shape.Equal(v.Shape, s.Out[0].Shape) {
				near = append(near, h)
			}
		}
	}
	slices.SortFunc(near, func(a, b *loopGroup) int { return cmp.Compare(b.last(), a.last()) })
	for _, h := range near {
		if l.fits(g, h) && !l.around(g, h) {
			g.members = append(g.members, h.members...)
			slices.Sort(g.members)
			for _, m := range h.members {
				l.groups[m] = g
			}
			l.span(g)
		}
	}
}

// span notes where a group begins and ends, in a Fenwick tree of maxima: of the groups that begin up to some step, the
// last step of them all.
func (l *looper) span(g *loopGroup) {
	for i := g.first() + 1; i < len(l.spans); i += i & -i {
		l.spans[i] = max(l.spans[i], g.last())
	}
}

// before says whether all that must run before step i, and step i, lies before another step. A group is one step: what its
// last member waits for, its first one waits for as well, and so does all that reads it.
func (l *looper) before(i, limit int) bool {
	for range loopLeaps {
		far := i
		for k := i + 1; k > 0; k -= k & -k {
			far = max(far, l.spans[k])
		}
		if far == i || far >= limit {
			return far < limit
		}
		i = far
	}
	return false
}

// fusable says whether a loop can do what the step does, on floats of one type.
func (l *looper) fusable(s *Step) bool {
	switch s.Instr.(type) {
	case *ir.Unary, *ir.Binary, *op.Add, *op.Mul, *op.Scale, *op.ReLU, *op.ReLUGrad, *op.BiasAdd, *op.ChannelAffine:
	default:
		return false
	}
	dt := s.Out[0].Dtype
	if dt != tensor.Float32 && dt != tensor.Float64 || !l.e.Fuses((&ir.Loop{}).Kind(), dt) {
		return false
	}
	for _, v := range s.In {
		if v.Dtype != dt {
			return false
		}
	}
	return true
}

// fits says whether a loop of two groups keeps within the limits.
func (l *looper) fits(g, h *loopGroup) bool {
	l.visit++
	g.joining, h.joining = l.visit, l.visit
	members := append(append([]int(nil), g.members...), h.members...)
	inputs, results := map[*Value]bool{}, 0
	for _, m := range members {
		for _, v := range l.steps[m].In {
			if _, isNumber := numberOf(v); !isNumber && !l.inside(v) {
				inputs[v] = true
			}
		}
		if l.wanted(l.steps[m].Out[0]) {
			results++
		}
	}
	return len(members) <= loopSteps && len(inputs) <= loopInputs && results <= loopResults
}

// inside says whether v is computed by a member of the groups that join.
func (l *looper) inside(v *Value) bool {
	w := l.p.producer[v]
	if w == nil {
		return false
	}
	g := l.groups[l.at[w]]
	return g != nil && g.joining == l.visit
}

// wanted says whether somebody besides the members of the groups that join reads v, be it whoever looks at its node.
func (l *looper) wanted(v *Value) bool {
	if l.r.kept[v] || v.soft {
		return true
	}
	for _, u := range l.r.uses[v] {
		if g := l.groups[l.at[u]]; g == nil || g.joining != l.visit {
			return true
		}
	}
	return false
}

// around says whether a way may lead from a member of the two groups to another one through steps that are in neither.
// They must not become one step then: it would wait for itself.
func (l *looper) around(g, h *loopGroup) bool {
	l.visit++
	g.joining, h.joining = l.visit, l.visit
	lowest := min(g.first(), h.first())
	var stack []int
	// back follows the inputs of a step. inner tells members of the two groups, for whom the direct way is the loop's own.
	back := func(i int, inner bool) (found bool) {
		for _, v := range l.steps[i].In {
			w := l.p.producer[v.Root()]
			if w == nil {
				continue
			}
			j := l.at[w]
			last := j
			if k := l.groups[j]; k != nil {
				if k.joining == l.visit {
					if !inner || v.Alias != nil {
						return true
					}
					continue
				}
				j, last = k.first(), k.last()
			}
			if l.seen[j] != l.visit && !l.before(last, lowest) {
				l.seen[j] = l.visit
				stack = append(stack, j)
			}
		}
		return false
	}
	for _, k := range []*loopGroup{g, h} {
		for _, m := range k.members {
			if back(m, true) {
				return true
			}
		}
	}
	for visited := 0; len(stack) > 0; visited++ {
		if visited == loopSearch {
			return true
		}
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		members := []int{i}
		if k := l.groups[i]; k != nil {
			members = k.members
		}
		for _, m := range members {
			if back(m, false) {
				return true
			}
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
		g := l.groups[i]
		if g != nil && g.last() != i {
			continue
		}
		if g != nil && (len(g.members) > 1 || l.repeats(s)) {
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
