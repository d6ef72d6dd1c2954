package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseLayerNormGrad makes the gradients of a layer normalization one step: those of its input, its scale and its shift read the same rows. The
// step also adds what else flows into the input, if that was there before.
func fuseLayerNormGrad(p *program, e Engine) {
	r := newRewriter(p)
	for _, input := range p.steps {
		o, ok := input.Instr.(*op.LayerNormGrad)
		if !ok || !e.Fuses((&LayerNormBackward{}).Kind(), input.Out[0].Dtype) {
			continue
		}
		f := &LayerNormBackward{Epsilon: o.Epsilon, NoScale: o.NoScale}
		x, dy := input.In[0], input.In[len(input.In)-1]
		in, last := append([]*Value(nil), input.In...), input
		parts, earliest := []*Step{input}, input
		take := func(s *Step) {
			if parts = append(parts, s); s.rank < earliest.rank {
				earliest = s
			}
			if s.rank > last.rank {
				last = s
			}
		}
		scale, shift := r.layerNormSums(x, dy, o.Epsilon)
		for _, s := range []*Step{scale, shift} {
			if s != nil {
				take(s)
			}
		}
		if !r.madeBefore(earliest, input.In...) {
			continue
		}
		out := input.Out
		if add := r.only(out[0]); add != nil && !out[0].soft { // of a tape machine, somebody may look at it
			other := (*Value)(nil)
			if _, ok := add.Instr.(*op.Add); ok {
				if other = add.In[0]; other == out[0] {
					other = add.In[1]
				}
			}
			if other != nil && other != out[0] && r.madeBefore(earliest, other) {
				f.Add = true
				in, out = append(in, other), add.Out
				take(add)
			}
		}
		out = append([]*Value(nil), out...)
		if scale != nil {
			f.Scale, out = true, append(out, scale.Out[0])
		}
		if shift != nil {
			f.Shift, out = true, append(out, shift.Out[0])
		}
		if len(parts) > 1 {
			r.replace(&Step{Instr: f, In: in, Out: out}, last, parts...)
		}
	}
	r.finish()
}

// layerNormSums returns the steps that make the gradients of a layer normalization's scale and shift, those that are there.
func (r *rewriter) layerNormSums(x, dy *Value, epsilon float64) (scale, shift *Step) {
	for _, u := range r.uses[dy] {
		if r.dead[u] || r.repl[u] != nil {
			continue
		}
		switch g := u.Instr.(type) {
		case *op.LayerNormGradScale:
			if u.In[0] == x && u.In[1] == dy && g.Epsilon == epsilon {
				scale = u
			}
		case *op.BiasGrad:
			if axisOf(g.Axis, dy.Shape) == len(dy.Shape)-1 {
				shift = u
			}
		}
	}
	return scale, shift
}
