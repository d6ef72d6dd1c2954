package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseMomentum makes [WeightDecay +] Momentum + Add, or [WeightDecay +] Momentum + Nesterov, one step.
func fuseMomentum(p *program, e Engine) {
	r := newRewriter(p)
	for _, velocity := range p.steps {
		m, ok := velocity.Instr.(*op.Momentum)
		if !ok || !e.Fuses((&MomentumUpdate{}).Kind(), velocity.Out[0].Dtype) {
			continue
		}
		v, g, lr := velocity.In[0], velocity.In[1], velocity.In[2]
		move := r.sole(velocity.Out[0])
		if move == nil || r.dead[move] || r.repl[move] != nil {
			continue // the sum of two new velocities belongs to one of them
		}
		f := &MomentumUpdate{Momentum: m.Momentum}
		var w *Value
		switch o := move.Instr.(type) {
		case *op.Add:
			if w = move.In[0]; w == velocity.Out[0] {
				w = move.In[1]
			}
		case *op.Nesterov:
			if o.Momentum != m.Momentum || move.In[1] != velocity.Out[0] || move.In[2] != g || move.In[3] != lr {
				continue
			}
			w, f.Nesterov = move.In[0], true
		default:
			continue
		}
		parts := []*Step{velocity, move}
		if decay := r.decayOf(g, w, velocity, move); decay != nil {
			f.WeightDecay = decay.Instr.(*op.WeightDecay).Rate
			g, parts = decay.In[0], append(parts, decay)
		}
		s := &Step{Instr: f, In: []*Value{w, v, g, lr}, Out: []*Value{move.Out[0], velocity.Out[0]}}
		r.replace(s, move, parts...)
	}
	r.finish()
}

// fuseAdam makes [WeightDecay +] AdamMean + AdamSquare + AdamStep one step.
func fuseAdam(p *program, e Engine) {
	r := newRewriter(p)
	for _, move := range p.steps {
		o, ok := move.Instr.(*op.AdamStep)
		if !ok || !e.Fuses((&AdamUpdate{}).Kind(), move.Out[0].Dtype) {
			continue
		}
		mean, square := p.producer[move.In[1]], p.producer[move.In[2]]
		if mean == nil || square == nil || r.sole(move.In[1]) == nil || r.sole(move.In[2]) == nil {
			continue
		}
		m, ok1 := mean.Instr.(*op.AdamMean)
		s, ok2 := square.Instr.(*op.AdamSquare)
		if !ok1 || !ok2 || m.Beta != o.Beta1 || s.Beta != o.Beta2 || mean.In[1] != square.In[1] {
			continue
		}
		w, g := move.In[0], mean.In[1]
		f := &AdamUpdate{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon}
		parts := []*Step{mean, square, move}
		if decay := r.decayOf(g, w, mean, square); decay != nil {
			f.WeightDecay = decay.Instr.(*op.WeightDecay).Rate
			g, parts = decay.In[0], append(parts, decay)
		}
		in := []*Value{w, mean.In[0], square.In[0], g, move.In[3], move.In[4]}
		out := []*Value{move.Out[0], mean.Out[0], square.Out[0]}
		r.replace(&Step{Instr: f, In: in, Out: out}, move, parts...)
	}
	r.finish()
}

// decayOf returns the WeightDecay of w that made g, if only the given steps read g.
func (r *rewriter) decayOf(g, w *Value, readers ...*Step) *Step {
	decay := r.p.producer[g]
	if decay == nil || r.kept[g] || r.dead[decay] {
		return nil
	}
	if _, ok := decay.Instr.(*op.WeightDecay); !ok || decay.In[1] != w {
		return nil
	}
	for _, u := range r.uses[g] {
		known := false
		for _, s := range readers {
			known = known || s == u
		}
		if !known {
			return nil
		}
	}
	return decay
}
