package cpu

import (
	"maps"
	"slices"
	"testing"

	"github.com/stheno-ml/stheno/graph"
)

// VectoredKinds lists vectored.
func VectoredKinds() []string { return slices.Sorted(maps.Keys(vectored)) }

// SliceFrom lets steps be run image by image from so many bytes on, until the test ends.
func SliceFrom(t testing.TB, bytes int) {
	old := sliceFrom
	sliceFrom = bytes
	t.Cleanup(func() { sliceFrom = old })
}

// Stretch is which steps of a plan are run image by image, and how many images there are.
func Stretch(p *graph.Plan) (from, to, images int) {
	s := findStretch(p)
	if s == nil {
		return 0, 0, 0
	}
	return s.from, s.to, s.images
}

// Held is the memory that a program holds for values and as working memory, without what is bound.
func Held(p graph.Program) int { return len(p.(*program).mem.arena) + p.(*program).scratch }

// Arena is the memory that a program holds for values which others than a worker alone write.
func Arena(p graph.Program) int { return len(p.(*program).mem.arena) }

// Break puts f in the place of a step of those that are run image by image, in the kernels of all workers, or in those for the images that are left.
// What it returns mends it.
func Break(p graph.Program, left bool, step int, f func() error) (mend func()) {
	x := p.(*program).slices
	crews := x.alone
	if left {
		crews = []*crew{x.all}
	}
	var old []func(*memory) error
	for _, c := range crews {
		old = append(old, c.steps[step-x.from])
		c.steps[step-x.from] = func(*memory) error { return f() }
	}
	return func() {
		for i, c := range crews {
			c.steps[step-x.from] = old[i]
		}
	}
}

// Poison fills the memory of workers with no numbers, and with all that of the program; it returns how many steps are run image by image.
func Poison(g graph.Program, all bool) int {
	p := g.(*program)
	fill := func(b []byte) {
		for i := range b {
			b[i] = 0xff
		}
	}
	if all {
		fill(p.mem.arena)
	}
	if p.slices == nil {
		return 0
	}
	for _, c := range p.slices.alone {
		fill(c.mem.arena)
	}
	if p.slices.all != nil {
		fill(p.slices.all.mem.arena)
	}
	return p.slices.to - p.slices.from
}
