package graph

// align is the alignment of every value in the arena: a cache line, and the width of an AVX-512 register.
const align = 64

// planMemory decides where each value lives. Inputs, constants and outputs have memory of their own (External);
// everything else is laid into one arena such that values whose lifetimes overlap do not overlap in memory, the
// largest first, each at the lowest offset that is free for its whole life (greedy by size: Pisarchyk & Lee 2020,
// Efficient Memory Management for Deep Neural Net Inference). It returns the size of the arena.
func planMemory(p *program, e Engine) int {
	for _, v := range p.values {
		if v.Alias == nil && (v.Input || v.Const != nil || v.Output) {
			v.Where = External
		}
	}
	reuseInPlace(p, e)
	for _, v := range p.values {
		v.Where = v.Root().Where
	}
	transpose(p, e)
	narrow(p, e)
	return layOut(lifetimes(p.steps, p.assigns), &p.work)
}

// life is the interval of steps, both ends included, during which a value must be kept.
type life struct {
	v          *Value
	born, dies int
}

// lifetimes returns the lives of all arena values that own memory, in the order of birth.
func lifetimes(steps []*Step, assigns []Assign) []life {
	at := map[*Value]int{}
	var lives []life
	for i, s := range steps {
		end := stepEnd(steps, i)
		for _, o := range s.Out {
			r := o.Root()
			if r.Where == External {
				continue
			}
			if _, ok := at[r]; !ok {
				at[r] = len(lives)
				lives = append(lives, life{r, i, i})
			}
			lives[at[r]].dies = max(lives[at[r]].dies, end)
		}
		for _, v := range s.In {
			if k, ok := at[v.Root()]; ok && !s.Takes(v) {
				lives[k].dies = max(lives[k].dies, end)
			}
		}
	}
	for k := range lives {
		if lives[k].v.lasts { // to the end of the run, and into those that follow
			lives[k].dies = len(steps)
		}
	}
	for _, a := range assigns {
		if k, ok := at[a.New.Root()]; ok {
			lives[k].dies = len(steps)
		}
	}
	return lives
}

// reuseInPlace makes results share the memory of an input that dies at the same step, where the engine can do that.
func reuseInPlace(p *program, e Engine) {
	last := map[*Value]int{} // last step that reads or writes the memory
	for i, s := range p.steps {
		for _, v := range s.In {
			if !s.Takes(v) {
				last[v.Root()] = max(last[v.Root()], stepEnd(p.steps, i))
			}
		}
	}
	for _, a := range p.assigns {
		last[a.New.Root()] = len(p.steps)
	}
	for i, s := range p.steps {
		written := map[*Value]bool{}
		for _, o := range s.Out {
			if o.Alias != nil {
				written[o.Root()] = true
			}
		}
		for k, o := range s.Out {
			if o.Alias != nil || o.Where == External {
				continue
			}
			for j, v := range s.In {
				r := v.Root()
				if last[r] != i || r.lasts || r.Where == External || written[r] || r.Bytes() != o.Bytes() || !onlyInput(s, r, j) ||
					!e.InPlace(s.Instr, o.Dtype, k, j) {
					continue
				}
				o.Alias = r
				r.lasts = o.lasts
				written[r] = true
				last[r] = max(last[r], last[o])
				break
			}
		}
	}
}

// onlyInput says that memory r comes into s through input j alone: an operation that reads it twice in different roles
// could see its own results.
func onlyInput(s *Step, r *Value, j int) bool {
	for i, v := range s.In {
		if i != j && v.Root() == r {
			return false
		}
	}
	return true
}
