package cpu

import "github.com/stheno-ml/stheno/graph"

// Steps that are Once, and what kernels take over of operands that stay the same: after a binding and after Refresh.

// sortPacks notes after which step each operand is taken over: at once, for the next step may use its memory.
func (p *program) sortPacks(packs []pack) {
	made := map[*graph.Value]int{}
	for i, s := range p.plan.Steps {
		if s.Once {
			p.once = i + 1
			for _, v := range s.Out {
				made[v] = i
			}
		}
	}
	p.packs = make([][]pack, p.once+1)
	for _, k := range packs {
		at := p.once // of an input or a constant
		if i, ok := made[origin(k.of, made)]; ok {
			at = i
		}
		p.packs[at] = append(p.packs[at], k)
	}
	p.stale = p.once > 0 || len(packs) > 0
}

// origin follows a view to the value that a step made, or to the end.
func origin(v *graph.Value, made map[*graph.Value]int) *graph.Value {
	for v.Alias != nil {
		if _, ok := made[v]; ok {
			break
		}
		v = v.Alias
	}
	return v
}

// runOnce runs what is run again only when stale.
func (p *program) runOnce(o graph.Observer, at *int) error {
	for i := range p.once {
		if err := p.runSteps(o, at, i, i+1); err != nil {
			return err
		}
		p.take(i)
	}
	p.take(p.once)
	p.stale = false
	return nil
}

// take lets kernels take over what lies ready after a step.
func (p *program) take(step int) {
	for _, k := range p.packs[step] {
		k.run(p.mem)
	}
}
