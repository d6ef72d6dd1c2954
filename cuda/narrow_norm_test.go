//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// Batch norms whose images lie in memory as bfloat16, all of them or some: of channels that packs divide and of others, last and not,
// of one image and of sums that are worth cutting.
func TestNarrowNorms(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	every := func(int) bool { return true }
	shapes := []struct {
		dims []int
		axis int
	}{{[]int{3, 2, 5, 8}, 3}, {[]int{4, 3, 5, 7}, 3}, {[]int{1, 1, 1, 64}, 3}, {[]int{700, 2, 264}, 2}, {[]int{3, 5, 4, 6}, 1}, {[]int{2, 3, 1, 1}, 1},
		{[]int{1, 3, 97, 31}, 1}, {[]int{900, 4}, 1}}
	if testing.Short() {
		shapes = shapes[3:5]
	}
	for _, s := range shapes {
		for _, n := range enginetest.NarrowNorms(s.dims, s.axis) {
			t.Run(fmt.Sprintf("%v of %v", n.Instr, s.dims), func(t *testing.T) {
				n.Require(t, e, false, every)
				n.Require(t, e, true, every)
			})
		}
	}
	// Mixtures: only inputs, only results, every other one.
	for name, some := range map[string]func(n enginetest.NarrowStep, i int) bool{
		"inputs":  func(n enginetest.NarrowStep, i int) bool { return i < len(n.In) },
		"results": func(n enginetest.NarrowStep, i int) bool { return i >= len(n.In) },
		"even":    func(_ enginetest.NarrowStep, i int) bool { return i%2 == 0 },
	} {
		for _, n := range enginetest.NarrowNorms([]int{2, 3, 16}, 2) {
			t.Run(fmt.Sprintf("%v of narrow %s", n.Instr, name), func(t *testing.T) {
				n.Require(t, e, true, func(i int) bool { return some(n, i) })
			})
		}
	}
}

// What is written as bfloat16 and summed on the way counts as it is written, however many blocks sum it.
func TestSumsAreOfWhatIsWritten(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	for _, dims := range [][]int{{600, 16}, {70, 6}, {9000, 8}} {
		enginetest.RequireSumsOfRounded(t, e, dims...)
	}
}

// Layer normalizations whose rows lie in memory as bfloat16: rows that a warp, a few warps or a block hold in registers, of packs and of single
// elements, and one that is read again.
func TestNarrowLayerNorms(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	for _, dims := range [][]int{{5, 3, 8}, {90, 33}, {3, 768}, {2, 5000}} {
		for _, n := range enginetest.NarrowLayerNorms(dims) {
			t.Run(fmt.Sprintf("%v of %v", n.Instr, dims), func(t *testing.T) {
				n.Require(t, e, true, func(int) bool { return true })
				if dims[1] == 33 {
					n.Require(t, e, false, func(int) bool { return true })
					n.Require(t, e, true, func(i int) bool { return i%2 == 0 })
				}
			})
		}
	}
}
