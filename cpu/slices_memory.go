package cpu

import (
	"cmp"
	"slices"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
)

// inside is the memory, by its owner, that the steps of a stretch alone read and write.
func (p *program) inside(s *stretch) map[*graph.Value]bool {
	inside := map[*graph.Value]bool{}
	for v := range s.sliced {
		inside[v.Root()] = v.Root().Where == graph.Arena
	}
	for i, step := range p.plan.Steps {
		if i >= s.from && i < s.to {
			continue
		}
		for _, v := range slices.Concat(step.In, step.Out) {
			delete(inside, v.Root())
		}
	}
	return inside
}

// places is where the program's memory has the values of its arena, by owner, if a stretch's own have no part in it, and those that it reads
// or writes by slices live as long as it runs; and how much memory that is.
func (p *program) places(s *stretch) (map[*graph.Value]int, int) {
	inside := p.inside(s)
	var lives []life
	for i, step := range p.plan.Steps {
		for j, v := range slices.Concat(step.In, step.Out) {
			r := v.Root()
			if r.Where != graph.Arena || inside[r] || j < len(step.In) && step.Takes(v) {
				continue
			}
			at := i
			if i >= s.from && i < s.to {
				lives = extend(lives, r, s.from)
				at = s.to - 1
			}
			lives = extend(lives, r, at)
		}
	}
	for i := range lives {
		if l := &lives[i]; l.v.Lasts() {
			l.dies = len(p.plan.Steps)
		}
	}
	return layOut(lives)
}

// sliceValues are a stretch's values for one image.
type sliceValues struct {
	s    *stretch
	made map[*graph.Value]*graph.Value
	of   map[*graph.Value]*graph.Value
}

func newSliceValues(s *stretch) *sliceValues {
	return &sliceValues{s, map[*graph.Value]*graph.Value{}, map[*graph.Value]*graph.Value{}}
}

func (x *sliceValues) isCopy(v *graph.Value) bool { return x.of[v] != nil }

// copy returns the value of one image, with the number of that of all.
func (x *sliceValues) copy(v *graph.Value) *graph.Value {
	if c := x.made[v]; c != nil {
		return c
	}
	c := *v
	c.Shape = v.Shape.Clone()
	if len(c.Shape) > 0 && c.Shape[0] == x.s.images {
		c.Shape[0] = 1
	}
	x.made[v], x.of[&c] = &c, v
	if v.Alias != nil {
		c.Alias = x.copy(v.Alias)
	}
	return &c
}

func (x *sliceValues) step(old *graph.Step) *graph.Step {
	s := &graph.Step{Instr: old.Instr}
	if l, ok := old.Instr.(*ir.Loop); ok && l.Shape != nil {
		one := *l
		one.Shape = l.Shape.Clone()
		if one.Shape[0] == x.s.images {
			one.Shape[0] = 1
		}
		s.Instr = &one
	}
	for _, v := range old.In {
		if x.s.sliced[v] {
			v = x.copy(v)
		}
		s.In = append(s.In, v)
	}
	for _, v := range old.Out {
		s.Out = append(s.Out, x.copy(v))
	}
	return s
}

// life is the steps, both ends included, during which memory is in use.
type life struct {
	v          *graph.Value // that owns it
	born, dies int
}

// extend adds a step to the life of v.
func extend(lives []life, v *graph.Value, step int) []life {
	for i := range lives {
		if l := &lives[i]; l.v == v {
			l.born, l.dies = min(l.born, step), max(l.dies, step)
			return lives
		}
	}
	return append(lives, life{v, step, step})
}

// layOut finds places: the largest value first, each at the lowest place that is free for its whole life.
func layOut(lives []life) (places map[*graph.Value]int, bytes int) {
	lives = slices.Clone(lives)
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Compare(b.v.Bytes(), a.v.Bytes()) })
	places = map[*graph.Value]int{}
	var placed []life // by place
	for _, l := range lives {
		at, size := 0, roundUp(l.v.Bytes())
		for _, o := range placed {
			if o.dies < l.born || l.dies < o.born {
				continue
			}
			if places[o.v] >= at+size {
				break
			}
			at = max(at, places[o.v]+roundUp(o.v.Bytes()))
		}
		places[l.v] = at
		bytes = max(bytes, at+size)
		k, _ := slices.BinarySearchFunc(placed, at, func(o life, at int) int { return cmp.Compare(places[o.v], at) })
		placed = slices.Insert(placed, k, l)
	}
	return places, bytes
}
