package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// largeGradient is the bytes from which on a gradient is better used up by the update, block by block, than written to memory:
// smaller ones are still in the cache when the update reads them.
const largeGradient = 1 << 20

// shallow is the depth up to which a product of that size waits for memory rather than for arithmetic. For convolutions there
// are better ways than blocks of a product beyond it.
const shallow = 256

// fuseUpdates gives updates what surrounds them. An update reads the gradient and the parameter anyway, so that it can add the
// gradient of the parameter's penalty to the one on the way and take the penalty itself of the other: two sweeps less. Of a large
// gradient that only the update reads, nothing needs to be in memory but the blocks under way.
func fuseUpdates(p *program, e Engine) {
	r := newRewriter(p)
	var driving map[*Step]bool
	for _, s := range p.steps {
		f := &FusedUpdate{Update: s.Instr}
		switch s.Instr.(type) {
		case *MomentumUpdate, *AdamUpdate:
		default:
			continue
		}
		if !e.Fuses(f.Kind(), s.Out[0].Dtype) {
			continue
		}
		state, scalars := s.In[:f.State()], s.In[f.Scalars():]
		grad, out, parts := s.In[f.State():f.Scalars()], s.Out, []*Step{s}
		rank := s.rank
		if add := r.madeFor(grad[0], s); add != nil {
			if l2, ok := add.Instr.(*AddL2Grad); ok && l2.Lambda != 0 && add.In[1] == s.In[0] {
				f.L2 = l2.Lambda
				grad, scalars, parts = add.In[:1], slices.Concat(scalars, add.In[2:]), append(parts, add)
			}
		}
		if product := r.madeFor(grad[0], parts[len(parts)-1]); product != nil && grad[0].Bytes() >= largeGradient {
			with := *f
			with.Grad = product.Instr
			if absorbed(product) && !share(product.In, state) && e.Fuses(with.Kind(), s.Out[0].Dtype) {
				f.Grad = product.Instr
				grad, parts, rank = product.In, append(parts, product), product.rank
			}
		}
		if len(parts) == 1 {
			continue
		}
		if f.L2 != 0 {
			if driving == nil {
				driving = p.driving()
			}
			penalty := r.penaltyOf(s.In[0], driving)
			if with := (&FusedUpdate{Grad: f.Grad, Penalty: 1}); penalty != nil && e.Fuses(with.Kind(), s.Out[0].Dtype) {
				f.Penalty = penalty.Instr.(*op.L2Penalty).Lambda
				out, parts = slices.Concat(out, penalty.Out), append(parts, penalty)
			}
		}
		n := &Step{Instr: f, In: slices.Concat(state, grad, scalars), Out: out}
		r.replace(n, s, parts...)
		n.rank = rank // that of the product, by which recomputation tells when its factors are needed
	}
	r.finish()
}

// absorbed says whether an update takes a large gradient of a step's block by block.
func absorbed(s *Step) bool {
	switch o := s.Instr.(type) {
	case *op.MatMul:
		return true
	case *op.Conv2DBackwardFilter:
		return s.In[1].Len() <= shallow*o.FilterShape[3] // dy has a row of filters for each of the sums
	}
	return false
}

// madeFor returns the step that makes v, if nobody but the given step reads v.
func (r *rewriter) madeFor(v *Value, reader *Step) *Step {
	if s := r.p.producer[v]; s != nil && r.only(v) == reader {
		return s
	}
	return nil
}

// share says whether any two values of two lists have memory in common.
func share(a, b []*Value) bool {
	return slices.ContainsFunc(a, func(v *Value) bool {
		return slices.ContainsFunc(b, func(w *Value) bool { return v.Root() == w.Root() })
	})
}

// penaltyOf returns a step that computes an L2 penalty of w, if the update of w may compute it instead: no update must depend
// on it, as it is then there as late as the last gradient.
func (r *rewriter) penaltyOf(w *Value, driving map[*Step]bool) *Step {
	for _, s := range r.uses[w] {
		if o, ok := s.Instr.(*op.L2Penalty); ok && o.Lambda != 0 && !r.dead[s] && !driving[s] {
			return s
		}
	}
	return nil
}

// driving are the steps that updates depend on.
func (p *program) driving() map[*Step]bool {
	values := make([]*Value, len(p.assigns))
	for i, a := range p.assigns {
		values[i] = a.New
	}
	return p.behind(values, nil)
}
