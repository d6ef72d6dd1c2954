package graph

import "github.com/stheno-ml/stheno/graph/op"

// foldNorms lets convolutions and matrix products do what a batch norm in inference behind them does, where weights and statistics
// are fixed:
//
//	BatchNormInference(Conv2D(x, w) [+ bias]) → Conv2D(x, w·scale) + ((bias − mean)·scale + beta)
//
// An engine that is a Keeper makes the new weights once; one that is a Folder says where to make them in every run pays.
func foldNorms(p *program, e Engine) {
	_, keeps := e.(Keeper)
	folder, folds := e.(Folder)
	if !keeps && !folds {
		return
	}
	r, f := newRewriter(p), newFixity(p)
	for _, s := range p.steps {
		channel, filterAxis, kind, ok := productOf(s)
		if !ok || !e.Fuses(kind, s.Out[0].Dtype) || !e.Fuses((&FoldNorm{}).Kind(), s.Out[0].Dtype) || !f.fixed(s.In[1]) {
			continue
		}
		if !keeps && !folder.Folds(s.In[1].Len(), s.Out[0].Len()) {
			continue
		}
		in, last, parts := []*Value{s.In[1]}, s, []*Step{s}
		var bias *Value
		if b := r.only(s.Out[0]); b != nil && isBias(b, s.Out[0], channel) {
			bias, last, parts = b.In[1], b, append(parts, b)
		}
		norm := r.only(last.Out[0])
		if norm == nil || norm.In[0] != last.Out[0] {
			continue
		}
		o, ok := norm.Instr.(*op.BatchNormInference)
		if !ok || axisOf(o.Axis, norm.Out[0].Shape) != channel {
			continue
		}
		in = append(in, norm.In[1:]...)
		if bias != nil {
			in = append(in, bias)
		}
		if !allFixed(f, in) {
			continue
		}
		w := p.newValue(s.In[1].Name+" (folded)", s.In[1].Shape, s.In[1].Dtype, nil)
		shift := p.newValue(norm.In[2].Name+" (folded)", norm.In[2].Shape, norm.In[2].Dtype, nil)
		r.before[s] = &Step{Instr: &FoldNorm{Axis: filterAxis, Epsilon: o.Epsilon}, In: in, Out: []*Value{w, shift}, rank: s.rank}
		r.replace(&Step{Instr: s.Instr, In: []*Value{s.In[0], w}, Out: s.Out}, s)
		r.replace(&Step{Instr: &op.BiasAdd{Axis: channel}, In: []*Value{s.Out[0], shift}, Out: norm.Out}, norm, parts[1:]...)
	}
	r.finish()
}

// productOf says along which axis of its result a convolution or a matrix product has its filters or columns, along which axis of its
// weights, and what kind it is fused to.
func productOf(s *Step) (axis, weightAxis int, kind string, ok bool) {
	switch o := s.Instr.(type) {
	case *op.Conv2D:
		_, _, axis = o.Format.Axes()
		return axis, 3, (&FusedConv2D{}).Kind(), true
	case *op.MatMul:
		weightAxis = 1
		if o.TransB {
			weightAxis = 0
		}
		return 1, weightAxis, (&FusedMatMul{}).Kind(), true
	}
	return 0, 0, "", false
}

func allFixed(f *fixity, vs []*Value) bool {
	for _, v := range vs {
		if !f.fixed(v) {
			return false
		}
	}
	return true
}
