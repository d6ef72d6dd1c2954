package graph

import (
	"math"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// boundReLUs makes batch norm + ReLU and the minimum of that and a number, as in ReLU6, one step, and lets the backward pass of the batch
// norm apply the mask of the bound where it applies that of the ReLU.
func boundReLUs(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		f, ok := s.Instr.(*FusedBatchNorm)
		if !ok || !f.ReLU || f.Most != 0 || r.kept[s.Out[0]] || s.Out[0].soft {
			continue
		}
		b := &reluBound{r: r, e: e, norm: s, bounded: *f}
		if b.find() && e.Fuses(b.bounded.Kind(), s.Out[0].Dtype) {
			b.apply()
		}
	}
	r.finish()
}

// reluBound is what there is behind a batch norm with a ReLU that a number bounds.
type reluBound struct {
	r       *rewriter
	e       Engine
	norm    *Step
	bounded FusedBatchNorm // what becomes of it
	lowest  *Step          // the minimum
	masks   []boundMask
}

// boundMask is the steps that mask a gradient: 1 − (most ≤ ReLU), and the gradient where that is not 0.
type boundMask struct {
	steps   []*Step
	dy      *Value // the gradient
	readers []*Step
}

// find looks at all that reads the ReLU's result, and says whether nothing but the bound and its masks does.
func (b *reluBound) find() bool {
	y := b.norm.Out[0]
	for _, u := range b.r.uses[y] {
		o, ok := u.Instr.(*ir.Binary)
		if !ok || o.Fn != ir.Min || b.lowest != nil {
			continue
		}
		other := u.In[0]
		if other == y {
			other = u.In[1]
		}
		most, isNumber := number(other.Root())
		if !isNumber || !(most > 0) || math.IsInf(most, 1) || len(u.Out[0].Shape) != len(y.Shape) {
			return false
		}
		b.lowest, b.bounded.Most = u, most
	}
	if b.lowest == nil {
		return false
	}
	for _, u := range b.r.uses[y] {
		if u != b.lowest && !b.mask(u) {
			return false
		}
	}
	return true
}

// mask finds the mask that begins with a comparison, and says whether the batch norm's backward pass alone has the gradient from it.
func (b *reluBound) mask(compare *Step) bool {
	binary := func(s *Step, fn ir.BinaryFn, first float64, second *Value) bool {
		o, ok := s.Instr.(*ir.Binary)
		return ok && o.Fn == fn && isNumber(s.In[0].Root(), first) && s.In[1] == second && s.Out[0].Dtype == second.Dtype && !s.Out[0].soft
	}
	if !binary(compare, ir.Lte, b.bounded.Most, b.norm.Out[0]) {
		return false
	}
	below := b.r.only(compare.Out[0])
	if below == nil || !binary(below, ir.Sub, 1, compare.Out[0]) {
		return false
	}
	last := b.r.only(below.Out[0])
	if last == nil || last.In[0] != below.Out[0] || last.Out[0].soft || b.r.kept[last.Out[0]] {
		return false
	}
	switch o := last.Instr.(type) {
	case *op.ReLUGrad:
	case *ir.Binary:
		if o.Fn != ir.ReLUGrad {
			return false
		}
	default:
		return false
	}
	if len(last.In[1].Shape) != len(last.Out[0].Shape) || last.In[1].Len() != last.Out[0].Len() {
		return false
	}
	m := boundMask{steps: []*Step{compare, below, last}, dy: last.In[1], readers: b.r.uses[last.Out[0]]}
	for _, u := range m.readers {
		if b.backward(u, last.Out[0]) == nil {
			return false
		}
	}
	b.masks = append(b.masks, m)
	return true
}

// backward returns what becomes of a step of the batch norm's backward pass whose gradient is d; nil if it is no such step.
func (b *reluBound) backward(u *Step, d *Value) Instr {
	n := b.norm.In // x, gamma, beta, mean, variance
	same := func(values ...*Value) bool {
		for i, at := range []int{0, 1, 2, 3, 4} {
			if values[i] != n[at] {
				return false
			}
		}
		return true
	}
	var instr Instr
	switch f := u.Instr.(type) {
	case *BatchNormReLUSums:
		if f.Most != 0 || f.Axis != b.bounded.Axis || f.Epsilon != b.bounded.Epsilon || !same(u.In[0], u.In[1], u.In[2], u.In[3], u.In[4]) || u.In[5] != d {
			return nil
		}
		instr = &BatchNormReLUSums{Axis: f.Axis, Epsilon: f.Epsilon, Most: b.bounded.Most}
	case *BatchNormReLUGradInput:
		if f.Most != 0 || axisOf(f.Grad.Axis, n[0].Shape) != b.bounded.Axis || f.Grad.Epsilon != b.bounded.Epsilon ||
			!same(u.In[0], u.In[1], u.In[7], u.In[2], u.In[3]) || u.In[4] != d {
			return nil
		}
		instr = &BatchNormReLUGradInput{Grad: f.Grad, Most: b.bounded.Most}
	default:
		return nil
	}
	if !b.e.Fuses(instr.Kind(), d.Dtype) {
		return nil
	}
	return instr
}

// apply makes the changes.
func (b *reluBound) apply() {
	b.r.replace(&Step{Instr: &b.bounded, In: b.norm.In, Out: b.lowest.Out}, b.lowest, b.norm, b.lowest)
	for _, m := range b.masks {
		d := m.steps[2].Out[0]
		for _, u := range m.readers {
			in := append([]*Value(nil), u.In...)
			for i, v := range in {
				if v == d {
					in[i] = m.dy
				}
			}
			b.r.replace(&Step{Instr: b.backward(u, d), In: in, Out: u.Out}, u)
		}
		for _, s := range m.steps {
			b.r.dead[s] = true
		}
	}
}
