package graph

import "slices"

// dropUnread removes what nobody reads. Capture follows the edges of the graph, and Gorgonia's gradients have edges to more than
// they need: that of a dropout to the values before and behind it, that of a softmax to its logits, that of a slice to the
// whole. Every pass that rewrites steps cleans up behind itself in the same way.
func dropUnread(p *program, _ Engine) { p.dropDead() }

// dropDead removes the steps whose results nobody reads.
func (p *program) dropDead() {
	needed := map[*Value]bool{}
	need := func(v *Value) {
		for ; v != nil; v = v.Alias {
			needed[v] = true
		}
	}
	for _, v := range p.outputs {
		need(v)
	}
	for _, a := range p.assigns {
		need(a.New)
	}
	for _, v := range p.values {
		if v.head {
			need(v)
		}
	}
	for _, s := range slices.Backward(p.steps) {
		if slices.ContainsFunc(s.Out, func(v *Value) bool { return needed[v] }) {
			for _, v := range s.In {
				need(v)
			}
		}
	}
	p.steps = slices.DeleteFunc(p.steps, func(s *Step) bool {
		dead := !slices.ContainsFunc(s.Out, func(v *Value) bool { return needed[v] })
		if dead {
			for _, v := range s.Out {
				delete(p.producer, v)
			}
		}
		return dead
	})
}
