//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// tinyCase is a convolution of images that are smaller than its window.
type tinyCase struct {
	x, w tensor.Shape
	a    op.ConvAttrs
}

func tinyCases() map[string]tinyCase {
	same := shape.Padding{Mode: shape.Same}
	around := func(n int) shape.Padding {
		return shape.Padding{Mode: shape.Explicit, Top: n, Bottom: n, Left: n, Right: n}
	}
	return map[string]tinyCase{
		"1×1":                  {tensor.Shape{3, 1, 1, 16}, tensor.Shape{3, 3, 16, 24}, op.ConvAttrs{Padding: same}},
		"1×1, odd":             {tensor.Shape{2, 1, 1, 5}, tensor.Shape{3, 5, 5, 7}, op.ConvAttrs{Padding: same}},
		"1×1, strided":         {tensor.Shape{2, 1, 1, 8}, tensor.Shape{3, 3, 8, 8}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: around(1)}},
		"1×1 to 3×3":           {tensor.Shape{2, 1, 1, 8}, tensor.Shape{3, 3, 8, 8}, op.ConvAttrs{Padding: around(2)}},
		"2×2 to 1×1":           {tensor.Shape{4, 2, 2, 16}, tensor.Shape{3, 3, 16, 8}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: same}},
		"2×2 to 1×1, centred":  {tensor.Shape{1, 2, 2, 5}, tensor.Shape{3, 3, 5, 9}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: around(1)}},
		"2×2, dilated":         {tensor.Shape{2, 2, 2, 8}, tensor.Shape{3, 3, 8, 16}, op.ConvAttrs{Dilations: [2]int{2, 2}, Padding: same}},
		"2×2, dilated columns": {tensor.Shape{2, 2, 2, 8}, tensor.Shape{3, 3, 8, 16}, op.ConvAttrs{Dilations: [2]int{1, 2}, Padding: same}},
		"2×2, dilated rows":    {tensor.Shape{2, 2, 2, 8}, tensor.Shape{3, 3, 8, 16}, op.ConvAttrs{Dilations: [2]int{2, 1}, Padding: same}},
		"1×2":                  {tensor.Shape{3, 1, 2, 8}, tensor.Shape{3, 3, 8, 16}, op.ConvAttrs{Padding: same}},
		"2×1":                  {tensor.Shape{3, 2, 1, 8}, tensor.Shape{3, 3, 8, 16}, op.ConvAttrs{Padding: same}},
		"2×2":                  {tensor.Shape{5, 2, 2, 16}, tensor.Shape{3, 3, 16, 8}, op.ConvAttrs{Padding: same}},
		"2×2, one image":       {tensor.Shape{1, 2, 2, 8}, tensor.Shape{3, 3, 8, 48}, op.ConvAttrs{Padding: same}},
		"2×2, odd":             {tensor.Shape{3, 2, 2, 5}, tensor.Shape{3, 3, 5, 7}, op.ConvAttrs{Padding: same}},
		"2×2, 5×5":             {tensor.Shape{2, 2, 2, 6}, tensor.Shape{5, 5, 6, 10}, op.ConvAttrs{Padding: same}},
		"groups":               {tensor.Shape{2, 1, 1, 8}, tensor.Shape{3, 3, 4, 8}, op.ConvAttrs{Groups: 2, Padding: same}},
		"depthwise":            {tensor.Shape{2, 1, 2, 8}, tensor.Shape{3, 3, 1, 8}, op.ConvAttrs{Groups: 8, Padding: same}},
		"few channels":         {tensor.Shape{2, 1, 1, 3}, tensor.Shape{3, 3, 3, 8}, op.ConvAttrs{Padding: same}},
		"channels first":       {tensor.Shape{2, 6, 1, 2}, tensor.Shape{3, 3, 6, 8}, op.ConvAttrs{Format: shape.NCHW, Padding: same}},
	}
}

// steps are those of a convolution in a net.
func (c tinyCase) steps(t *testing.T) map[string]enginetest.NarrowStep {
	g, err := c.a.Geometry(c.x, c.w)
	require.NoError(t, err)
	x, w, y, in, out := c.x, c.w, g.Output(), tensor.Shape{g.C}, tensor.Shape{g.F}
	shapes := func(s ...tensor.Shape) []tensor.Shape { return s }
	many, result := x.Clone(), y.Clone() // so that there are variances which rounding leaves alone
	many[0], result[0] = 40, 40
	conv, input := &op.Conv2D{ConvAttrs: c.a}, &op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: c.x}
	return map[string]enginetest.NarrowStep{
		"forward":  {Instr: conv, In: shapes(x, w), Out: shapes(y)},
		"bias":     {Instr: &graph.FusedConv2D{Conv: conv, Bias: true}, In: shapes(x, w, out), Out: shapes(y)},
		"ReLU":     {Instr: &graph.FusedConv2D{Conv: conv, Bias: true, ReLU: true}, In: shapes(x, w, out), Out: shapes(y)},
		"residual": {Instr: &graph.FusedConv2D{Conv: conv, Bias: true, Add: true, ReLU: true}, In: shapes(x, w, out, y), Out: shapes(y)},
		"stats":    {Instr: &graph.FusedConv2D{Conv: conv, Bias: true, Stats: true}, In: shapes(many, w, out), Out: shapes(result, out, out)},
		"input":    {Instr: input, In: shapes(y, w), Out: shapes(x)},
		"mask":     {Instr: &graph.FusedConv2DBackwardInput{Grad: input, Bias: true}, In: shapes(y, w, x), Out: shapes(x, in)},
		"filter":   {Instr: &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: c.w}, In: shapes(x, y), Out: shapes(w)},
	}
}

// tinyWays are those of such a convolution; "" is what is followed without a measurement.
var tinyWays = []string{"", "product", "cuDNN", "cuDNN with residual", "cuDNN with statistics", selectedWay, summedWay, reluGradWay, tinyProduct,
	"tiny images by cuDNN", "tiny images as a rounded product"}

const tinyProduct = "tiny images as a product"

// Convolutions of tiny images, in all steps and ways, with the libraries and without. Results hold NaN before, also where a gradient is 0. On a GPU
// each of these tests is some seconds of compiling, so that they are three.
func TestTinyImages(t *testing.T) {
	everyTinyImage(t, []string{"fp32", "tf32"}, func(enginetest.NarrowStep, int) bool { return true }) // nothing is kept as bfloat16
}

// The same of images that are kept as bfloat16.
func TestTinyImagesOfBFloat16(t *testing.T) {
	everyTinyImage(t, []string{"bf16"}, func(enginetest.NarrowStep, int) bool { return true })
}

// The same of results alone that are kept so.
func TestTinyImagesToBFloat16(t *testing.T) {
	everyTinyImage(t, []string{"bf16"}, func(s enginetest.NarrowStep, i int) bool { return i >= len(s.In) })
}

func everyTinyImage(t *testing.T, precisions []string, narrow func(s enginetest.NarrowStep, i int) bool) {
	needGPU(t)
	for _, precision := range precisions {
		for _, way := range append(slices.Clone(tinyWays), "no cuDNN", "no libraries", tinyProduct+" without libraries") {
			config := cuda.Config{Precision: precision}
			way, without := strings.CutSuffix(way, " without libraries")
			switch {
			case way == "no cuDNN":
				config.Without = []string{"cudnn"}
			case way == "no libraries" || without:
				config.Without = []string{"cudnn", "cublaslt"}
			}
			cuda.Force(t, way)
			e := open(t, config)
			for name, c := range tinyCases() {
				tiny, typical := strings.HasPrefix(way, "tiny"), slices.Contains([]string{"1×1", "2×2 to 1×1", "1×2"}, name)
				switch {
				case way != "" && !tiny && !typical: // the way of any convolution; and cuDNN compiles those with something fused for seconds
					continue
				case precision == "tf32" && name != "1×1" && name != "2×2": // shapes are those of fp32, too
					continue
				case tiny && !expanded[name]: // there is no such way
					continue
				}
				for kind, s := range c.steps(t) {
					if kind == "stats" && precision == "fp32" || precision == "bf16" && c.a.Format == shape.NCHW {
						continue // are not made; stay float32, and are rounded all the same
					}
					if of := map[string]string{"cuDNN with residual": "residual", "cuDNN with statistics": "stats", selectedWay: "mask", summedWay: "mask", reluGradWay: "mask"}[way]; of != "" && of != kind {
						continue
					}
					t.Run(fmt.Sprintf("%s %q %v %s %s", precision, way, config.Without, name, kind), func(t *testing.T) {
						ran := strings.Join(s.Require(t, e, true, func(i int) bool { return narrow(s, i) }), "; ")
						if strings.HasPrefix(way, tinyProduct) {
							require.Equal(t, expanded[name] && kind == "filter", strings.Contains(ran, "fold_taps"), ran)
						}
					})
				}
			}
		}
	}
}

// expanded are the cases whose filters can be.
var expanded = map[string]bool{"1×2": true, "2×1": true, "2×2": true, "2×2, one image": true, "2×2, odd": true, "2×2, 5×5": true,
	"1×1 to 3×3": true}

// Taps that meet nothing but padding are none of what is computed: images of one pixel are multiplied by the middle of the filter, with all that
// hangs on products.
func TestIdleTapsAreNotComputed(t *testing.T) {
	needSimulator(t)
	e := open(t, cuda.Config{Precision: "bf16"})
	all := func(int) bool { return true }
	c := tinyCases()["1×1"]
	for kind, want := range map[string]string{"forward": "cuBLASLt", "input": "cuBLASLt", "filter": "cuBLASLt"} {
		s := c.steps(t)[kind]
		ran := s.Require(t, e, true, all)
		require.Contains(t, strings.Join(ran, "; "), want, kind)
		require.NotContains(t, strings.Join(ran, "; "), "unpack", kind)
	}
}

// A filter that a step computes is rounded from where its part begins, which may be at no multiple of 16 bytes.
func TestPartOfAComputedFilter(t *testing.T) {
	needGPU(t)
	a := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	c := enginetest.Case{Name: "computed", Build: func(b *enginetest.B) {
		x := b.Apply(&op.Conv2D{ConvAttrs: a}, b.Input("x", 3, 4, 1, 5), b.Input("before", 1, 1, 5, 5))
		w := b.Input("w", 1, 3, 5, 7)
		y := b.Apply(&op.Conv2D{ConvAttrs: a}, x, b.Apply(&op.Scale{Factor: 0.5}, w))
		y = b.Apply(&op.Conv2D{ConvAttrs: a}, y, b.Input("behind", 1, 1, 7, 5))
		b.Grads(b.Want("y", numtest.Reduction, y), w)
	}}
	e := open(t, cuda.Config{Precision: "bf16"})
	c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32) // bfloat16 has 8 bits
	b := enginetest.NewB(t, tensor.Float32)
	c.Build(b)
	m := b.Compile(e)
	require.Contains(t, strings.Join(kernelsOf(m), "; "), "to_bfloat16 + cuBLASLt", "else this tests nothing")
	require.NoError(t, m.Close())
}

// What is no number in a tap that meets nothing but padding reaches no result.
func TestIdleTapsMayHoldAnything(t *testing.T) {
	for _, precision := range []string{"fp32", "bf16"} {
		for _, without := range [][]string{nil, {"cudnn", "cublaslt"}} {
			e := open(t, cuda.Config{Precision: precision, Without: without})
			for name, c := range map[string]tinyCase{"1×1": tinyCases()["1×1"], "2×2 to 1×1": tinyCases()["2×2 to 1×1"], "1×2": tinyCases()["1×2"]} {
				g, err := c.a.Geometry(c.x, c.w)
				require.NoError(t, err)
				cut, row, column, ok := g.WithoutIdleTaps()
				require.True(t, ok)
				w := make([]float32, op.Len(c.w))
				numtest.FillUnit("w", 1, w)
				for i := range w {
					tap := i / (g.C * g.F)
					r, s := tap/g.W.Kernel-row, tap%g.W.Kernel-column
					if r < 0 || r >= cut.H.Kernel || s < 0 || s >= cut.W.Kernel {
						w[i] = float32(math.NaN())
					}
				}
				if without != nil && cut.H.Kernel > 1 && cut.W.Kernel < g.W.Kernel {
					continue // taps that do not follow each other: own kernels compute all
				}
				t.Run(fmt.Sprint(precision, without, name), func(t *testing.T) {
					b := enginetest.NewB(t, tensor.Float32)
					filter := b.Filled("w", w, c.w...)
					y := b.Apply(&op.Conv2D{ConvAttrs: c.a}, b.Input("x", c.x...), filter)
					dx := b.Apply(&op.Conv2DBackwardInput{ConvAttrs: c.a, InputShape: c.x}, b.Input("dy", g.Output()...), filter)
					b.Want("y", numtest.Reduction, y)
					b.Want("dx", numtest.Reduction, dx)
					m := b.Compile(e)
					require.NoError(t, m.RunAll())
					for _, n := range []*gorgonia.Node{y, dx} {
						for i, v := range n.Value().Data().([]float32) {
							require.False(t, math.IsNaN(float64(v)), "element %d", i)
						}
					}
					require.NoError(t, m.Close())
				})
			}
		}
	}
}
