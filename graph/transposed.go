package graph

import "gorgonia.org/tensor"

// Transposer is an [Engine] that can keep the gradient of a filter in memory as a library writes it, filters first. It is optional.
type Transposer interface {
	// Transposes says which inputs and results of a step the engine can read and write with their last axis first: (n, …) where the value's
	// shape is (…, n). A slice may be shorter than the step's list: there is no more that can. No result of the step is in the memory of such
	// an input.
	Transposes(s *Step) (in, out []bool)
}

// transpose decides which values of the arena are kept with their last axis first: all steps that touch their memory must be able to.
func transpose(p *program, e Engine) {
	t, ok := e.(Transposer)
	if !ok {
		return
	}
	can, cannot := map[*Value]bool{}, map[*Value]bool{}
	touch := func(list []*Value, able []bool) {
		for i, v := range list {
			if i >= len(able) || !able[i] || v.Alias != nil || v.Dtype != tensor.Float32 || len(v.Shape) < 2 || v.Where == External || v.lasts {
				cannot[v.Root()] = true
			} else {
				can[v] = true
			}
		}
	}
	for _, s := range p.steps {
		in, out := t.Transposes(s)
		touch(s.In, in)
		touch(s.Out, out)
	}
	for _, a := range p.assigns {
		cannot[a.New.Root()], cannot[a.Target.Root()] = true, true
	}
	for _, v := range p.kept {
		cannot[v.Root()] = true
	}
	for v := range can {
		v.Transposed = !cannot[v]
	}
}
