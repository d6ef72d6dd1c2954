package graph

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// fuseAttention makes the products and the softmax of an attention one step, and those of its gradient another, with the permutations that
// move heads out of the steps and back. Nobody else may want the scores or their softmax, as a dropout of them does. It
// comes before views, so that reshapes are steps.
func fuseAttention(p *program, e Engine) {
	f := &attentions{p: p, r: newRewriter(p), place: make(map[*Step]int, len(p.steps))}
	for i, s := range p.steps {
		f.place[s] = i
	}
	for _, s := range p.steps {
		if a := f.attention(s, e); a != nil {
			f.replace(a)
		}
	}
	f.r.finish()
	if f.found {
		p.dropDead()
	}
}

// attentions looks for attentions.
type attentions struct {
	p     *program
	r     *rewriter
	place map[*Step]int
	found bool
}

// attention is what was found: the steps that make its results, and their operands.
type attention struct {
	q, k, v, weights *Value // weights are the softmax's result
	mask             *Value // what is added to the scores of all heads, or nil
	scale            float64
	last             *Step // makes y
	grad             *attentionGrad
}

// attentionGrad is the gradient.
type attentionGrad struct {
	first      *Step  // of those that read dy
	dy         *Value // of y
	dq, dk, dv *Step  // make these
}

// readers are the steps that read v or a reshape of it; nil if somebody else wants to see one of these.
func (f *attentions) readers(v *Value) (all []*Step) {
	if f.r.kept[v] || v.head {
		return nil
	}
	for _, s := range f.r.uses[v] {
		if _, ok := s.Instr.(*op.Reshape); !ok {
			all = append(all, s)
			continue
		}
		more := f.readers(s.Out[0])
		if more == nil {
			return nil
		}
		all = append(all, more...)
	}
	return all
}

// batchMatMul says that s is products of matrices, transposed so.
func batchMatMul(s *Step, a, b bool) bool {
	if s == nil {
		return false
	}
	o, ok := s.Instr.(*ir.BatchMatMul)
	return ok && o.TransA == a && o.TransB == b
}

// attention looks whether s is the product of an attention's weights and values.
func (f *attentions) attention(s *Step, e Engine) *attention {
	if !batchMatMul(s, false, false) || s.Out[0].Len() == 0 || !e.Fuses((&FusedAttention{}).Kind(), s.Out[0].Dtype) {
		return nil
	}
	a := &attention{v: s.In[1], weights: f.p.through(s.In[0]), scale: 1, last: s}
	soft := f.p.producer[a.weights]
	if soft == nil {
		return nil
	}
	if _, ok := soft.Instr.(*op.Softmax); !ok {
		return nil
	}
	if x := soft.In[0].Shape; x[len(x)-1] != s.In[0].Shape[len(s.In[0].Shape)-1] { // not over the keys
		return nil
	}
	scores := f.p.producer[f.p.through(soft.In[0])]
	if scores == nil {
		return nil
	}
	for i, mask := range maskOf(scores, s.In[0].Shape) {
		if mask == nil {
			continue
		}
		// Where there is one query or one head, the scores have the shape of a mask, too.
		if from := f.p.producer[f.p.through(scores.In[1-i])]; from != nil {
			if _, ok := from.Instr.(*op.Scale); ok || batchMatMul(from, false, true) {
				a.mask, scores = mask, from
				break
			}
		}
	}
	if o, ok := scores.Instr.(*op.Scale); ok {
		if a.scale = o.Factor; float32(a.scale) == 0 {
			return nil
		}
		if scores = f.p.producer[f.p.through(scores.In[0])]; scores == nil {
			return nil
		}
	}
	if !batchMatMul(scores, false, true) || !shape.Equal(scores.Out[0].Shape, s.In[0].Shape) {
		return nil
	}
	a.q, a.k = scores.In[0], scores.In[1]
	switch users := f.readers(a.weights); len(users) {
	case 1:
		return a
	case 3:
		if a.grad = f.gradient(a, users, e); a.grad != nil {
			return a
		}
	}
	return nil
}

// maskOf returns, of the operands of a step that adds, those that may be a mask of scores of a shape, which the other operand is: one number for
// each query and key.
func maskOf(s *Step, scores tensor.Shape) (masks [2]*Value) {
	switch o := s.Instr.(type) {
	case *op.Add:
	case *ir.Binary:
		if o.Fn != ir.Add {
			return masks
		}
	default:
		return masks
	}
	last := scores[len(scores)-2:]
	for i, m := range s.In {
		if d := m.Shape; m.Len() == last.TotalSize() && len(d) >= 2 && shape.Equal(d[len(d)-2:], last) && shape.Equal(s.In[1-i].Shape, scores) {
			masks[i] = m
		}
	}
	return masks
}

// gradient looks for the steps of the gradient among those that read the weights, which are three.
func (f *attentions) gradient(a *attention, users []*Step, e Engine) *attentionGrad {
	g := &attentionGrad{}
	var soft *Step
	for _, s := range users {
		if _, ok := s.Instr.(*op.SoftmaxGrad); ok && f.p.through(s.In[0]) == a.weights && f.p.through(s.In[1]) != a.weights {
			soft = s
		} else if batchMatMul(s, true, false) && f.p.through(s.In[0]) == a.weights {
			g.dv, g.dy = s, s.In[1]
		}
	}
	if soft == nil || g.dv == nil || !e.Fuses((&FusedAttentionGrad{}).Kind(), a.q.Dtype) {
		return nil
	}
	// The gradient of the weights is dy·vᵀ, and the softmax's alone reads it.
	weights := f.p.producer[f.p.through(soft.In[1])]
	if !batchMatMul(weights, false, true) || weights.In[0] != g.dy || weights.In[1] != a.v || len(f.readers(weights.Out[0])) != 1 {
		return nil
	}
	ds := soft.Out[0]
	if a.scale != 1 {
		next := f.readers(ds)
		if len(next) != 1 {
			return nil
		}
		if o, ok := next[0].Instr.(*op.Scale); !ok || o.Factor != a.scale {
			return nil
		}
		ds = next[0].Out[0]
	}
	next := f.readers(ds)
	if len(next) != 2 {
		return nil
	}
	for _, s := range next {
		switch {
		case batchMatMul(s, false, false) && f.p.through(s.In[0]) == ds && s.In[1] == a.k:
			g.dq = s
		case batchMatMul(s, true, false) && f.p.through(s.In[0]) == ds && s.In[1] == a.q:
			g.dk = s
		}
	}
	if g.dq == nil || g.dk == nil {
		return nil
	}
	if g.first = weights; f.place[g.dv] < f.place[weights] {
		g.first = g.dv
	}
	return g
}

// before returns what v is with the heads within the steps, nil if it is not turned.
func (f *attentions) before(v *Value) *Value {
	if s := f.p.producer[v]; s != nil && !f.r.dead[s] { // what another attention gives may be turned no more
		if o, ok := s.Instr.(*op.Permute); ok && turned(o) {
			return s.In[0]
		}
	}
	return nil
}

// behind returns the step that turns v, if that alone reads it.
func (f *attentions) behind(v *Value) *Step {
	if s := f.r.only(v); s != nil && !v.head {
		if o, ok := s.Instr.(*op.Permute); ok && turned(o) {
			return s
		}
	}
	return nil
}

// replace puts the fused steps in the place of an attention's.
func (f *attentions) replace(a *attention) {
	f.found = true
	y, q, k, v := a.last.Out[0], a.q, a.k, a.v
	made := []*Step{a.last}
	var dy, dq, dk, dv *Value
	if a.grad != nil {
		dy, dq, dk, dv = a.grad.dy, a.grad.dq.Out[0], a.grad.dk.Out[0], a.grad.dv.Out[0]
		made = append(made, a.grad.dq, a.grad.dk, a.grad.dv)
	}
	within := true
	var operands []*Value
	for _, x := range []*Value{q, k, v, dy} {
		if x != nil {
			operands = append(operands, f.before(x))
			within = within && operands[len(operands)-1] != nil
		}
	}
	var results []*Step
	for _, s := range made {
		results = append(results, f.behind(s.Out[0]))
		within = within && results[len(results)-1] != nil
	}
	at := a.last
	if within {
		q, k, v, y = operands[0], operands[1], operands[2], results[0].Out[0]
		if a.grad != nil {
			dy, dq, dk, dv = operands[3], results[1].Out[0], results[2].Out[0], results[3].Out[0]
		}
		for _, s := range results {
			f.r.dead[s] = true
		}
	}
	forward := &Step{Instr: &FusedAttention{Scale: a.scale, Within: within, Stats: a.grad != nil}, In: []*Value{q, k, v}, Out: []*Value{y}}
	if a.mask != nil {
		forward.In = append(forward.In, a.mask)
	}
	if g := a.grad; g != nil {
		stats := f.p.newValue("", append(a.q.Shape[:len(a.q.Shape)-1].Clone(), 2), y.Dtype, nil)
		forward.Out = append(forward.Out, stats)
		backward := &Step{Instr: &FusedAttentionGrad{Scale: a.scale, Within: within}, In: []*Value{q, k, v, y, dy, stats}, Out: []*Value{dq, dk, dv}}
		if a.mask != nil {
			backward.In = append(backward.In, a.mask)
		}
		f.r.replace(backward, g.first, g.dq, g.dk, g.dv)
	}
	f.r.replace(forward, at, at)
}
