//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// sharings are the ways to share sums but for the first; those of biases have no "3 blocks", and those of batch norms no "4 blocks".
var sharings = []string{"4 blocks", "3 blocks", "2 blocks, 2 waves"}

// However blocks share sums, they are right, and the same in every run. Other parts make other bits, by which it is seen that they were followed.
func TestSharedSums(t *testing.T) {
	e := open(t, cuda.Config{})
	others := map[string]int{}
	enough := append(slices.Clone(manyBlocks), manyBlock{[]int{1024 * e.Device().Multiprocessors, 3}, 1}) // for more blocks than one wave of any GPU
	for _, c := range enough {
		if testing.Short() && c.dims[0] == 40000 {
			continue
		}
		t.Run(fmt.Sprint(c.dims), func(t *testing.T) {
			first := sumsOfManyBlocks(t, e, c.dims, c.axis)
			for _, way := range sharings {
				t.Run(way, func(t *testing.T) {
					cuda.Force(t, way)
					cuda.ShareAll(t)
					for i, got := range sumsOfManyBlocks(t, e, c.dims, c.axis) {
						bias := i >= 4
						if !enginetest.SameBits(first[i], got) {
							others[fmt.Sprint(way, " of biases: ", bias)]++
						}
					}
				})
			}
		})
	}
	for _, way := range sharings {
		require.Equal(t, way != "3 blocks", others[way+" of biases: true"] > 0, way)
		require.Equal(t, way != "4 blocks", others[way+" of biases: false"] > 0, way)
	}
}

// The same of images that lie in memory as bfloat16, all or some of them, over their operands, too: of channels that packs divide and of
// others, last and not.
func TestSharedSumsOfNarrowImages(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	shapes := []manyBlock{{[]int{1024 * e.Device().Multiprocessors, 24}, 1}, {[]int{5000, 5}, 1}, {[]int{2, 3, 80008}, 1}, {[]int{3, 2, 9001}, 1}}
	if testing.Short() {
		shapes = shapes[:1]
	}
	for _, way := range sharings {
		cuda.Force(t, way)
		cuda.ShareAll(t)
		for _, s := range shapes {
			for _, n := range enginetest.NarrowNorms(s.dims, s.axis) {
				if kind := n.Instr.Kind(); !strings.HasSuffix(kind, "Sums") && kind != "BatchStats" && kind != "BiasGrad" && kind != "ReLUGradBias" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v of %v", way, n.Instr, s.dims), func(t *testing.T) {
					n.Require(t, e, false, func(int) bool { return true })
					n.Require(t, e, true, func(int) bool { return true })
					if !testing.Short() {
						n.Require(t, e, true, func(i int) bool { return i%2 == 0 })
					}
				})
			}
		}
	}
}

// Where ways are measured, sharings are: none makes something else than the first, or not the same in every run.
func TestMeasuredSharings(t *testing.T) {
	cuda.Patient(t)
	cuda.ShareAll(t)
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	var lines []string
	e, err := cuda.New(cuda.Config{Tuning: "measure", Log: func(line string) { lines = append(lines, line) }})
	require.NoError(t, err)
	sumsOfManyBlocks(t, e, []int{5000, 100}, 1)
	text := strings.Join(lines, "\n")
	require.Contains(t, text, "measuring 4 alternatives of inference")
	require.Contains(t, text, " of 4 alternatives another than the first is")
	require.NotContains(t, text, "is not taken")
	require.NoError(t, e.Close())
}

// Small sums have one way, which is not measured.
func TestSmallSumsAreNotMeasured(t *testing.T) {
	needSimulator(t)
	t.Setenv(cache.Env, t.TempDir())
	var lines []string
	e, err := cuda.New(cuda.Config{Tuning: "measure", Log: func(line string) { lines = append(lines, line) }})
	require.NoError(t, err)
	sumsOfManyBlocks(t, e, []int{5000, 100}, 1)
	require.NotContains(t, strings.Join(lines, "\n"), "alternative")
	require.NoError(t, e.Close())
}

// The sums behind a convolution's input gradient that a ReLU masks are shared in as many ways.
func TestSharedSumsOfMaskedGradients(t *testing.T) {
	cuda.ShareAll(t)
	x, w := tensor.Shape{open(t, cuda.Config{}).Device().Multiprocessors, 64, 64, 8}, tensor.Shape{1, 1, 8, 8}
	n := enginetest.NarrowStep{Instr: &graph.FusedConv2DBackwardInput{Grad: &op.Conv2DBackwardInput{InputShape: x}, Bias: true},
		In: []tensor.Shape{x, w, x}, Out: []tensor.Shape{x, {8}}}
	for _, way := range []string{"product, 4 blocks", "product, 2 blocks, 2 waves"} {
		cuda.Force(t, way)
		for _, precision := range []string{"tf32", "bf16"} {
			t.Run(precision+" "+way, func(t *testing.T) {
				kernels := n.Require(t, open(t, cuda.Config{Precision: precision}), true, func(i int) bool { return i != 1 })
				require.Contains(t, strings.Join(kernels, "; "), "bias_grad_relu")
			})
		}
	}
}
