package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

const (
	tinyProduct = "tiny images as a product"
	tinyRounded = "tiny images as a rounded product"
	tinyCuDNN   = "tiny images by cuDNN"
)

// lastBlock are the steps of VGG-16's last block over images of 32², whose operands are inputs of the plan.
func lastBlock(t *testing.T) map[string]*graph.Step {
	steps := convSteps(t, tensor.Float32, tensor.Shape{512, 2, 2, 512}, tensor.Shape{3, 3, 512, 512}, op.ConvAttrs{Padding: padded4(1)})
	for _, s := range steps {
		for _, v := range s.In {
			v.Where, v.Input = graph.External, true
		}
	}
	return steps
}

// Which ways there are, behind those that there are of larger images.
func TestWaysOfTinyImages(t *testing.T) {
	for pass, s := range lastBlock(t) {
		for _, p := range []Precision{FP32, TF32, BF16} {
			for _, narrow := range []bool{false, true} {
				if narrow && p != BF16 {
					continue
				}
				want := []string{"cuDNN", tinyProduct, tinyCuDNN}
				fused := pass == "bias" || pass == "relu" || pass == "bias+relu"
				switch {
				case pass == "filter" && narrow:
					want[2] = tinyRounded
				case pass == "filter":
					want = want[:2]
				case fused && p == FP32:
					want = []string{apart, "cuDNN", tinyProduct}
				}
				of := s
				if narrow {
					of = narrowed(copyOf(s))
				}
				require.Equal(t, want, namesOf(commandsOf(t, builderFor(p), of)), "%s %s narrow %t", pass, p, narrow)
			}
		}
	}
}

// What is asked of the libraries: 16 pairs of pixels, not 36 products of a tap and a pixel; and of the program: one expanded filter for all.
func TestTinyImagesAreProducts(t *testing.T) {
	steps, b := lastBlock(t), builderFor(BF16)
	forward, input, filter := narrowed(steps["bias+relu"]), narrowed(steps["input"]), narrowed(steps["filter"])
	input.In[1] = forward.In[1]
	const rows, all = 512, 4 * 512

	ways := waysOf(commandsOf(t, b, forward))
	conv := Calls(ways[tinyCuDNN])[0].(*Convolution)
	require.Equal(t, []int{rows, 1, 1, all, all, 1, 1, 1, 1}, []int{conv.N, conv.H, conv.W, conv.C, conv.K, conv.R, conv.S, conv.OH, conv.OW})
	require.True(t, conv.ReLU)
	require.Equal(t, []Base{PackBase, PackBase}, []Base{conv.Filter.Base, conv.Bias.Base})
	require.Len(t, ways[tinyCuDNN], 1, "results and images lie as they should")
	require.Len(t, b.Packs, 3, "the filter as it is and expanded, and the bias of all pixels")
	require.Equal(t, []int64{2 * 9 * 512 * 512, 2 * 16 * 512 * 512, 4 * all},
		[]int64{b.Packs[0].Bytes(), b.Packs[conv.Filter.Index].Bytes(), b.Packs[conv.Bias.Index].Bytes()})
	gemm := Calls(ways[tinyProduct])[0].(*Gemm)
	require.Equal(t, conv.Filter, gemm.B)
	require.Equal(t, []any{rows, all, all, true, *conv.Bias}, []any{gemm.M, gemm.N, gemm.K, gemm.TransB, *gemm.Bias})

	ways = waysOf(commandsOf(t, b, input))
	gemm = Calls(ways[tinyProduct])[0].(*Gemm)
	require.Equal(t, conv.Filter, gemm.B, "shared between the passes")
	require.Equal(t, []any{rows, all, all, false, In(0), Out(0)}, []any{gemm.M, gemm.N, gemm.K, gemm.TransB, gemm.A, gemm.C})
	require.Equal(t, conv.Filter, Calls(ways[tinyCuDNN])[0].(*Convolution).Filter)
	require.Len(t, b.Packs, 3)

	for name, bytes := range map[string]int64{tinyProduct: 4, tinyRounded: 2} {
		list := waysOf(commandsOf(t, b, filter))[name]
		gemm = Calls(list)[0].(*Gemm)
		require.Equal(t, []any{all, all, rows, true, bytes == 2, WorkBase}, []any{gemm.M, gemm.N, gemm.K, gemm.TransA, gemm.RoundedC, gemm.C.Base})
		require.Equal(t, bytes*all*all, gemm.C.End-gemm.C.Offset)
		fold := list[len(list)-1].(*Launch)
		require.Equal(t, []any{"fold_taps", Out(0), gemm.C}, []any{fold.Name, fold.Args[0], fold.Args[1]})
	}

	// A filter that a step computes is expanded by the step.
	for _, v := range forward.In[1:] {
		v.Input = false
	}
	list := waysOf(commandsOf(t, builderFor(BF16), forward))[tinyCuDNN]
	require.Equal(t, []string{"expand", "expand"}, []string{list[0].(*Launch).Name, list[1].(*Launch).Name})
}

// Where there is little to gain, or a zero of the matrix would meet what is no number, there is no such way.
func TestWhatIsNoTinyImage(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	with := func(change func(a *op.ConvAttrs)) op.ConvAttrs { a := same; change(&a); return a }
	for name, c := range map[string]struct {
		tiny bool
		x, w tensor.Shape
		a    op.ConvAttrs
	}{
		"2×2":                {true, tensor.Shape{8, 2, 2, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"odd channels":       {true, tensor.Shape{8, 2, 2, 5}, tensor.Shape{3, 3, 5, 7}, same},
		"1×2":                {true, tensor.Shape{8, 1, 2, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"2×1":                {true, tensor.Shape{8, 2, 1, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"2×2 under 5×5":      {true, tensor.Shape{8, 2, 2, 16}, tensor.Shape{5, 5, 16, 16}, same},
		"1×1":                {false, tensor.Shape{8, 1, 1, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"2×3":                {false, tensor.Shape{8, 2, 3, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"3×3":                {false, tensor.Shape{8, 3, 3, 16}, tensor.Shape{3, 3, 16, 16}, same},
		"4×4 under 5×5":      {false, tensor.Shape{8, 4, 4, 16}, tensor.Shape{5, 5, 16, 16}, same},
		"a window of 2×2":    {false, tensor.Shape{8, 2, 2, 16}, tensor.Shape{2, 2, 16, 16}, same},
		"2×2 to 1×1":         {false, tensor.Shape{8, 2, 2, 16}, tensor.Shape{3, 3, 16, 16}, with(func(a *op.ConvAttrs) { a.Strides = [2]int{2, 2} })},
		"the whole image":    {false, tensor.Shape{8, 2, 2, 16}, tensor.Shape{2, 2, 16, 16}, op.ConvAttrs{}},
		"dilated":            {false, tensor.Shape{8, 2, 2, 16}, tensor.Shape{3, 3, 16, 16}, with(func(a *op.ConvAttrs) { a.Dilations = [2]int{1, 2} })},
		"far apart":          {false, tensor.Shape{8, 4, 1, 16}, tensor.Shape{6, 1, 16, 16}, same}, // no tap from the last pixel to the first
		"groups":             {false, tensor.Shape{8, 2, 2, 16}, tensor.Shape{3, 3, 8, 16}, with(func(a *op.ConvAttrs) { a.Groups = 2 })},
		"channels first":     {false, tensor.Shape{8, 16, 2, 2}, tensor.Shape{3, 3, 16, 16}, with(func(a *op.ConvAttrs) { a.Format = shape.NCHW })},
		"very large filters": {false, tensor.Shape{8, 2, 2, 4096}, tensor.Shape{3, 3, 4096, 4096}, same},
	} {
		for pass, s := range convSteps(t, tensor.Float32, c.x, c.w, c.a) {
			require.Equal(t, c.tiny, slices.Contains(namesOf(commandsOf(t, builderFor(TF32), s)), tinyProduct), "%s %s", name, pass)
		}
		for _, s := range convSteps(t, tensor.Float64, c.x, c.w, c.a) {
			require.NotContains(t, namesOf(commandsOf(t, builderFor(FP32), s)), tinyProduct)
		}
	}
}

// Filters of a kind are packed together, whatever is between them.
func TestPackLaunches(t *testing.T) {
	plain := Packed{Dtype: tensor.Float32, Rounded: true, Taps: 9, Channels: 40, Padded: 40, Filters: 33}
	span := shape.Span{In: 2, Out: 2, Kernel: 3, Stride: 1, Dilation: 1, Before: 1, After: 1}
	expanded := plain
	expanded.Taps, expanded.Pixels = 16, Pixels{span, span}
	wide := expanded
	wide.Rounded = false
	var list []PackedAt
	for i := range 120 {
		at := Address(1000 + i)
		list = append(list, PackedAt{plain, at, at}, PackedAt{expanded, at, at})
	}
	list = append(list, PackedAt{wide, 1, 2})
	var got []string
	for _, r := range PackLaunches(list) {
		got = append(got, fmt.Sprint(r.Name, " ", r.Grid.X))
		size, _, err := sizeOf(r.Source.Text, "Filters")
		require.NoError(t, err)
		require.Equal(t, size, len(r.Args[0].(Bytes)))
		require.LessOrEqual(t, size, mostArguments)
	}
	// Tiles of 360 rows, and of 2 of 40 channels for a pair, each of 2 of the 33 filters.
	require.Equal(t, []string{"pack 2040", "pack 840", "expand 3200", "expand 3200", "expand 1280", "expand 64"}, got)
}
