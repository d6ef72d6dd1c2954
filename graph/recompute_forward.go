package graph

import (
	"cmp"
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// forward is the forward pass of a training step as recomputation sees it: steps in the order in which they will run, and
// who reads what they make. Values stand for all their views.
type forward struct {
	steps    []*Step
	backward []*Step
	at       map[*Step]int    // place in steps; a step that is not there is one of the backward pass
	maker    map[*Value]*Step // of the values made by steps
	last     map[*Value]int   // place of the last step that reads a value, its maker's if none does
	stashed  map[*Value]bool  // read by the backward pass
	fixed    map[*Value]bool  // has to be kept, whatever for
}

// newForward tells the passes apart: the backward pass begins with the first derivative of a node. It returns nil if there
// is none.
func newForward(p *program) (*forward, error) {
	begin := -1
	for _, s := range p.steps {
		if _, ok := s.Instr.(*FusedScores); ok { // its gradient comes along with the loss, which may be that of a head early in the net
			continue
		}
		for _, o := range s.Out {
			if o.Node != nil && len(o.Node.DerivOf()) > 0 && (begin < 0 || s.rank < begin) {
				begin = s.rank
			}
		}
	}
	if begin < 0 {
		return nil, nil
	}
	o := newOrdering(p)
	o.key = o.keys()
	order, err := o.sort()
	if err != nil {
		return nil, err
	}
	f := &forward{at: map[*Step]int{}, maker: map[*Value]*Step{}, last: map[*Value]int{}, stashed: map[*Value]bool{},
		fixed: map[*Value]bool{}}
	for _, i := range order {
		s := p.steps[i]
		if s.rank >= begin {
			f.backward = append(f.backward, s)
			for _, v := range s.In {
				f.stashed[v.Root()] = true
			}
			continue
		}
		f.at[s] = len(f.steps)
		for _, v := range s.In {
			f.last[v.Root()] = len(f.steps)
		}
		for _, v := range s.Out {
			f.maker[v], f.last[v] = s, len(f.steps)
		}
		f.steps = append(f.steps, s)
	}
	for _, a := range p.assigns {
		f.fixed[a.New.Root()] = true
	}
	return f, nil
}

// kept says that a value is there in the backward pass without any more memory: it is none of the forward pass's results,
// somebody else wants it, or it is so small beside what it is computed from that computing it again would be a bad trade,
// as are the batch's statistics.
func (f *forward) kept(v *Value) bool {
	s := f.maker[v]
	if s == nil || v.Output || v.Where == External || f.fixed[v] || !repeatable(s.Instr) {
		return true
	}
	if _, ok := s.Instr.(*FusedScores); ok { // a gradient, or a number
		return true
	}
	for _, u := range s.In {
		if u.Bytes() >= reduction*v.Bytes() {
			return true
		}
	}
	return false
}

// reduction is how many times smaller than an operand a result is kept rather than computed again.
const reduction = 16

// cheap chooses results of cheap steps whose operands the backward pass keeps anyway. A chain of such results, as the
// residual connections of a net are, is cut after a few links: to compute the last, all must be
// in memory again.
func (f *forward) cheap() map[*Value]bool {
	drop := map[*Value]bool{}
	depth := map[*Value]int{}
	for _, s := range f.steps {
		if !cheap(s.Instr) {
			continue
		}
		deepest, sound := 0, true
		for _, u := range s.In {
			r := u.Root()
			switch {
			case drop[r]:
				deepest = max(deepest, depth[r])
			case !f.stashed[r] && !f.kept(r):
				sound = false // its operand would have to be kept instead
			}
		}
		for _, v := range s.Out {
			if sound && deepest < chain && f.stashed[v] && !f.kept(v) {
				drop[v], depth[v] = true, deepest+1
			}
		}
	}
	return drop
}

// chain is the most cheap steps that are computed again to get at one value.
const chain = 3

// segments chooses what lies inside the segments.
func (f *forward) segments(r Recompute) map[*Value]bool {
	segment := f.cut(r.segments)
	chosen := f.worthwhile(segment, r.most)
	drop := map[*Value]bool{}
	for v, s := range f.maker {
		if k := segment[f.at[s]]; chosen[k] && k == segment[f.last[v]] && !f.kept(v) {
			drop[v] = true
		}
	}
	return drop
}

// cut assigns the steps to n segments that keep about as many bytes each for the backward pass. It moves each cut to where
// the fewest bytes pass from one side to the other.
func (f *forward) cut(n int) []int {
	passing := make([]int, len(f.steps)+1) // bytes made before a place and read from there on
	kept := make([]int, len(f.steps)+1)    // bytes for the backward pass made before a place
	for v, s := range f.maker {
		if f.last[v] > f.at[s] {
			passing[f.at[s]+1] += v.Bytes()
			passing[f.last[v]+1] -= v.Bytes()
		}
		if f.stashed[v] {
			kept[f.at[s]+1] += v.Bytes()
		}
	}
	for i := 1; i < len(kept); i++ {
		kept[i] += kept[i-1]
		passing[i] += passing[i-1]
	}
	total := kept[len(f.steps)]
	segment := make([]int, len(f.steps))
	from := 0
	for k := 1; k <= n; k++ {
		to := len(f.steps)
		if k < n {
			low := sortSearch(kept, total*(2*k-1)/(2*n))
			high := sortSearch(kept, total*(2*k+1)/(2*n))
			to = max(from, low)
			middle := total * k / n
			for c := max(from, low); c < high; c++ {
				if d := cmp.Compare(passing[c], passing[to]); d < 0 || d == 0 && distance(kept[c], middle) < distance(kept[to], middle) {
					to = c
				}
			}
		}
		for i := from; i < to; i++ {
			segment[i] = k
		}
		from = max(from, to)
	}
	return segment
}

func sortSearch(sums []int, n int) int {
	i, _ := slices.BinarySearch(sums, n)
	return i
}

func distance(a, b int) int { return max(a-b, b-a) }

// worthwhile chooses the segments that are computed again: all but the last, or the given number of those that free the
// most bytes for the work.
func (f *forward) worthwhile(segment []int, most int) map[int]bool {
	last := 0
	if len(segment) > 0 {
		last = segment[len(segment)-1]
	}
	bytes, work := make([]float64, last+1), make([]float64, last+1)
	for v, s := range f.maker {
		k := segment[f.at[s]]
		if f.stashed[v] && segment[f.last[v]] == k && !f.kept(v) {
			bytes[k] += float64(v.Bytes())
		}
	}
	for i, s := range f.steps {
		work[segment[i]] += effort(s)
	}
	var all []int
	for k := range last {
		if bytes[k] > 0 {
			all = append(all, k)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(bytes[b]*work[a], bytes[a]*work[b]) })
	chosen := map[int]bool{}
	for i, k := range all {
		if most == 0 || i < most {
			chosen[k] = true
		}
	}
	return chosen
}

// effort is a rough measure of a step's time: the numbers that it reads and writes, times what a product does with each.
func effort(s *Step) float64 {
	n := 0
	for _, v := range s.In {
		n += v.Len()
	}
	for _, v := range s.Out {
		n += v.Len()
	}
	switch s.Instr.(type) {
	case *op.Conv2D, *FusedConv2D, *op.MatMul, *FusedMatMul:
		w := s.In[1].Shape
		inner := 1
		for _, d := range w[:len(w)-1] {
			inner *= d
		}
		return float64(n) + float64(s.Out[0].Len())*float64(inner)/productSpeed
	case *FusedAttention:
		return float64(n) + float64(flops(s))/2/productSpeed
	}
	return float64(n)
}

// productSpeed is how many multiplications of a product take as long as one number read or written.
const productSpeed = 16
