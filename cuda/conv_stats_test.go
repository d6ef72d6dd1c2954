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
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// waysOfStats are those of a convolution with statistics; "" is what is followed without a measurement.
var waysOfStats = []string{"", "product", "cuDNN", "cuDNN with statistics"}

// Convolutions with the statistics of their results, in all ways, of images that are kept as bfloat16 and of others.
func TestConvolutionStatistics(t *testing.T) {
	needGPU(t)
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	strided, first, grouped := same, same, same
	strided.Strides, first.Format, grouped.Groups = [2]int{2, 2}, shape.NCHW, 2
	for _, precision := range []string{"tf32", "bf16"} {
		for _, way := range waysOfStats {
			cuda.Force(t, way)
			e := open(t, cuda.Config{Precision: precision})
			for name, c := range map[string]struct {
				a    op.ConvAttrs
				x, w tensor.Shape
			}{
				"3×3":            {same, tensor.Shape{2, 9, 7, 8}, tensor.Shape{3, 3, 8, 16}},
				"1×1":            {op.ConvAttrs{}, tensor.Shape{3, 4, 5, 16}, tensor.Shape{1, 1, 16, 24}},
				"strided":        {strided, tensor.Shape{2, 9, 8, 8}, tensor.Shape{3, 3, 8, 8}},
				"few channels":   {strided, tensor.Shape{1, 11, 12, 3}, tensor.Shape{7, 7, 3, 8}},
				"odd":            {same, tensor.Shape{2, 5, 6, 5}, tensor.Shape{3, 2, 5, 7}},
				"groups":         {grouped, tensor.Shape{2, 5, 6, 8}, tensor.Shape{3, 3, 4, 8}},
				"channels first": {first, tensor.Shape{2, 4, 5, 6}, tensor.Shape{3, 3, 4, 8}},
			} {
				if precision == "bf16" && c.a.Format == shape.NCHW {
					continue // images that are not channels last stay float32, and are rounded all the same
				}
				for _, bias := range []bool{false, true} {
					f := &graph.FusedConv2D{Conv: &op.Conv2D{ConvAttrs: c.a}, Bias: bias, Stats: true}
					g, err := c.a.Geometry(c.x, c.w)
					require.NoError(t, err)
					channels := tensor.Shape{g.F}
					n := enginetest.NarrowStep{Instr: f, In: []tensor.Shape{c.x, c.w}, Out: []tensor.Shape{g.Output(), channels, channels}}
					if bias {
						n.In = append(n.In, channels)
					}
					t.Run(fmt.Sprint(precision, " ", way, " ", name, " bias ", bias), func(t *testing.T) {
						n.Require(t, e, false, func(int) bool { return true })
						n.Require(t, e, false, func(i int) bool { return i == len(n.In) }) // the result
					})
				}
			}
		}
	}
}

// shiftedConvolution is a convolution whose results have a mean that is large beside their deviation, and its statistics.
func shiftedConvolution(bias float32) enginetest.Case {
	return enginetest.Case{Name: fmt.Sprint("a bias of ", bias), Build: func(b *enginetest.B) {
		y := b.Apply(&op.Conv2D{}, b.Input("x", 2, 8, 9, 8), b.Input("w", 3, 3, 8, 8))
		y = b.Apply(&op.BiasAdd{Axis: 3}, y, b.Filled("b", slices.Repeat([]float32{bias}, 8), 8))
		mean := b.Apply(&op.BatchMean{Axis: 3}, y)
		b.Want("mean", numtest.Reduction, mean)
		b.Want("variance", numtest.Reduction, b.Apply(&op.BatchVariance{Axis: 3}, y, mean))
	}}
}

// Of sums and sums of squares no digits of the variance would be left here.
func TestConvolutionStatisticsOfLargeMeans(t *testing.T) {
	needGPU(t)
	cuda.Force(t, "cuDNN with statistics")
	e := open(t, cuda.Config{Precision: "tf32"})
	for _, bias := range []float32{0, 50, -10000} {
		c := shiftedConvolution(bias)
		b := enginetest.NewB(t, tensor.Float32)
		c.Build(b)
		p, err := graph.PlanFor(b.G, b.Options(e)...)
		require.NoError(t, err)
		prog, err := e.Build(p)
		require.NoError(t, err)
		names := strings.Join(prog.(graph.KernelTeller).Kernels(), "; ")
		require.NoError(t, prog.Close())
		if !strings.Contains(names, "cuDNN") {
			t.Skip("without cuDNN")
		}
		require.Regexp(t, `cuDNN engine \d+[^+]* \+ stats_of_sums`, names)
		// The rounding of factors moves the variance by some 2⁻¹¹, what is left of y's digits beside the mean by less.
		c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.003} }, tensor.Float32)
	}
}

// In fp32 the statistics are a step of their own.
func TestFP32GathersNoStatistics(t *testing.T) {
	e := open(t, cuda.Config{})
	require.False(t, e.Fuses("FusedConv2DStats", tensor.Float32))
	require.True(t, e.Fuses("FusedConv2D", tensor.Float32))
	require.False(t, open(t, cuda.Config{Precision: "tf32"}).Fuses("FusedConv2DStats", tensor.Float64))
}

// What cuDNN gathers depends on the order in which blocks happen to end, so an engine that is to repeat itself leaves it alone.
func TestDeterministicEnginesGatherNothing(t *testing.T) {
	needGPU(t)
	cuda.Force(t, "cuDNN with statistics")
	cuda.KeepOrder(t)
	kernels := func(c cuda.Config) string {
		e := open(t, c)
		b := enginetest.NewB(t, tensor.Float32)
		y := b.Apply(&op.Conv2D{}, b.Input("x", 2, 7, 7, 64), b.Input("w", 3, 3, 64, 64))
		b.Want("variance", numtest.Reduction, b.Apply(&op.BatchVariance{Axis: 3}, y, b.Apply(&op.BatchMean{Axis: 3}, y)))
		p, err := graph.PlanFor(b.G, b.Options(e)...)
		require.NoError(t, err)
		prog, err := e.Build(p)
		require.NoError(t, err)
		defer func() { require.NoError(t, prog.Close()) }()
		return strings.Join(prog.(graph.KernelTeller).Kernels(), "; ")
	}
	require.NotContains(t, kernels(cuda.Config{Precision: "tf32"}), "stats_of_sums")
	if any := kernels(cuda.Config{Precision: "tf32", Nondeterministic: true}); strings.Contains(any, "cuDNN") {
		require.Contains(t, any, "stats_of_sums")
	}
}
