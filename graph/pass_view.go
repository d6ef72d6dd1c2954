package graph

import "github.com/stheno-ml/stheno/graph/op"

// viewReshapes drops reshapes: the result becomes another name for the operand's memory.
func viewReshapes(p *program, _ Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		if _, ok := s.Instr.(*op.Reshape); !ok || r.kept[s.Out[0]] {
			continue
		}
		s.Out[0].Alias = s.In[0]
		r.dead[s] = true
	}
	r.finish()
}

// keep gives memory of their own to soft values that are still computed. What passes fused away is gone.
func (p *program) keep() {
	for _, v := range p.values {
		if !v.soft || v.Output {
			continue
		}
		switch r := v.Root(); {
		case r.Input:
			continue
		case r.Const == nil && p.producer[r] == nil:
			continue
		case r.Const == nil:
			r.Where = External
		}
		p.kept = append(p.kept, v)
	}
}

// materialise inserts copies where a value needs memory of its own: an output that is an input or a constant, and an
// update whose new value is an input or a constant (all updates take effect at once, so that two variables can
// be exchanged).
func materialise(p *program, _ Engine) {
	copied := map[*Value]*Value{}
	own := func(v *Value) *Value {
		if c := copied[v]; c != nil {
			return c
		}
		c := p.newValue(v.Name+" (copy)", v.Shape, v.Dtype, v.Node)
		p.addStep(&Step{Instr: &Copy{}, In: []*Value{v}, Out: []*Value{c}, rank: len(p.values) + len(p.steps)})
		copied[v] = c
		return c
	}
	for i, v := range p.outputs {
		if v.Input || v.Const != nil {
			v = own(v)
			p.outputs[i] = v
		}
		v.Output = true
	}
	for i, a := range p.assigns {
		if r := a.New.Root(); a.New != a.Target && (r.Input || r.Const != nil) {
			p.assigns[i].New = own(a.New)
		}
	}
	for _, s := range p.steps {
		if _, ok := s.Instr.(*op.Reshape); ok {
			s.Instr = &Copy{} // a reshape that was kept because its result is asked for
		}
	}
	p.keep()
}
