package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// fuseScores makes one step of those that read a net's scores: the loss, its mean, its gradient, and how many labels are among the best.
// Each of them is little work, and an engine that starts them one by one spends its time on that. The gradient comes along where the
// gradient of the losses, which for a mean is a constant, is there before the loss.
func fuseScores(p *program, e Engine) {
	type operands struct{ scores, labels *Value }
	found, order := map[operands]*scoring{}, []operands(nil)
	r := newRewriter(p)
	place := make(map[*Step]int, len(p.steps))
	for i, s := range p.steps {
		place[s] = i
	}
	of := func(i int, s *Step) *scoring {
		at := operands{s.In[0], s.In[1]}
		c := found[at]
		if c == nil && s.In[0].Len() > 0 && e.Fuses((&FusedScores{}).Kind(), s.In[0].Dtype) {
			c = &scoring{first: i}
			found[at] = c
			order = append(order, at)
		}
		return c
	}
	for i, s := range p.steps {
		switch s.Instr.(type) {
		case *op.SoftmaxCrossEntropy:
			if c := of(i, s); c != nil && c.loss == nil {
				c.loss, c.mean = s, r.meanOf(s)
			}
		case *op.TopKCorrect:
			if c := of(i, s); c != nil && len(c.tops) < MostTopK {
				c.tops = append(c.tops, s)
			}
		case *op.SoftmaxCrossEntropyGrad:
			c := found[operands{s.In[0], s.In[1]}]
			if c == nil || c.loss == nil || c.grad != nil {
				continue
			}
			early := func(v *Value) bool {
				w := p.producer[v.Root()]
				return w == nil || place[w] < c.first
			}
			switch w := p.producer[s.In[2].Root()]; {
			case early(s.In[2]):
				c.grad = s
			case s.In[2].Alias == nil && !slices.ContainsFunc(w.In, func(v *Value) bool { return !early(v) }): // as a MeanGrad
				if r.dead[w] { // it has moved already, for other scores: losses of one size share it
					delete(r.before, p.steps[place[w]])
				}
				c.grad, r.before[p.steps[c.first]], r.dead[w], place[w] = s, w, true, c.first
			}
		}
	}
	for _, at := range order {
		c := found[at]
		s := c.fuse(at.scores, at.labels)
		if s == nil {
			continue
		}
		parts := c.parts()
		if c.mean != nil {
			parts = append(parts, c.loss)
		}
		r.replace(s, p.steps[c.first], parts...)
	}
	r.finish()
}

// meanOf is the step that takes the mean of losses which nobody else asks for.
func (r *rewriter) meanOf(loss *Step) *Step {
	if m := r.only(loss.Out[0]); m != nil && !loss.Out[0].soft {
		if _, ok := m.Instr.(*op.Mean); ok {
			return m
		}
	}
	return nil
}

func topK(s *Step) int { return s.Instr.(*op.TopKCorrect).K }
