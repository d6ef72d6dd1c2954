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
