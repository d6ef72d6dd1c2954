package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// idleCase is a convolution, the kernel that is left of its own, rows × columns taps from tap first on, and the way that all passes are
// computed, where that does not depend on the instruction set.
type idleCase struct {
	convCase
	rows, columns, first int
	all                  string
}

// idleCases are convolutions with taps that meet only padding, and others like them that keep all taps.
func idleCases() []idleCase {
	same := func(groups, strideH, strideW, dilationH, dilationW int) op.ConvAttrs {
		return op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}, Groups: groups, Strides: [2]int{strideH, strideW}, Dilations: [2]int{dilationH, dilationW}}
	}
	wide := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 1, Left: 1, Right: 1}}
	return []idleCase{
		{convCase{1, 5, 7, 6, 3, 3, 9, same(1, 1, 1, 9, 9), ""}, 1, 1, 4, byGemm},               // wider apart than the image: one tap
		{convCase{3, 5, 7, 70, 3, 3, 33, same(1, 1, 1, 9, 9), ""}, 1, 1, 4, byGemm},             // with one product
		{convCase{2, 6, 7, 20, 3, 3, 40, same(1, 1, 1, 9, 2), ""}, 1, 3, 3, ""},                 // a row
		{convCase{1, 1, 21, 5, 3, 3, 7, same(1, 1, 1, 1, 1), ""}, 1, 3, 3, ""},                  // of an image that is one
		{convCase{1, 1, 21, 5, 3, 3, 7, same(1, 1, 1, 1, 1), byRows}, 1, 3, 3, ""},              // read where it lies
		{convCase{2, 2, 11, 9, 5, 3, 17, same(1, 1, 1, 1, 1), ""}, 3, 3, 3, ""},                 // rows in the middle,
		{convCase{2, 2, 11, 9, 5, 3, 17, same(1, 1, 1, 1, 1), byWinograd}, 3, 3, 3, byWinograd}, // which tiles of 4×4 outputs can
		{convCase{2, 5, 9, 20, 3, 3, 17, same(1, 2, 1, 6, 9), ""}, 1, 1, 4, ""},                 // with a step
		{convCase{1, 1, 1, 40, 3, 3, 60, same(2, 1, 1, 1, 1), ""}, 1, 1, 4, byGemm},             // in groups
		{convCase{5, 1, 1, 40, 3, 3, 60, same(2, 1, 1, 1, 1), ""}, 1, 1, 4, byGemm},
		{convCase{3, 2, 2, 40, 3, 3, 36, same(2, 2, 2, 1, 1), ""}, 2, 3, 0, byPatches}, // 2×2 taps are not together, rows are
		{convCase{3, 1, 9, 36, 3, 5, 40, same(2, 1, 2, 1, 1), ""}, 1, 5, 5, byPatches},
		{convCase{2, 1, 20, 5, 3, 3, 6, wide, ""}, 2, 3, 3, ""},                 // more padding above
		{convCase{2, 21, 1, 5, 3, 3, 7, same(1, 1, 1, 1, 1), ""}, 3, 3, 0, ""},  // columns are not together
		{convCase{2, 2, 2, 40, 3, 3, 60, same(1, 1, 1, 1, 1), ""}, 3, 3, 0, ""}, // by tap
		{convCase{2, 1, 1, 40, 3, 3, 60, same(1, 1, 1, 1, 1), ""}, 3, 3, 0, ""},
		{convCase{2, 1, 1, 6, 3, 3, 6, same(6, 1, 1, 1, 1), ""}, 3, 3, 0, byDepth}, // by depth
	}
}

func TestWithoutIdleTaps(t *testing.T) {
	e := Env[float32]{Gemm: gemm.New[float32](cpuid.Best())}
	for _, c := range idleCases() {
		g := c.geometry(t)
		cut, first := e.withoutIdleTaps(g)
		require.Equal(t, [3]int{c.rows, c.columns, c.first * g.C / g.Groups * g.F}, [3]int{cut.H.Kernel, cut.W.Kernel, first}, c)
		require.Equal(t, g.Output(), cut.Output(), c)
		require.NoError(t, checkConv(cut), c)
		kept := map[int]bool{}
		for i := range c.rows * c.columns {
			kept[c.first+i] = true
		}
		idle := idleTaps(g, cut, first)
		require.Len(t, idle, g.H.Kernel*g.W.Kernel-len(kept), c)
		for _, tap := range idle {
			require.False(t, kept[tap], "%v: tap %d", c, tap)
		}
	}
}

// One tap on its own reads the images as they are, in every pass, and a way that is forced is taken if what is left has it.
func TestWayWithoutIdleTaps(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		for _, c := range idleCases() {
			if c.all == "" {
				continue
			}
			force(t, c.convCase)
			forward, err := NewConv2D(e, c.geometry(t), ConvOptions{})
			require.NoError(t, err)
			input, err := NewConv2DBackwardInput(e, c.geometry(t))
			require.NoError(t, err)
			filter, err := NewConv2DBackwardFilter(e, c.geometry(t))
			require.NoError(t, err)
			require.Equal(t, [3]string{c.all, c.all, c.all}, [3]string{forward.Way(), input.Way(), filter.Way()}, c)
		}
	})
}

// What the filter has at idle taps is of no account, be it NaN.
func TestIdleTapsAreNotRead(t *testing.T) {
	products(t, testIdleTapsAreNotRead[float32], testIdleTapsAreNotRead[float64])
}

func testIdleTapsAreNotRead[T Float](t *testing.T) {
	for i, c := range idleCases() {
		g := c.geometry(t)
		if !inShare[T](i) || c.rows*c.columns == g.H.Kernel*g.W.Kernel {
			continue
		}
		force(t, c.convCase)
		withEnv(t, func(t *testing.T, e Env[T]) {
			cut, first := e.withoutIdleTaps(g)
			w := convFilter[T](c.convCase, 2).Data.([]T)
			for _, tap := range idleTaps(g, cut, first) {
				for i := range tapLen(g) {
					w[tap*tapLen(g)+i] = nan[T]()
				}
			}
			for _, o := range []ConvOptions{{}, {Frozen: true}} {
				p, err := frozen[T](t, e, g, o, false)
				require.NoError(t, err)
				p.scratch.SetScratch(make([]T, p.scratch.Workspace()))
				y := make([]T, op.Len(g.Output()))
				p.run([][]T{y}, inputs[T]{convInput[T](c.convCase, 1), {Data: w}, {Data: []T(nil)}, {Data: []T(nil)}})
				for _, v := range y {
					require.True(t, v == v, "%v: NaN", c)
				}
			}
			k, err := NewConv2DBackwardInput(e, g)
			require.NoError(t, err)
			k.SetScratch(make([]T, k.Workspace()))
			dx := make([]T, op.Len(g.Input()))
			k.Run(dx, normal[T](1, g.Output()...).Data.([]T), w)
			for _, v := range dx {
				require.True(t, v == v, "%v: NaN", c)
			}
		})
	}
}
