package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/vmath"
	"github.com/stheno-ml/stheno/graph/ir"
)

// slots says where the values of a loop are. Slots are, in this order: numbers; inputs; results; registers. Of the inputs,
// those that are stretched or have one element have memory in the scratch, as registers have, and the others move along
// their own memory, as results do.
type slots struct {
	plan     *loopPlan
	value    map[int]int // value → slot
	last     map[int]int // value → last step that reads it
	inputs   int         // first slot of each kind
	results  int
	register int
	count    int
	free     []int // registers that hold nothing any more
}

func newSlots(p *loopPlan) *slots {
	s := &slots{plan: p, value: map[int]int{}, last: map[int]int{}}
	s.inputs = len(p.numbers)
	s.results = s.inputs + len(p.inputs)
	s.register = s.results + len(p.results)
	s.count = s.register
	for i := range p.numbers {
		s.value[-1-i] = i
	}
	for i := range p.inputs {
		s.value[i] = s.inputs + i
	}
	for i, step := range p.steps {
		for _, a := range step.args {
			s.last[a] = i
		}
	}
	return s
}

// direct returns which values can be written straight to a result: those that may have an input's memory must not be
// there before all has been read of it.
func (s *slots) direct(over func(result, input int) bool) map[int]int {
	made := map[int]int{}
	for i, step := range s.plan.steps {
		made[step.y] = i
	}
	to := map[int]int{}
	for r, v := range s.plan.results {
		if _, taken := to[v]; taken {
			continue
		}
		safe := true
		for i, kind := range s.plan.inputs {
			if kind == inputFull && over(r, i) {
				last, read := s.last[i]
				safe = safe && (!read || last <= made[v])
			}
		}
		if safe {
			to[v] = r
		}
	}
	return to
}

// release frees the registers of step i's operands that nobody reads afterwards.
func (s *slots) release(i int) {
	for _, a := range s.plan.steps[i].args {
		if slot := s.value[a]; s.last[a] == i && slot >= s.register {
			s.last[a] = -1 // once, also if it is read twice
			s.free = append(s.free, slot)
		}
	}
}

// take returns a free register.
func (s *slots) take() int {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	s.count++
	return s.count - 1
}

// translate writes the code of a plan and returns what an element costs, in those of a simple loop.
func (k *Loop[T]) translate(p *loopPlan, over func(result, input int) bool) (cost int) {
	s := newSlots(p)
	direct := s.direct(over)
	for r, v := range p.results {
		if to, ok := direct[v]; !ok || to != r {
			s.last[v] = len(p.steps)
		}
	}
	o := vmath.For[T](ops[T]().Level())
	for i, step := range p.steps {
		c, price := function(o, step.fn)
		cost += price
		for j, to := range []*int{&c.a, &c.b, &c.c} {
			if j < len(step.args) {
				*to = s.value[step.args[j]]
			}
		}
		s.release(i) // first: the result may take the place of an operand
		if r, ok := direct[step.y]; ok {
			c.d = s.results + r
		} else {
			c.d = s.take()
		}
		s.value[step.y] = c.d
		k.code = append(k.code, c)
	}
	k.stride = make([]uintptr, s.count)
	for i := s.inputs; i < s.count; i++ {
		k.stride[i] = 1
	}
	for i, kind := range p.inputs {
		slot := s.inputs + i
		if kind == inputFull {
			k.full = append(k.full, place{slot, i})
			continue
		}
		k.homes = append(k.homes, slot)
		if p.isNumber(i) && !p.solid(i) {
			k.stride[slot] = 0
		}
		if kind == inputOne {
			k.single = append(k.single, place{slot, i})
		}
	}
	for _, st := range k.spread {
		st.slot = s.inputs + st.input
	}
	for r, v := range p.results {
		if to, ok := direct[v]; ok && to == r {
			k.full = append(k.full, place{s.results + r, -1 - r})
		} else {
			k.copies = append(k.copies, place{s.value[v], r})
		}
	}
	for slot := s.register; slot < s.count; slot++ {
		k.homes = append(k.homes, slot)
	}
	return max(1, cost/4)
}

// isNumber says whether an input is one number throughout a block.
func (p *loopPlan) isNumber(input int) bool {
	if p.inputs[input] == inputOne {
		return true
	}
	for _, s := range p.spread {
		if s.input == input {
			return p.blocks.within && s.inner() == 0
		}
	}
	return false
}

// solid says whether a function of one operand reads an input: those know no strides.
func (p *loopPlan) solid(input int) bool {
	for _, s := range p.steps {
		if len(s.args) == 1 && s.args[0] == input {
			return true
		}
	}
	return false
}

// hold is the function code that hands a value on.
const hold = binaryCode + int(ir.Min)
