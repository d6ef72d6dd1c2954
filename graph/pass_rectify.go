package graph

import (
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// rectify finds what gorgonia.Rectify is made of: x·(x ≥ 0) becomes ReLU, and its gradient, dy·(x ≥ 0), becomes ReLUGrad.
// That changes two things for the better: ReLU of −∞ is 0 instead of NaN, and the gradient at exactly 0 is 0, as Keras and
// PyTorch have it.
func rectify(p *program, _ Engine) {
	relus := map[*Value]*Value{} // x → ReLU(x)
	sweepSteps(p, func(w *sweep, s *Step) {
		if _, ok := s.Instr.(*op.Mul); !ok {
			return
		}
		for i := range s.In {
			x, other := w.positive(s.In[i]), s.In[1-i]
			switch {
			case x == nil || !shape.Equal(x.Shape, other.Shape):
				continue
			case x == other:
				w.change(&op.ReLU{}, x)
				relus[x] = s.Out[0]
			case relus[x] != nil && s.Out[0].Node != nil && inGradients(s.Out[0].Node):
				w.change(&op.ReLUGrad{}, relus[x], other)
			default:
				continue // a mask of its own
			}
			return
		}
	})
}

// positive returns x if v is x ≥ 0 in x's element type.
func (w *sweep) positive(v *Value) *Value {
	s := w.producer(v)
	if s == nil {
		return nil
	}
	b, ok := s.Instr.(*ir.Binary)
	if !ok || b.Fn != ir.Gte || !isNumber(s.In[1], 0) || v.Dtype != s.In[0].Dtype {
		return nil
	}
	return s.In[0]
}
