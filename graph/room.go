package graph

import (
	"cmp"
	"slices"
)

// Room is where a program may keep what no run needs after it: the values of the arena, and working memory of its steps.
type Room struct {
	Offsets []int // of values of the arena that own memory, by Value.ID
	Work    []int // offsets of the steps' working memory
	Bytes   int   // of all
	// Least is what lives at the fullest step. No arrangement takes less.
	Least int
}

// Room arranges the values of the arena anew, together with so many bytes of working memory for each step, which is in use while the step
// runs: an engine that knows what its kernels and libraries need has it where no value lives at the time, instead of behind the arena. Steps that
// run beside others must run one after the other: their working memory may overlap. Several orders are tried, of which the best
// is taken; the plan's own arrangement, with the working memory in its gaps and behind it, is one of them.
func (p *Plan) Room(work []int) *Room {
	tenants := p.tenants(work)
	load := crowds(tenants)
	least := slices.Max(load)
	for _, t := range tenants {
		t.crowd = slices.Max(load[t.born : t.dies+1])
	}
	bySize := func(a, b *tenant) int { return cmp.Compare(b.need, a.need) }
	byArea := func(a, b *tenant) int {
		return cmp.Or(cmp.Compare(b.need*(b.dies-b.born+1), a.need*(a.dies-a.born+1)), bySize(a, b))
	}
	byCrowd := func(a, b *tenant) int { return cmp.Or(cmp.Compare(b.crowd, a.crowd), bySize(a, b)) }
	byLength := func(a, b *tenant) int { return cmp.Or(cmp.Compare(b.dies-b.born, a.dies-a.born), bySize(a, b)) }
	planned := func(a, b *tenant) int { return cmp.Or(cmp.Compare(b.fixed(), a.fixed()), bySize(a, b)) } // first those with a place
	best := &Room{Bytes: -1, Least: least}
	for _, by := range []func(a, b *tenant) int{planned, bySize, byCrowd, byArea, byLength} {
		order := slices.Clone(tenants)
		slices.SortStableFunc(order, by)
		if r := p.settle(order, len(work)); best.Bytes < 0 || r.Bytes < best.Bytes {
			r.Least = least
			best = r
		}
		if best.Bytes < least+roomAlign {
			break
		}
		for _, t := range tenants {
			t.planned = false // by the first order alone
		}
	}
	return best
}

// crowds is what lives at every step.
func crowds(tenants []*tenant) []int {
	end := 0
	for _, t := range tenants {
		end = max(end, t.dies)
	}
	load, beside := make([]int, end+2), make([]int, end+2)
	for _, t := range tenants {
		if t.beside { // one of them runs at a time
			for i := t.born; i <= t.dies; i++ {
				beside[i] = max(beside[i], t.bytes)
			}
			continue
		}
		load[t.born] += t.bytes
		load[t.dies+1] -= t.bytes
	}
	for i := range load {
		if i > 0 {
			load[i] += load[i-1]
		}
	}
	for i := range load {
		load[i] += beside[i]
	}
	return load
}

// tenant is a value or the working memory of a step, during its life.
type tenant struct {
	life    // v is nil for working memory
	bytes   int
	need    int  // bytes, rounded up
	crowd   int  // bytes that live at the fullest step of its life
	step    int  // of working memory
	beside  bool // working memory of a step beside others
	planned bool // a value that has its place in the plan
}

func (t *tenant) fixed() int {
	if t.planned {
		return 1
	}
	return 0
}

// tenants lists what is to be arranged.
func (p *Plan) tenants(work []int) (all []*tenant) {
	add := func(l life, bytes int, t tenant) {
		if bytes <= 0 {
			return
		}
		t.life, t.bytes, t.need = l, bytes, (bytes+roomAlign-1)/roomAlign*roomAlign
		all = append(all, &t)
	}
	made := map[*Value]bool{}
	for _, l := range lifetimes(p.Steps, p.Assigns) {
		made[l.v] = true
		add(l, l.v.StoredBytes(), tenant{planned: true})
	}
	for _, v := range p.Values { // what no step makes, in plans made by hand, is always there
		if v.Alias == nil && v.Where == Arena && !made[v] {
			add(life{v, 0, len(p.Steps)}, v.StoredBytes(), tenant{planned: true})
		}
	}
	for i, bytes := range work {
		add(life{nil, i, stepEnd(p.Steps, i)}, bytes, tenant{step: i, beside: p.Steps[i].Beside > 0})
	}
	return all
}

// roomAlign is what libraries want of working memory at least.
const roomAlign = 256

// settle gives each tenant the lowest place that is free during its life, in turn.
func (p *Plan) settle(order []*tenant, steps int) *Room {
	r := &Room{Offsets: make([]int, len(p.Values)), Work: make([]int, steps)}
	work := 0
	others, beside := &blocks{work: &work}, &blocks{work: &work} // beside: working memory of steps beside others
	for _, t := range order {
		at := 0
		switch {
		case t.planned:
			at = t.v.Offset
		case t.beside:
			at = others.lowest(t.life, t.need, 0)
		default:
			for here, there := others, beside; ; here, there = there, here {
				next := here.lowest(t.life, t.need, at)
				if next == at && at == there.lowest(t.life, t.need, at) {
					break
				}
				at = next
			}
		}
		end := at + t.need
		if t.planned {
			end = (at + t.bytes + roomAlign - 1) / roomAlign * roomAlign
		}
		if t.beside {
			beside.insert(t.life, at, end)
		} else {
			others.insert(t.life, at, end)
		}
		if t.v != nil {
			r.Offsets[t.v.ID] = at
		} else {
			r.Work[t.step] = at
		}
		r.Bytes = max(r.Bytes, end)
	}
	r.Bytes = (r.Bytes + roomAlign - 1) / roomAlign * roomAlign
	return r
}
