package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseL2Grad makes Add(g, L2PenaltyGrad(w, s)) one step. Besides a sweep over memory it saves memory: the penalty's
// gradients, as large as all weights, would otherwise be computed at the start of the backward pass and wait.
func fuseL2Grad(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		l2, ok := s.Instr.(*op.L2PenaltyGrad)
		if !ok || !e.Fuses((&AddL2Grad{}).Kind(), s.Out[0].Dtype) {
			continue
		}
		add := r.only(s.Out[0])
		if add == nil {
			continue
		}
		if _, ok := add.Instr.(*op.Add); !ok {
			continue
		}
		g := add.In[0]
		if g == s.Out[0] {
			g = add.In[1]
		}
		r.replace(&Step{Instr: &AddL2Grad{Lambda: l2.Lambda}, In: []*Value{g, s.In[0], s.In[1]}, Out: add.Out}, add, s, add)
	}
	r.finish()
}
