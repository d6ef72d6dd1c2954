package graph

import "github.com/stheno-ml/stheno/graph/op"

// ReLUGradJoiner is an [Engine] that may mask the gradient of a convolution's input while it writes it. It is optional.
type ReLUGradJoiner interface {
	// JoinsReLUGrad says whether a step, a [FusedConv2DBackwardInput] whose operands and results have shapes and element types, had better
	// take the place of those that it stands for.
	JoinsReLUGrad(s *Step) bool
}

// joinReLUGrads makes the gradient of a convolution's input, and of the ReLU in front of the convolution, one step, with the sums of the
// gradient that belong to it already, where the engine wants that. Where memory is scarce it does not: the ReLU's result, which may be
// computed again for the second of the steps, would have to be there for the first.
func joinReLUGrads(p *program, e Engine) {
	j, ok := e.(ReLUGradJoiner)
	if !ok || p.scarce {
		return
	}
	r := newRewriter(p)
	for _, s := range p.steps {
		f := &FusedConv2DBackwardInput{}
		axis := -1 // of the sums
		switch o := s.Instr.(type) {
		case *op.ReLUGrad:
		case *ReLUGradBias:
			f.Bias, axis = true, o.Axis
		default:
			continue
		}
		conv := p.producer[s.In[1]]
		if conv == nil || s.In[0] == s.In[1] || r.only(s.In[1]) != s {
			continue
		}
		if f.Grad, ok = conv.Instr.(*op.Conv2DBackwardInput); !ok {
			continue
		}
		if _, _, channel := f.Grad.Format.Axes(); f.Bias && axis != channel {
			continue
		}
		joined := &Step{Instr: f, In: append(append([]*Value(nil), conv.In...), s.In[0]), Out: s.Out}
		if e.Fuses(f.Kind(), s.Out[0].Dtype) && j.JoinsReLUGrad(joined) {
			r.replace(joined, s, conv, s)
		}
	}
	r.finish()
}
