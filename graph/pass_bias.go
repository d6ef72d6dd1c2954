package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseBias makes Conv2D or MatMul [+ BiasAdd] [+ Add] [+ ReLU] one step, whose kernel does the rest while the result is still in
// cache. Of two of them that are added, the later one adds.
func fuseBias(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		t := r.tailOf(s, e)
		if t == nil || len(t.parts) == 1 {
			continue
		}
		var instr Instr
		switch o := s.Instr.(type) {
		case *op.Conv2D:
			instr = &FusedConv2D{Conv: o, Bias: t.bias, Add: t.add, ReLU: t.relu}
		case *op.MatMul:
			instr = &FusedMatMul{MatMul: o, Bias: t.bias, Add: t.add, ReLU: t.relu}
		}
		r.replace(&Step{Instr: instr, In: t.in, Out: t.last.Out}, t.last, t.parts...)
	}
	r.finish()
}

// tail is what follows a product and can be one step with it.
type tail struct {
	in              []*Value
	last            *Step
	parts           []*Step
	bias, add, relu bool
}

// tailOf returns the tail of s, nil if s is no product.
func (r *rewriter) tailOf(s *Step, e Engine) *tail {
	channel, _, kind, ok := productOf(s)
	if !ok || !e.Fuses(kind, s.Out[0].Dtype) {
		return nil
	}
	t := &tail{in: s.In, last: s, parts: []*Step{s}}
	extend := func(next *Step, in ...*Value) {
		t.in = append(append([]*Value(nil), t.in...), in...)
		t.last, t.parts = next, append(t.parts, next)
	}
	if b := r.only(s.Out[0]); b != nil && isBias(b, s.Out[0], channel) {
		t.bias = true
		extend(b, b.In[1])
	}
	// Of a tape machine, what is added up may be a gradient that somebody looks at.
	if e.Fuses(kind+"Add", s.Out[0].Dtype) && !t.last.Out[0].soft {
		if add := r.only(t.last.Out[0]); add != nil {
			if _, ok := add.Instr.(*op.Add); ok {
				other := add.In[0]
				if other == t.last.Out[0] {
					other = add.In[1]
				}
				if r.endsLater(other, s) { // that one adds
					return t
				}
				t.add = true
				extend(add, other)
			}
		}
	}
	if next := r.only(t.last.Out[0]); next != nil {
		if _, ok := next.Instr.(*op.ReLU); ok {
			t.relu = true
			extend(next)
		}
	}
	return t
}

// endsLater says that v is the result of a product [+ BiasAdd] which comes after s, and that only one step reads it.
func (r *rewriter) endsLater(v *Value, s *Step) bool {
	w := r.p.producer[v]
	if w == nil || r.only(v) == nil {
		return false
	}
	if channel, x, ok := biasOf(w); ok {
		w = r.p.producer[x]
		if w == nil || r.only(x) == nil {
			return false
		}
		if at, _, _, ok := productOf(w); !ok || at != channel {
			return false
		}
	}
	_, _, _, ok := productOf(w)
	return ok && w.rank > s.rank
}

// biasOf returns the axis and the operand of a BiasAdd.
func biasOf(s *Step) (axis int, x *Value, ok bool) {
	b, ok := s.Instr.(*op.BiasAdd)
	if !ok {
		return 0, nil, false
	}
	return axisOf(b.Axis, s.In[0].Shape), s.In[0], true
}

func isBias(s *Step, x *Value, channel int) bool {
	axis, y, ok := biasOf(s)
	return ok && y == x && axis == channel
}
