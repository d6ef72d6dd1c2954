package graph

import "gorgonia.org/tensor"

// Narrower is an [Engine] that can keep float32 values in memory as bfloat16, half as many bytes, and computes with them in float32.
// It is optional.
type Narrower interface {
	// Narrows says which inputs and results of a step the engine can read and write as bfloat16, whatever it does with the others.
	// A slice may be shorter than the step's list: there is no more that can. Gains says that the step is faster for it, as those
	// are that work on images; others only go along.
	Narrows(s *Step) (in, out []bool, gains bool)
}

// narrow decides which values of the arena are kept as bfloat16: all steps that touch their memory must be able to, and one of them
// must gain by it.
func narrow(p *program, e Engine) {
	n, ok := e.(Narrower)
	if !ok {
		return
	}
	wide, gain := map[*Value]bool{}, map[*Value]bool{}
	touch := func(v *Value, can []bool, i int, gains bool) {
		r := v.Root()
		if i >= len(can) || !can[i] || v.Dtype != tensor.Float32 || r.Where == External || r.lasts {
			wide[r] = true
		}
		gain[r] = gain[r] || gains
	}
	for _, s := range p.steps {
		in, out, gains := n.Narrows(s)
		for i, v := range s.In {
			touch(v, in, i, gains)
		}
		for i, v := range s.Out {
			touch(v, out, i, gains)
		}
	}
	for _, a := range p.assigns {
		wide[a.New.Root()], wide[a.Target.Root()] = true, true
	}
	for _, v := range p.kept {
		wide[v.Root()] = true
	}
	for _, v := range p.values {
		r := v.Root()
		v.Narrow = gain[r] && !wide[r]
	}
}
