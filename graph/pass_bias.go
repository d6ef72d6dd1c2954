package graph

import "github.com/stheno-ml/stheno/graph/op"

// fuseBias makes Conv2D [+ BiasAdd] [+ ReLU] and MatMul [+ BiasAdd] [+ ReLU] one step, whose kernel adds the bias and
// clips while the result is still in cache.
func fuseBias(p *program, e Engine) {
	r := newRewriter(p)
	for _, s := range p.steps {
		var kind string
		var channel int
		switch o := s.Instr.(type) {
		case *op.Conv2D:
			kind = (&FusedConv2D{}).Kind()
			_, _, channel = o.Format.Axes()
		case *op.MatMul:
			kind, channel = (&FusedMatMul{}).Kind(), 1
		default:
			continue
		}
		if !e.Fuses(kind, s.Out[0].Dtype) {
			continue
		}
		in, last, parts := s.In, s, []*Step{s}
		bias := r.only(last.Out[0])
		if bias != nil && isBias(bias, last.Out[0], channel) {
			in = append(append([]*Value(nil), in...), bias.In[1])
			last, parts = bias, append(parts, bias)
		} else {
			bias = nil
		}
		relu := r.only(last.Out[0])
		if relu != nil {
			if _, ok := relu.Instr.(*op.ReLU); ok {
				last, parts = relu, append(parts, relu)
			} else {
				relu = nil
			}
		}
		if bias == nil && relu == nil {
			continue
		}
		var instr Instr
		switch o := s.Instr.(type) {
		case *op.Conv2D:
			instr = &FusedConv2D{Conv: o, Bias: bias != nil, ReLU: relu != nil}
		case *op.MatMul:
			instr = &FusedMatMul{MatMul: o, Bias: bias != nil, ReLU: relu != nil}
		}
		r.replace(&Step{Instr: instr, In: in, Out: last.Out}, last, parts...)
	}
	r.finish()
}

func isBias(s *Step, x *Value, channel int) bool {
	b, ok := s.Instr.(*op.BiasAdd)
	return ok && s.In[0] == x && axisOf(b.Axis, x.Shape) == channel
}
