package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseBatchStats makes BatchMean and BatchVariance of one input a single step.
func fuseBatchStats(p *program, e Engine) {
	r := newRewriter(p)
	for _, variance := range p.steps {
		o, ok := variance.Instr.(*op.BatchVariance)
		if !ok || !e.Fuses((&BatchStats{}).Kind(), variance.Out[0].Dtype) {
			continue
		}
		x := variance.In[0]
		mean := p.producer[variance.In[1]]
		if mean == nil || r.dead[mean] {
			continue
		}
		m, ok := mean.Instr.(*op.BatchMean)
		if !ok || mean.In[0] != x || axisOf(m.Axis, x.Shape) != axisOf(o.Axis, x.Shape) {
			continue
		}
		s := &Step{Instr: &BatchStats{Axis: axisOf(o.Axis, x.Shape)}, In: []*Value{x}, Out: []*Value{mean.Out[0], variance.Out[0]}}
		r.replace(s, variance, mean, variance)
	}
	r.finish()
}

// fuseConvStats lets a convolution gather the statistics of its result. A residual and a ReLU are not behind convolutions that a batch
// norm follows. What an engine wants in one step with the batch norm is left to joinNorms.
func fuseConvStats(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		b, ok := s.Instr.(*BatchStats)
		conv := p.producer[s.In[0]]
		if !ok || conv == nil || r.dead[conv] || r.repl[conv] != nil {
			continue
		}
		f := &FusedConv2D{}
		switch o := conv.Instr.(type) {
		case *op.Conv2D:
			f.Conv = o
		case *FusedConv2D:
			*f = *o
		default:
			continue
		}
		_, _, channel := f.Conv.Format.Axes()
		if f.Stats = true; f.Add || f.ReLU || b.Axis != channel || !e.Fuses(f.Kind(), s.Out[0].Dtype) || r.joinsStats(e, s) {
			continue
		}
		r.replace(&Step{Instr: f, In: conv.In, Out: append(append([]*Value(nil), conv.Out...), s.Out...)}, conv, s)
	}
	r.finish()
}

// fuseBatchNorm makes BatchNorm or BatchNormInference [+ Add] [+ ReLU] one step.
func fuseBatchNorm(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		f := &FusedBatchNorm{}
		switch o := s.Instr.(type) {
		case *op.BatchNorm:
			f.Axis, f.Epsilon = axisOf(o.Axis, s.In[0].Shape), o.Epsilon
		case *op.BatchNormInference:
			f.Axis, f.Epsilon = axisOf(o.Axis, s.In[0].Shape), o.Epsilon
		default:
			continue
		}
		if r.dead[s] || !e.Fuses(f.Kind(), s.Out[0].Dtype) {
			continue
		}
		in, last, parts := append([]*Value(nil), s.In...), s, []*Step{s}
		if add := r.only(last.Out[0]); add != nil {
			if _, ok := add.Instr.(*op.Add); ok {
				z := add.In[0]
				if z == last.Out[0] {
					z = add.In[1]
				}
				f.Add = true
				in, last, parts = append(in, z), add, append(parts, add)
			}
		}
		if relu := r.only(last.Out[0]); relu != nil {
			if _, ok := relu.Instr.(*op.ReLU); ok {
				f.ReLU = true
				last, parts = relu, append(parts, relu)
			}
		}
		r.replace(&Step{Instr: f, In: in, Out: last.Out}, last, parts...)
	}
	r.finish()
}

// fuseBatchNormGrad makes the two channel sums of a batch norm's backward pass one step, and lets it and the gradient
// of the input apply the mask of a following ReLU themselves, when nobody else needs the masked gradient. When others do and
// it comes from a sum, as behind a residual branch, the step makes it on the way.
func fuseBatchNormGrad(p *program, e Engine) {
	r := newRewriter(p)
	for _, scale := range p.steps {
		o, ok := scale.Instr.(*op.BatchNormGradScale)
		if !ok || !e.Fuses((&BatchNormSums{}).Kind(), scale.Out[0].Dtype) {
			continue
		}
		x, dy := scale.In[0], scale.In[3]
		axis := axisOf(o.Axis, x.Shape)
		var shift, input *Step
		for _, u := range r.uses[dy] {
			switch g := u.Instr.(type) {
			case *op.BiasGrad:
				if axisOf(g.Axis, dy.Shape) == axis {
					shift = u
				}
			case *op.BatchNormGradInput:
				if u.In[0] == x && u.In[4] == dy && axisOf(g.Axis, x.Shape) == axis && g.Epsilon == o.Epsilon && u.In[5] == scale.Out[0] {
					input = u
				}
			}
		}
		if shift == nil || r.dead[shift] || r.repl[shift] != nil || !r.madeBefore(shift, scale.In[:3]...) {
			continue
		}
		if input != nil && input.In[6] != shift.Out[0] {
			input = nil
		}
		sums := &BatchNormSums{Axis: axis, Epsilon: o.Epsilon}
		step := &Step{Instr: sums, In: append([]*Value(nil), scale.In...), Out: []*Value{scale.Out[0], shift.Out[0]}}
		if mask := r.maskOf(dy, scale, shift, input); mask != nil && e.Fuses((&FusedBatchNormGradInput{}).Kind(), dy.Dtype) {
			y, dr := mask.In[0], mask.In[1]
			sums.ReLU = true
			step.In[3] = dr
			step.In = append(step.In, y)
			r.dead[mask] = true
			if input != nil {
				in := append([]*Value(nil), input.In...)
				in[4] = dr
				g := input.Instr.(*op.BatchNormGradInput)
				r.replace(&Step{Instr: &FusedBatchNormGradInput{Grad: g}, In: append(in, y), Out: input.Out}, input)
			}
		}
		if r.join(e, step, scale, shift) {
			continue
		}
		last := scale
		if shift.rank > scale.rank {
			last = shift
		}
		r.replace(step, last, scale, shift)
	}
	r.finish()
}

// join lets the sums of a batch norm's backward pass compute what they are of, if it is the masked sum of two gradients. The
// step takes the place of the mask, before all that read its result.
func (r *rewriter) join(e Engine, sums, scale, shift *Step) bool {
	f, dy := sums.Instr.(*BatchNormSums), sums.In[3]
	j := &BatchNormJoinSums{Axis: f.Axis, Epsilon: f.Epsilon}
	mask := r.p.producer[dy]
	if f.ReLU || mask == nil || r.dead[mask] || r.repl[mask] != nil || !e.Fuses(j.Kind(), dy.Dtype) {
		return false
	}
	if _, ok := mask.Instr.(*op.ReLUGrad); !ok || !r.madeBefore(mask, sums.In[:3]...) {
		return false
	}
	y, total := mask.In[0], mask.In[1]
	add := r.p.producer[total]
	if add == nil || r.dead[add] || r.only(total) != mask {
		return false
	}
	if _, ok := add.Instr.(*op.Add); !ok {
		return false
	}
	in := append(append([]*Value(nil), sums.In[:3]...), add.In[0], add.In[1], y)
	r.replace(&Step{Instr: j, In: in, Out: append(append([]*Value(nil), sums.Out...), dy)}, mask, add, scale, shift)
	return true
}

// maskAgain lets the backward pass of a batch norm compute the mask of the ReLU behind it from the batch norm's input, which it
// reads anyway, instead of reading the ReLU's result.
func maskAgain(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		switch f := s.Instr.(type) {
		case *BatchNormSums:
			n := &BatchNormReLUSums{Axis: f.Axis, Epsilon: f.Epsilon}
			if !f.ReLU || !e.Fuses(n.Kind(), s.In[0].Dtype) {
				continue
			}
			if bn := r.rectified(s.In[4], s.In[0], s.In[1], s.In[2], f.Axis, f.Epsilon); bn != nil {
				r.replace(&Step{Instr: n, In: append(append([]*Value(nil), bn.In...), s.In[3]), Out: s.Out}, s)
			}
		case *FusedBatchNormGradInput:
			n := &BatchNormReLUGradInput{Grad: f.Grad}
			if !e.Fuses(n.Kind(), s.In[0].Dtype) {
				continue
			}
			bn := r.rectified(s.In[7], s.In[0], s.In[2], s.In[3], axisOf(f.Grad.Axis, s.In[0].Shape), f.Grad.Epsilon)
			if bn != nil && bn.In[1] == s.In[1] {
				r.replace(&Step{Instr: n, In: append(append([]*Value(nil), s.In[:7]...), bn.In[2]), Out: s.Out}, s)
			}
		}
	}
	r.finish()
}

// rectified returns the step that made y, if that is a batch norm of x with a ReLU and nothing between them.
func (r *rewriter) rectified(y, x, mean, variance *Value, axis int, epsilon float64) *Step {
	s := r.p.producer[y]
	if s == nil {
		return nil
	}
	f, ok := s.Instr.(*FusedBatchNorm)
	if !ok || f.Add || !f.ReLU || f.Axis != axis || f.Epsilon != epsilon || s.In[0] != x || s.In[3] != mean || s.In[4] != variance {
		return nil
	}
	return s
}

// madeBefore says that all values existed before step s in the graph, so that none depends on its results: one step for
// s and a reader of those values cannot end up waiting for itself.
func (r *rewriter) madeBefore(s *Step, values ...*Value) bool {
	for _, v := range values {
		if w := r.p.producer[v.Root()]; w != nil && w.rank > s.rank {
			return false
		}
	}
	return true
}

// maskOf returns the ReLUGrad that made dy, if only the given steps read dy.
func (r *rewriter) maskOf(dy *Value, readers ...*Step) *Step {
	mask := r.p.producer[dy]
	if mask == nil || r.kept[dy] || r.dead[mask] {
		return nil
	}
	if _, ok := mask.Instr.(*op.ReLUGrad); !ok {
		return nil
	}
	for _, u := range r.uses[dy] {
		known := false
		for _, s := range readers {
			known = known || s == u
		}
		if !known {
			return nil
		}
	}
	return mask
}
