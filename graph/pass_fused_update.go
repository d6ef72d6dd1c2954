package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseUpdates gives updates what surrounds them. An update reads the gradient and the parameter anyway, so that it can add the
// gradient of the parameter's penalty to the one on the way and take the penalty itself of the other: two sweeps less.
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
		w, g := s.In[0], s.In[f.State()]
		add := p.producer[g]
		if add == nil || r.only(g) != s {
			continue
		}
		l2, ok := add.Instr.(*AddL2Grad)
		if !ok || l2.Lambda == 0 || add.In[1] != w {
			continue
		}
		f.L2 = l2.Lambda
		n := &Step{Instr: f, In: append([]*Value(nil), s.In...), Out: append([]*Value(nil), s.Out...)}
		n.In[f.State()] = add.In[0]
		n.In = append(n.In, add.In[2])
		parts := []*Step{add, s}
		if driving == nil {
			driving = p.driving()
		}
		if penalty := r.penaltyOf(w, driving); penalty != nil {
			f.Penalty = penalty.Instr.(*op.L2Penalty).Lambda
			n.Out = append(n.Out, penalty.Out[0])
			parts = append(parts, penalty)
		}
		r.replace(n, s, parts...)
	}
	r.finish()
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
