package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

var floatTypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// convCases are convolutions of networks, and odd ones.
var convCases = []struct {
	name string
	x, w tensor.Shape
	a    op.ConvAttrs
}{
	{"first layer of ResNet", tensor.Shape{32, 224, 224, 3}, tensor.Shape{7, 7, 3, 64}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 3, Left: 3, Right: 3}}},
	{"3x3", tensor.Shape{32, 56, 56, 64}, tensor.Shape{3, 3, 64, 64}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}},
	{"late 3x3 of one image", tensor.Shape{1, 7, 7, 512}, tensor.Shape{3, 3, 512, 512}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}},
	{"pointwise", tensor.Shape{8, 14, 14, 256}, tensor.Shape{1, 1, 256, 1024}, op.ConvAttrs{}},
	{"pointwise with strides", tensor.Shape{8, 14, 14, 256}, tensor.Shape{1, 1, 256, 512}, op.ConvAttrs{Strides: [2]int{2, 2}}},
	{"depthwise", tensor.Shape{8, 28, 28, 96}, tensor.Shape{3, 3, 1, 96}, op.ConvAttrs{Groups: 96, Padding: shape.Padding{Mode: shape.Same}}},
	{"groups", tensor.Shape{8, 28, 28, 256}, tensor.Shape{3, 3, 8, 256}, op.ConvAttrs{Groups: 32, Padding: shape.Padding{Mode: shape.Same}}},
	{"large groups", tensor.Shape{2, 14, 14, 256}, tensor.Shape{3, 3, 128, 128}, op.ConvAttrs{Groups: 2, Padding: shape.Padding{Mode: shape.Same}}},
	{"odd sizes", tensor.Shape{3, 11, 9, 5}, tensor.Shape{3, 2, 5, 7}, op.ConvAttrs{Strides: [2]int{2, 3}, Dilations: [2]int{2, 1}, Padding: shape.Padding{Mode: shape.Explicit, Top: 2, Left: 1, Right: 3}}},
	{"one pixel", tensor.Shape{1, 1, 1, 1}, tensor.Shape{1, 1, 1, 1}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Explicit, Top: 1}}},
	{"channels first", tensor.Shape{4, 12, 20, 20}, tensor.Shape{3, 3, 12, 24}, op.ConvAttrs{Format: shape.NCHW, Padding: shape.Padding{Mode: shape.Same}}},
	{"channels first, pointwise", tensor.Shape{4, 12, 20, 20}, tensor.Shape{1, 1, 12, 24}, op.ConvAttrs{Format: shape.NCHW}},
}

// convSteps are the passes of a case.
func convSteps(t *testing.T, dt tensor.Dtype, x, w tensor.Shape, a op.ConvAttrs) map[string]*graph.Step {
	g, err := a.Geometry(x, w)
	require.NoError(t, err)
	vx, vw, vy := valueOf(dt, x...), valueOf(dt, w...), valueOf(dt, g.Output()...)
	conv := &op.Conv2D{ConvAttrs: a}
	return map[string]*graph.Step{
		"forward":   stepOf(conv, vy, vx, vw),
		"bias":      stepOf(&graph.FusedConv2D{Conv: conv, Bias: true}, vy, vx, vw, valueOf(dt, g.F)),
		"bias+relu": stepOf(&graph.FusedConv2D{Conv: conv, Bias: true, ReLU: true}, vy, vx, vw, valueOf(dt, g.F)),
		"relu":      stepOf(&graph.FusedConv2D{Conv: conv, ReLU: true}, vy, vx, vw),
		"input":     stepOf(&op.Conv2DBackwardInput{ConvAttrs: a, InputShape: x}, vx, vy, vw),
		"filter":    stepOf(&op.Conv2DBackwardFilter{ConvAttrs: a, FilterShape: w}, vw, vx, vy),
	}
}

func TestConvolutions(t *testing.T) {
	for _, c := range convCases {
		for _, p := range []Precision{FP32, BF16} {
			for _, dt := range floatTypes {
				for pass, s := range convSteps(t, dt, c.x, c.w, c.a) {
					t.Run(c.name+" "+pass+" "+p.String()+" "+dt.String(), func(t *testing.T) {
						b := builderFor(p)
						commands := commandsOf(t, b, s)
						require.Len(t, commands, 1)
						e := eitherOf(commands[0])
						require.NotNil(t, e)
						require.LessOrEqual(t, b.Work(), int64(mostScratch)+4*alignment)
						for _, l := range e.Else {
							source := l.(*Launch).Source
							require.Equal(t, p == BF16 && dt == tensor.Float32 && l.(*Launch).Name != "split_sum", hasDefine(source, "ROUND"))
						}
					})
				}
			}
		}
	}
}

// eitherOf is a command that asks a library, or such a one in the first way of a Choice that has one; nil if there is none.
func eitherOf(c Command) *Either {
	switch c := c.(type) {
	case *Either:
		return c
	case *Choice:
		for _, w := range c.Ways {
			if e := eitherOf(w.List[0]); e != nil {
				return e
			}
		}
	}
	return nil
}

func hasDefine(s Source, name string) bool { return strings.Contains(s.Text, "\n#define "+name+"\n") }

// Copies of the images in the library's order would take more working memory than is given.
func TestLargeChannelsFirstRunsOnOwnKernels(t *testing.T) {
	want := map[string]string{"input": "conv_input", "filter": "conv_filter"}
	for pass, s := range convSteps(t, tensor.Float32, tensor.Shape{64, 64, 224, 224}, tensor.Shape{3, 3, 64, 64}, op.ConvAttrs{Format: shape.NCHW}) {
		b := builderFor(FP32)
		commands := commandsOf(t, b, s)
		name := want[pass]
		if name == "" {
			name = "conv_forward"
		}
		require.Contains(t, commands[0].(*Launch).Name, name, pass)
		require.LessOrEqual(t, b.Work(), int64(mostScratch), pass)
		if name == "conv_forward" {
			require.Zero(t, b.Work(), pass)
		}
	}
}

func TestUncountableConvolutionsRunOnTheHost(t *testing.T) {
	a := op.ConvAttrs{Dilations: [2]int{1 << 24, 1}, Padding: shape.Padding{Mode: shape.Same}}
	for _, s := range convSteps(t, tensor.Float32, tensor.Shape{1, 4, 4, 1}, tensor.Shape{50, 1, 1, 1}, a) {
		commands, err := Commands(builderFor(FP32), s)
		require.NoError(t, err)
		require.Nil(t, commands)
	}
}

func TestProducts(t *testing.T) {
	for _, c := range []struct {
		m, n, k, batch int
		own            string
	}{
		{64, 1000, 2048, 1, "gemm_"},
		{4096, 4096, 4096, 1, "gemm_"},
		{512, 10, 50000, 1, "gemm_"},
		{1, 1000, 4096, 1, "gemm_"},
		{1000, 1, 4096, 1, "gemm_"},
		{1, 1, 1 << 20, 1, "gemm_"},
		{1, 64, 1 << 20, 1, "gemm_"},
		{64, 1, 1 << 20, 1, "gemm_"},
		{3, 5, 4, 6, "gemm_small"},
		{30, 30, 64, 100000, "gemm_small"},
		{200, 200, 64, 70000, "gemm_"},
		{1, 100, 64, 70000, "gemm_"},
		{65, 63, 17, 2, "gemm_"},
		{1, 1, 1, 1, "gemm_small"},
	} {
		for _, transA := range []bool{false, true} {
			for _, transB := range []bool{false, true} {
				for _, dt := range floatTypes {
					for _, s := range productSteps(dt, c.m, c.n, c.k, c.batch, transA, transB) {
						b := builderFor(BF16)
						e := eitherOf(commandsOf(t, b, s)[0])
						require.Contains(t, e.Else[0].(*Launch).Name, c.own)
						require.LessOrEqual(t, b.Work(), int64(mostScratch)+alignment)
					}
				}
			}
		}
	}
}

// productSteps are the steps that compute a product.
func productSteps(dt tensor.Dtype, m, n, k, batch int, transA, transB bool) []*graph.Step {
	a, b := []int{m, k}, []int{k, n}
	if transA {
		a = []int{k, m}
	}
	if transB {
		b = []int{n, k}
	}
	if batch > 1 {
		return []*graph.Step{stepOf(&ir.BatchMatMul{TransA: transA, TransB: transB}, valueOf(dt, batch, m, n),
			valueOf(dt, append([]int{batch}, a...)...), valueOf(dt, append([]int{batch}, b...)...))}
	}
	mul := &op.MatMul{TransA: transA, TransB: transB}
	y, va, vb := valueOf(dt, m, n), valueOf(dt, a...), valueOf(dt, b...)
	return []*graph.Step{
		stepOf(mul, y, va, vb),
		stepOf(&graph.FusedMatMul{MatMul: mul, Bias: true, ReLU: true}, y, va, vb, valueOf(dt, n)),
		stepOf(&graph.FusedMatMul{MatMul: mul, ReLU: true}, y, va, vb),
	}
}

// A product over nothing is zeros, plus bias.
func TestProductsOfNothing(t *testing.T) {
	for _, s := range productSteps(tensor.Float32, 40, 50, 0, 1, false, false) {
		commands := commandsOf(t, builderFor(FP32), s)
		require.IsType(t, &Launch{}, commands[0])
	}
}

// Few tiles and long sums: the sums are cut.
func TestSumsAreCutWhereTilesAreFew(t *testing.T) {
	b := builderFor(FP32)
	c := b.cut(tensor.Float32, 64, 64, 100000, 1, 64*64)
	require.InDelta(t, 2*132, c.parts, 10)
	require.Zero(t, c.depth%tileDepth)
	require.GreaterOrEqual(t, c.depth*c.parts, 100000)
	require.Less(t, c.depth*(c.parts-1), 100000)

	require.Equal(t, 1, b.cut(tensor.Float32, 4096, 4096, 100000, 1, 4096*4096).parts, "tiles enough")
	require.Equal(t, 1, b.cut(tensor.Float32, 64, 64, 100, 1, 64*64).parts, "too short")
	c = b.cut(tensor.Float64, 8000, 64, 1<<20, 1, 8000*64)
	require.LessOrEqual(t, c.parts*8000*64*8, mostScratch)
}
