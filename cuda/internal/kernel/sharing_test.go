package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// summingSteps are steps that sum the channels of images, and write some.
func summingSteps(narrow bool, dims ...int) map[string]*graph.Step {
	x := func() *graph.Value {
		v := valueOf(tensor.Float32, dims...)
		v.Narrow = narrow
		return v
	}
	v := valueOf(tensor.Float32, dims[len(dims)-1])
	steps := map[string]*graph.Step{}
	for _, s := range []*graph.Step{
		{Instr: &op.BiasGrad{Axis: -1}, In: []*graph.Value{x()}, Out: []*graph.Value{v}},
		{Instr: &graph.ReLUGradBias{Axis: -1}, In: []*graph.Value{x(), x()}, Out: []*graph.Value{x(), v}},
		{Instr: &op.BatchMean{Axis: -1}, In: []*graph.Value{x()}, Out: []*graph.Value{v}},
		{Instr: &graph.BatchStats{Axis: -1}, In: []*graph.Value{x()}, Out: []*graph.Value{v, v}},
		{Instr: &op.BatchNormGradScale{Axis: -1}, In: []*graph.Value{x(), v, v, x()}, Out: []*graph.Value{v}},
		{Instr: &graph.BatchNormSums{Axis: -1}, In: []*graph.Value{x(), v, v, x()}, Out: []*graph.Value{v, v}},
		{Instr: &graph.BatchNormSums{Axis: -1, ReLU: true}, In: []*graph.Value{x(), v, v, x(), x()}, Out: []*graph.Value{v, v}},
		{Instr: &graph.BatchNormReLUSums{Axis: -1}, In: []*graph.Value{x(), v, v, v, v, x()}, Out: []*graph.Value{v, v}},
		{Instr: &graph.BatchNormJoinSums{Axis: -1}, In: []*graph.Value{x(), v, v, x(), x(), x()}, Out: []*graph.Value{v, v, x()}},
	} {
		steps[s.Instr.String()] = s
	}
	return steps
}

// Sums of large images may be shared in three ways, of which the first is the one of small images; each has parts, counters and memory of its
// own, and the same kernel, compiled for as many blocks on a multiprocessor.
func TestSharings(t *testing.T) {
	for _, narrow := range []bool{false, true} {
		for name, s := range summingSteps(narrow, 512, 16, 16, 64) {
			t.Run(name, func(t *testing.T) {
				b := builderFor(BF16)
				alone := commandsOf(t, b, s)
				require.Len(t, alone, 1, "none is measured where nobody asks")
				first := alone[0].(*Launch)

				b = builderFor(BF16)
				b.Share = ShareBytes
				list := commandsOf(t, b, s)
				require.Len(t, list, 1)
				ways := list[0].(*Choice).Ways
				more := 3
				if strings.HasPrefix(first.Name, "bias") {
					more = 4
				}
				require.Equal(t, []string{"2 blocks", sharing{int64(more), 1}.String(), "2 blocks, 2 waves"}, namesOf(list))
				blocks := first.Grid.X * max(first.Grid.Y, 1)
				require.LessOrEqual(t, blocks, sumBlocks*b.Multiprocessors)
				counters := map[int64]bool{}
				for i, w := range ways {
					require.Len(t, w.List, 1)
					l := w.List[0].(*Launch)
					require.Equal(t, first.Name, l.Name)
					require.Equal(t, i == 1, hasDefine(l.Source, fmt.Sprint("BLOCKS ", more)))
					got := l.Grid.X * max(l.Grid.Y, 1)
					if i == 0 {
						require.Equal(t, []any{first.Source, first.Grid, first.Block, first.Args}, []any{l.Source, l.Grid, l.Block, l.Args})
					} else {
						require.Greater(t, got, 5*blocks/4, w.Name)
						require.LessOrEqual(t, got, 4*b.Multiprocessors, w.Name)
					}
					for _, a := range l.Args {
						if p, ok := a.(Pointer); ok && p.Base == CounterBase {
							require.False(t, counters[p.Offset])
							counters[p.Offset] = true
						}
					}
					require.LessOrEqual(t, w.Work, b.Work())
				}
				require.Len(t, counters, len(ways))
			})
		}
		for name, s := range summingSteps(narrow, 4, 16, 16, 64) {
			b := builderFor(BF16)
			b.Share = ShareBytes
			require.IsType(t, &Launch{}, commandsOf(t, b, s)[0], "%s: it is over before anything is gained", name)
		}
		for name, s := range summingSteps(narrow, 40, 1<<20) { // in one part, however large it is
			b := builderFor(BF16)
			b.Share = ShareBytes
			require.IsType(t, &Launch{}, commandsOf(t, b, s)[0], name)
		}
	}
}

// The sums behind a convolution that is masked are shared in as many ways, with the first way of the convolution alone.
func TestSharingsOfMaskedGradients(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for filter, convolution := range map[int][]string{3: {"cuDNN"}, 1: {"product", "cuDNN"}} {
		for _, bias := range []bool{true, false} {
			s := narrowed(maskedStep(t, tensor.Shape{64, 32, 32, 64}, tensor.Shape{filter, filter, 64, 64}, same, bias))
			b := builderFor(BF16)
			b.Share = ShareBytes
			list := commandsOf(t, b, s)
			want := append(slices.Clone(convolution), maskingWays(bias)...)
			if bias {
				want = append(want, convolution[0]+", 4 blocks", convolution[0]+", 2 blocks, 2 waves")
			}
			require.Equal(t, want, namesOf(list))
			for _, w := range list[0].(*Choice).Ways {
				if _, h, ok := strings.Cut(w.Name, ", "); ok {
					l := w.List[len(w.List)-1].(*Launch)
					require.Equal(t, "bias_grad_relu", l.Name)
					require.Equal(t, h == "4 blocks", hasDefine(l.Source, "BLOCKS 4"))
				}
			}
		}
	}
}
