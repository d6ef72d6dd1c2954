package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// lastStage is a convolution of ResNet-50's last stage over images of 32².
func lastStage(t *testing.T, pass string) *graph.Step {
	s := convSteps(t, tensor.Float32, tensor.Shape{64, 1, 1, 512}, tensor.Shape{3, 3, 512, 512}, op.ConvAttrs{Padding: padded4(1)})[pass]
	for _, v := range s.In {
		v.Where, v.Input = graph.External, true
	}
	return narrowed(s)
}

// ways are what a step's Choice offers, by name.
func waysOf(list []Command) map[string][]Command {
	ways := map[string][]Command{}
	for _, w := range list[0].(*Choice).Ways {
		ways[w.Name] = w.List
	}
	return ways
}

// Over images of one pixel a convolution is a product with the middle of its filter.
func TestMiddleOfAFilter(t *testing.T) {
	middle := Part{First: 4, Columns: 1, Row: 3, All: 9}
	const tap = 4 * 512 * 512 // bytes
	for pass, at := range map[string]int{"forward": 0, "input": 0, "filter": 1} {
		s, b := lastStage(t, pass), builderFor(BF16)
		ways := waysOf(commandsOf(t, b, s))
		require.Len(t, ways, 2)
		product := ways["product"][at].(*Either).Try[0].(*Gemm)
		require.Equal(t, 64*512*512, product.M*product.N*product.K, pass)
		conv := Calls(ways["cuDNN"])[0].(*Convolution)
		require.Equal(t, [4]int{1, 1, 0, 0}, [4]int{conv.R, conv.S, conv.Top, conv.Right}, pass)
		if pass == "filter" {
			require.Empty(t, b.Packs)
			require.Equal(t, &Fill{To: Out(0), Bytes: 9 * tap}, ways["product"][0])
			require.Equal(t, Out(0).At(4*tap), product.C)
			last := ways["cuDNN"][len(ways["cuDNN"])-1].(*Launch)
			require.Equal(t, "unpack", last.Name)
			require.Equal(t, 9*16*16, last.Grid.X, "blocks for the taps whose gradient is 0, too")
			continue
		}
		require.Len(t, b.Packs, 1, "one copy of the filter for both ways")
		require.Equal(t, middle, b.Packs[0].Part)
		require.Equal(t, int64(tap/2), b.Packs[0].Bytes())
		require.Equal(t, PackBase, product.B.Base)
	}

	// With all digits the filter is read where it lies.
	s := lastStage(t, "forward")
	s.In[0].Narrow, s.Out[0].Narrow = false, false
	product := waysOf(commandsOf(t, builderFor(FP32), s))["product"][0].(*Either)
	require.Equal(t, In(1).At(4*tap), product.Try[0].(*Gemm).B)
	require.Equal(t, In(1).At(4*tap), product.Else[0].(*Launch).Args[2])
}

// What own kernels read of a filter, and clear of its gradient.
func TestOwnKernelsWithoutIdleTaps(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	half := op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
	const tap = 4 * 8 * 8
	for _, c := range []struct {
		x       tensor.Shape
		a       op.ConvAttrs
		offset  int64
		cleared bool
	}{
		{tensor.Shape{64, 1, 2, 8}, same, 3 * tap, true}, // the middle row
		{tensor.Shape{64, 2, 1, 8}, same, 0, false},      // the middle column: taps between others
		{tensor.Shape{64, 2, 2, 8}, half, 0, false},      // four of nine
		{tensor.Shape{64, 2, 2, 8}, same, 0, false},      // all
		{tensor.Shape{64, 1, 1, 8}, same, 4 * tap, true}, // one
		{tensor.Shape{64, 1, 1, 8}, half, 4 * tap, true}, // one with strides
		{tensor.Shape{64, 1, 2, 8}, half, 3 * tap, true}, // two of the middle row: 1×2 to 1×1
	} {
		g, err := c.a.Geometry(c.x, tensor.Shape{3, 3, 8, 8})
		require.NoError(t, err)
		for pass, w := range map[Pass]Pointer{Forward: In(1), BackwardFilter: Out(0)} {
			of, clear := convolution{pass: pass, dt: tensor.Float32, g: g, w: w}.withoutIdleTaps().alone()
			require.Equal(t, w.At(c.offset), of.w, "%v %v", c.x, c.a)
			require.Equal(t, c.cleared && pass == BackwardFilter, len(clear) > 0, "%v %v", c.x, c.a)
			if !c.cleared {
				require.Equal(t, g, of.g)
				require.False(t, of.part.cut())
			}
			require.Equal(t, g, of.whole())
		}
	}
}
