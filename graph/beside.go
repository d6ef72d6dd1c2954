package graph

// Overlapper is an [Engine] that may run a step at the same time as some that follow it. It is optional.
type Overlapper interface {
	// Beside says how many of the steps that follow a step may begin before it ends. Until then the memory of its operands and
	// results is not used again, which costs memory; the engine sees to it that none of those steps needs the results.
	Beside(s *Step) int
}

// planBeside asks the engine which steps run beside others.
func planBeside(p *program, e Engine) {
	o, ok := e.(Overlapper)
	if !ok {
		return
	}
	for _, s := range p.steps {
		s.Beside = max(o.Beside(s), 0)
	}
}

// stepEnd is the last step during which step i may still run.
func stepEnd(steps []*Step, i int) int { return min(i+steps[i].Beside, len(steps)-1) }

// Grouper is a [Gatherer] and [Overlapper] that has updates run beside the backward pass. It is optional.
type Grouper interface {
	// GroupBytes is how many bytes of parameters make a group: as soon as the gradients of so many are there, the updates that wait for
	// others come, instead of at the end of the plan. 0 means that all come at the end.
	GroupBytes() int
}
