package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// NormJoiner is an [Engine] for which a batch norm of some sizes is faster in one step than in two, its sums over the channels and what is
// made of them. It is optional.
type NormJoiner interface {
	// JoinsNorm says whether a step, a [BatchNormForward] or a [BatchNormBackward] whose operands and results have shapes and element
	// types, had better take the place of the two that it stands for.
	JoinsNorm(s *Step) bool
}

// joinNorms makes the statistics of a batch norm and the batch norm one step, and the sums of its backward pass and the gradient of its
// input, where the engine wants that. Where memory is scarce it does not: recomputation keeps the one and throws the other away, and the
// gradient of the input would have to be in memory together with all that the sums are of.
func joinNorms(p *program, e Engine) {
	if _, ok := e.(NormJoiner); !ok || p.scarce {
		return
	}
	j := &normJoins{rewriter: newRewriter(p), e: e, joined: map[*Step]*Step{}}
	for _, s := range p.steps {
		if j.taken(s) {
			continue
		}
		switch f := s.Instr.(type) {
		case *BatchStats:
			if norm := j.normOf(s); norm != nil {
				j.join(forwardOf(s, norm), s, norm)
			}
		case *BatchNormSums:
			mask := NormUnmasked
			if f.ReLU {
				mask = NormReLU
			}
			j.backward(s, &BatchNormBackward{Axis: f.Axis, Epsilon: f.Epsilon, Mask: mask}, s.In[3])
		case *BatchNormReLUSums:
			j.backward(s, &BatchNormBackward{Axis: f.Axis, Epsilon: f.Epsilon, Mask: NormReLUAgain}, s.In[5])
		case *BatchNormJoinSums:
			j.backward(s, &BatchNormBackward{Axis: f.Axis, Epsilon: f.Epsilon, Mask: NormJoin}, s.Out[2])
		case *op.BatchNormGradScale:
			j.backward(s, &BatchNormBackward{Axis: axisOf(f.Axis, s.In[0].Shape), Epsilon: f.Epsilon, Shifted: true}, s.In[3])
		}
	}
	j.finish()
}

// normJoins are the changes of joinNorms.
type normJoins struct {
	*rewriter
	e      Engine
	joined map[*Step]*Step // what took the place of a step
}

func (j *normJoins) taken(s *Step) bool { return j.joined[s] != nil }

// joins asks the engine.
func joins(e Engine, s *Step) bool {
	n, ok := e.(NormJoiner)
	return ok && s != nil && e.Fuses(s.Instr.Kind(), s.Out[0].Dtype) && n.JoinsNorm(s)
}

// normOf returns the first batch norm of the very x that BatchStats s is of, with its results.
func (r *rewriter) normOf(s *Step) *Step {
	var first *Step
	for _, u := range r.uses[s.Out[0]] {
		switch u.Instr.(type) {
		case *op.BatchNorm, *FusedBatchNorm:
		default:
			continue
		}
		if u.In[0] == s.In[0] && u.In[3] == s.Out[0] && u.In[4] == s.Out[1] && (first == nil || u.rank < first.rank) {
			first = u
		}
	}
	return first
}

// forwardOf is the step in the place of statistics and a batch norm with them, nil if they are along different axes.
func forwardOf(stats, norm *Step) *Step {
	n := &BatchNormForward{Axis: stats.Instr.(*BatchStats).Axis}
	axis := n.Axis
	switch f := norm.Instr.(type) {
	case *op.BatchNorm:
		axis, n.Epsilon = axisOf(f.Axis, norm.In[0].Shape), f.Epsilon
	case *FusedBatchNorm:
		axis, n.Epsilon, n.Add, n.ReLU = f.Axis, f.Epsilon, f.Add, f.ReLU
	}
	if axis != n.Axis {
		return nil
	}
	in := append(append([]*Value(nil), norm.In[:3]...), norm.In[5:]...)
	return &Step{Instr: n, In: in, Out: []*Value{norm.Out[0], stats.Out[0], stats.Out[1]}}
}

// joinsStats says whether the engine wants statistics and the batch norm behind them as one step, with the sum that the batch norm will be
// fused to.
func (r *rewriter) joinsStats(e Engine, stats *Step) bool {
	norm := r.normOf(stats)
	if norm == nil || r.p.scarce {
		return false
	}
	s := forwardOf(stats, norm)
	if add := r.only(norm.Out[0]); s != nil && add != nil {
		if _, ok := add.Instr.(*op.Add); ok {
			s.Instr.(*BatchNormForward).Add = true
			s.In = append(s.In, add.In[0])
		}
	}
	return joins(e, s)
}

// backward finds the gradient of the input that belongs to sums of a batch norm's backward pass, which are of dy, and makes b of both.
func (j *normJoins) backward(sums *Step, b *BatchNormBackward, dy *Value) {
	for _, u := range j.uses[sums.Out[0]] {
		g, ok := gradInputOf(u, b.Mask)
		if !ok || axisOf(g.Axis, u.In[0].Shape) != b.Axis || g.Epsilon != b.Epsilon {
			continue
		}
		x, gamma, mean, variance, dbeta := u.In[0], u.In[1], u.In[2], u.In[3], u.In[6]
		if u.In[4] != dy || u.In[5] != sums.Out[0] || !b.Shifted && dbeta != sums.Out[1] {
			continue
		}
		s := &Step{Instr: b, In: []*Value{x, gamma, mean, variance, dy}, Out: append([]*Value{u.Out[0]}, sums.Out...)}
		want := []*Value{x, mean, variance, dy} // of the sums
		switch b.Mask {
		case NormUnmasked:
			if b.Shifted {
				s.In = append(s.In, dbeta)
			}
		case NormReLU:
			s.In = append(s.In, u.In[7])
			want = append(want, u.In[7])
		case NormReLUAgain:
			s.In = append(s.In, u.In[7])
			want = []*Value{x, gamma, u.In[7], mean, variance, dy}
		case NormJoin:
			s.In = append(s.In[:4], sums.In[3:]...)
			want = append(want[:3], sums.In[3:]...)
		}
		if slices.Equal(sums.In, want) && j.join(s, sums, u) {
			return
		}
	}
}

// gradInputOf returns the gradient of a batch norm's input that a step computes with a mask.
func gradInputOf(s *Step, mask NormMask) (*op.BatchNormGradInput, bool) {
	switch f := s.Instr.(type) {
	case *op.BatchNormGradInput:
		return f, mask == NormUnmasked || mask == NormJoin
	case *FusedBatchNormGradInput:
		return f.Grad, mask == NormReLU
	case *BatchNormReLUGradInput:
		return f.Grad, mask == NormReLUAgain
	}
	return nil, false
}

// join puts a step in the place of two, the second of which reads results of the first, if the engine wants it and nothing else that the
// second reads waits for the first.
func (j *normJoins) join(s, first, second *Step) bool {
	if j.taken(second) || !joins(j.e, s) {
		return false
	}
	for _, v := range s.In {
		if j.mayWait(v, first) {
			return false
		}
	}
	j.replace(s, second, first, second)
	j.joined[first], j.joined[second] = s, s
	return true
}

// mayWait says that v depends on step s, or that a short search does not tell. Steps of lower ranks depend on none of higher ones.
func (j *normJoins) mayWait(v *Value, s *Step) bool {
	const most = 256 // steps between, such as those of a residual branch
	seen, stack := map[*Step]bool{}, []*Value{v}
	for len(stack) > 0 {
		w := j.p.producer[stack[len(stack)-1].Root()]
		stack = stack[:len(stack)-1]
		if w == s {
			return true
		}
		if u := j.joined[w]; u != nil {
			w = u
		}
		if w == nil || w.rank < s.rank || seen[w] {
			continue
		}
		if len(seen) == most {
			return true
		}
		seen[w] = true
		stack = append(stack, w.In...)
		j.p.work += len(w.In)
	}
	return false
}
