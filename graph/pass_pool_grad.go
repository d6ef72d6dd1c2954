package graph

import "github.com/stheno-ml/stheno/graph/op"

// PoolGradJoiner is an [Engine] that may mask the gradient of a max pooling's result while it spreads it. It is optional.
type PoolGradJoiner interface {
	// JoinsPoolGrad says whether a step, a [FusedMaxPool2DGrad] whose operands and results have shapes and element types, had better take the
	// place of those that it stands for.
	JoinsPoolGrad(s *Step) bool
}

// joinPoolGrads makes the mask of a ReLU behind a max pooling, where maskPooled has put it, and the pooling's gradient one step, with the sums
// of one of them, where the engine wants that and nothing else reads what is masked. It comes before joinReLUGrads, which may have the
// convolution behind the pooling mask its gradient, and before loops: in neither does the mask cost as little. Where memory is scarce nothing
// is joined: what was masked in its own place until then may need memory beside it.
func joinPoolGrads(p *program, e Engine) {
	j, ok := e.(PoolGradJoiner)
	if !ok || p.scarce {
		return
	}
	r := newRewriter(p)
	for _, s := range p.steps {
		f := &FusedMaxPool2DGrad{}
		switch o := s.Instr.(type) {
		case *op.MaxPool2DGrad:
			f.Grad = o
		case *MaxPool2DGradBias:
			f.Grad, f.Bias = o.Grad, true
		default:
			continue
		}
		mask := p.producer[s.In[2]]
		if mask == nil || mask.In[0] != s.In[1] || r.only(s.In[2]) != s || !p.pools(s, f.Grad) {
			continue
		}
		switch o := mask.Instr.(type) {
		case *op.ReLUGrad:
		case *ReLUGradBias:
			if _, _, channel := f.Grad.Format.Axes(); f.Bias || o.Axis != channel {
				continue
			}
			f.Bias = true
		default:
			continue
		}
		joined := &Step{Instr: f, In: []*Value{s.In[0], s.In[1], mask.In[1]}, Out: append(append([]*Value(nil), s.Out...), mask.Out[1:]...)}
		if e.Fuses(f.Kind(), s.Out[0].Dtype) && j.JoinsPoolGrad(joined) {
			r.replace(joined, s, mask, s)
		}
	}
	r.finish()
}
