package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
)

// fusePenalties makes the sum of a net's L2 penalties one step: Add(Add(L2Penalty(a), L2Penalty(b)), L2Penalty(c)) and so on. A
// penalty is a number and hardly any work; where each is a launch or two, the starts are what it costs.
func fusePenalties(p *program, e Engine) {
	r := newRewriter(p)
	sums := map[*Value]*penaltySum{}
	for _, s := range p.steps {
		switch o := s.Instr.(type) {
		case *op.L2Penalty:
			if e.Fuses((&L2Penalties{}).Kind(), s.Out[0].Dtype) {
				sums[s.Out[0]] = &penaltySum{[]float64{o.Lambda}, s.In, []*Step{s}}
			}
		case *op.Add:
			a, b := sums[s.In[0]], sums[s.In[1]]
			if a == nil || b == nil || r.only(s.In[0]) != s || r.only(s.In[1]) != s {
				continue
			}
			if len(a.of) == 1 && len(b.of) > 1 { // the order of two numbers in a sum is all the same
				a, b = b, a
			}
			if len(b.of) > 1 || len(a.of) == MostPenalties || a.of[0].Dtype != b.of[0].Dtype {
				continue
			}
			delete(sums, s.In[0])
			delete(sums, s.In[1])
			sums[s.Out[0]] = &penaltySum{slices.Concat(a.lambdas, b.lambdas), slices.Concat(a.of, b.of), slices.Concat(a.steps, b.steps, []*Step{s})}
		}
	}
	for _, s := range p.steps {
		sum := sums[s.Out[0]]
		if sum == nil || len(sum.of) == 1 {
			continue
		}
		all := &Step{Instr: &L2Penalties{Lambdas: sum.lambdas}, In: sum.of, Out: s.Out}
		r.replace(all, s, sum.steps...)
		if o, ok := e.(Overlapper); ok && o.Beside(all) > 0 {
			all.rank = 0 // the weights are there from the beginning, and so are steps to run beside
		}
	}
	r.finish()
}

// penaltySum is a sum of penalties that was found.
type penaltySum struct {
	lambdas []float64
	of      []*Value
	steps   []*Step
}
