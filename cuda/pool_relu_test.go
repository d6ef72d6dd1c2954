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
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// poolWays are those of the gradient of a max pooling that a ReLU masks; "" is what is followed without a measurement.
var poolWays = []string{"", "sums apart", "sums on the way"}

// poolCases are poolings as nets have them behind a ReLU, and odd ones.
var poolCases = map[string]struct {
	a op.PoolAttrs
	x tensor.Shape
}{
	"halves":                 {op.PoolAttrs{}, tensor.Shape{3, 8, 6, 16}},
	"halves of odd images":   {op.PoolAttrs{}, tensor.Shape{2, 7, 9, 24}},
	"halves of one pixel":    {op.PoolAttrs{Padding: shape.Padding{Mode: shape.Same}}, tensor.Shape{2, 1, 1, 8}},
	"many channels":          {op.PoolAttrs{}, tensor.Shape{1, 4, 4, 264}},
	"odd channels":           {op.PoolAttrs{}, tensor.Shape{2, 6, 8, 13}},
	"one channel":            {op.PoolAttrs{}, tensor.Shape{2, 6, 8, 1}},
	"many images":            {op.PoolAttrs{}, tensor.Shape{70, 2, 6, 40}},
	"many runs":              {op.PoolAttrs{}, tensor.Shape{40, 8, 8, 64}}, // which several blocks sum
	"many runs that overlap": {op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}}, tensor.Shape{30, 12, 12, 16}},
	"most runs":              {op.PoolAttrs{}, tensor.Shape{64, 32, 32, 64}},
	"overlap":                {op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}}, tensor.Shape{2, 9, 11, 16}},
	"overlap and padding":    {op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}, tensor.Shape{2, 8, 9, 24}},
	"overlap of high images": {op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}, tensor.Shape{4, 40, 3, 12}},
	"stride 1":               {op.PoolAttrs{Pool: [2]int{2, 2}, Strides: [2]int{1, 1}}, tensor.Shape{2, 5, 6, 8}},
	"explicit padding": {op.PoolAttrs{Pool: [2]int{4, 2}, Strides: [2]int{2, 1}, Padding: shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 3, Left: 1}},
		tensor.Shape{1, 9, 10, 8}},
	"far apart":         {op.PoolAttrs{Pool: [2]int{2, 1}, Strides: [2]int{3, 3}}, tensor.Shape{1, 9, 9, 16}},
	"stride 1 of three": {op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{1, 1}, Padding: shape.Padding{Mode: shape.Same}}, tensor.Shape{2, 7, 5, 12}},
	"channels first":    {op.PoolAttrs{Format: shape.NCHW}, tensor.Shape{2, 16, 6, 8}},
}

// tooLarge says of cases that they would take the simulated GPU long.
func tooLarge(name string) bool {
	_, simulated := sim.Live()
	return simulated && name == "most runs"
}

// walked says whether an engine takes the steps of a case as one.
func walked(name string) bool {
	return !slices.Contains([]string{"far apart", "stride 1 of three", "channels first"}, name)
}

// Gradients of max poolings that are masked, with the sums of their channels or without, in all ways, of operands and results that are kept as
// bfloat16 or not. Where the engine would not join the steps, the joined one computes the same.
func TestMaskedPoolGrad(t *testing.T) {
	needGPU(t)
	for _, precision := range []string{"fp32", "bf16"} {
		for _, way := range poolWays {
			cuda.Force(t, way)
			e := open(t, cuda.Config{Precision: precision})
			for name, c := range poolCases {
				if tooLarge(name) {
					continue
				}
				y, err := (&op.MaxPool2D{PoolAttrs: c.a}).Infer([]tensor.Shape{c.x})
				require.NoError(t, err)
				_, _, channel := c.a.Format.Axes()
				for _, bias := range []bool{false, true} {
					if !bias && way != "" {
						continue
					}
					n := enginetest.NarrowStep{Instr: &graph.FusedMaxPool2DGrad{Grad: &op.MaxPool2DGrad{PoolAttrs: c.a}, Bias: bias},
						In: []tensor.Shape{c.x, y, y}, Out: []tensor.Shape{c.x}}
					if bias {
						n.Out = append(n.Out, tensor.Shape{c.x[channel]})
					}
					for kept, narrow := range map[string][]int{"all": {0, 1, 2, 3}, "images": {0, 1}, "the smaller": {1, 2}, "gradients": {2, 3}, "maxima": {1}} {
						if kept != "all" && (precision != "bf16" || name == "most runs") {
							continue // nothing is; it takes long
						}
						t.Run(fmt.Sprintf("%s %q %s sums %t bfloat16 %s", precision, way, name, bias, kept), func(t *testing.T) {
							ran := strings.Join(n.Require(t, e, false, func(i int) bool { return slices.Contains(narrow, i) }), "; ")
							want := []string{"max_pool_grad_relu"}
							switch {
							case !walked(name) && bias:
								want = []string{"bias_grad_relu", "max_pool_grad"}
							case !walked(name):
								want = []string{"relu_grad", "max_pool_grad"}
							case bias && way == "sums on the way":
								want = []string{"max_pool_grad_relu_bias"}
							case bias:
								want = []string{"bias_grad_masked", "max_pool_grad_relu"}
							}
							require.Contains(t, ran, strings.Join(want, " + "))
						})
					}
				}
			}
		}
	}
}

// apartFromPools is an engine whose plans mask apart from the gradients of poolings.
type apartFromPools struct{ *cuda.Engine }

func (apartFromPools) JoinsPoolGrad(*graph.Step) bool { return false }

// eagerApart is an eager one.
type eagerApart struct{ *eager }

func (eagerApart) JoinsPoolGrad(*graph.Step) bool { return false }

// A masked gradient is to the bit that of the steps one by one, also of equal maxima, of zeros of either sign, of numbers that a bfloat16 holds as 0, of
// infinities and of NaN. Sums are exact here: gradients are multiples of 1/8.
func TestMaskedPoolGradIsExact(t *testing.T) { maskedPoolGradIsExact(t, "fp32") }

func TestMaskedPoolGradIsExactInBFloat16(t *testing.T) { maskedPoolGradIsExact(t, "bf16") }

func maskedPoolGradIsExact(t *testing.T, precision string) {
	needGPU(t)
	nan, low, high, zero := float32(math.NaN()), float32(math.Inf(-1)), float32(math.Inf(1)), float32(math.Copysign(0, -1))
	palettes := [][]float32{{0}, {zero, 0}, {low}, {nan, high, -1}, {nan, low, zero, 0, 1, high, -0x1p-130, 0x1p-130, -1}, {0, 0.5, 1}, {-1, 0x1p-134, zero},
		{-1, 0x1.8p-134, 0x1p-149}}
	run := func(t *testing.T, e graph.Engine, c op.PoolAttrs, dims tensor.Shape, bias, in, out, poisoned bool) (dx, db []float32, plan string) {
		b := enginetest.NewB(t, tensor.Float32)
		through := func(o op.Op, name string, data []float32, dims tensor.Shape) *gorgonia.Node {
			x := b.Filled(name, data, dims...)
			if in {
				return b.Apply(o, x)
			}
			return x
		}
		data, state := make([]float32, op.Len(dims)), uint32(1)
		draw := func(n int) int {
			state = state*1664525 + 1013904223
			return int(state>>16) % n
		}
		for i := range data {
			palette := palettes[i*len(palettes)/len(data)]
			data[i] = palette[draw(len(palette))]
		}
		x := through(&op.Scale{Factor: 1}, "x", data, dims)
		y := b.Apply(&op.MaxPool2D{PoolAttrs: c}, x)
		of := make([]float32, op.Len(y.Shape()))
		for i := range of {
			of[i] = float32(draw(33)-16) / 8
			if poisoned && draw(40) == 0 {
				of[i] = nan
			}
		}
		masked := b.Apply(&op.ReLUGrad{}, y,
			through(&op.AvgPool2D{PoolAttrs: op.PoolAttrs{Pool: [2]int{1, 1}}}, "dy", of, y.Shape().Clone())) // no step that would be one with the mask
		g := b.Apply(&op.MaxPool2DGrad{PoolAttrs: c}, x, y, masked)
		if out {
			g = b.Apply(&op.Scale{Factor: 0.5}, g)
		}
		b.Want("dx", numtest.Gradient, g)
		var sums *gorgonia.Node
		if bias {
			sums = b.Want("db", numtest.Gradient, b.Apply(&op.BiasGrad{Axis: 3}, masked))
		}
		m := b.Compile(e)
		defer func() { require.NoError(t, m.Close()) }()
		require.NoError(t, m.RunAll())
		dx = slices.Clone(g.Value().Data().([]float32))
		if bias {
			db = slices.Clone(sums.Value().Data().([]float32))
		}
		return dx, db, m.Plan().String()
	}
	const joined = "ReLUGrad+MaxPool2DGrad("
	e := &eager{Engine: open(t, cuda.Config{Precision: precision})}
	for name, c := range poolCases {
		if !walked(name) || tooLarge(name) {
			continue
		}
		for k, s := range [][2]bool{{false, false}, {true, true}, {true, false}, {false, true}} {
			for _, bias := range []bool{false, true} {
				poisoned := !bias || k%2 == 0
				want, wantSums, plan := run(t, eagerApart{e}, c.a, c.x, bias, s[0], s[1], poisoned)
				require.NotContains(t, plan, joined)
				require.True(t, slices.ContainsFunc(want, func(x float32) bool { return x != 0 }) || name == "halves of one pixel", name)
				for _, way := range poolWays[1:] {
					t.Run(fmt.Sprintf("%s %s narrow %v sums %t %q", precision, name, s, bias, way), func(t *testing.T) {
						cuda.Force(t, way)
						got, sums, plan := run(t, e, c.a, c.x, bias, s[0], s[1], poisoned)
						require.Contains(t, plan, joined)
						requireSameNumbers(t, want, got, "gradient")
						requireSameNumbers(t, wantSums, sums, "sums")
					})
				}
			}
		}
	}
}

// requireSameNumbers wants the same bits, where every NaN is the same. It tells how many are others, and the first: of millions of numbers that
// are not, testify's account would take longer than the test may.
func requireSameNumbers(t *testing.T, want, got []float32, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	others, first := 0, -1
	for i, w := range want {
		if g := got[i]; math.Float32bits(w) != math.Float32bits(g) && (w == w || g == g) {
			if others++; first < 0 {
				first = i
			}
		}
	}
	if others > 0 {
		t.Fatalf("%s: %d of %d numbers are others; the first, number %d, is %v (%#x) and should be %v (%#x)", what, others, len(want), first, got[first],
			math.Float32bits(got[first]), want[first], math.Float32bits(want[first]))
	}
}

// layersWithPools compiles the gradients of layers with a max pooling behind each.
func layersWithPools(t *testing.T, e graph.Engine, a op.PoolAttrs) (m *graph.Machine, gradients []*gorgonia.Node) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("x", 2, 12, 10, 8)
	var of []*gorgonia.Node
	for i, filters := range []int{16, 24} {
		w, bias := b.Input(fmt.Sprint("w", i), 3, 3, x.Shape()[3], filters), b.Input(fmt.Sprint("bias", i), filters)
		of = append(of, w, bias)
		x = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{ConvAttrs: same}, x, w), bias))
		x = b.Apply(&op.MaxPool2D{PoolAttrs: a}, x)
	}
	next := b.Input("next", 3, 3, 24, 8)
	gradients = b.Grads(b.Apply(&op.Conv2D{ConvAttrs: same}, x, next), append(of, next)...)
	m = b.Compile(e)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, gradients
}

// Gradients of layers with poolings are those of the steps one by one.
func TestMaskedPoolGradsOfNets(t *testing.T) {
	needGPU(t)
	for _, a := range []op.PoolAttrs{{}, {Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}} {
		for _, precision := range []string{"fp32", "tf32", "bf16"} {
			run := func(e graph.Engine, joins int) (values [][]float32, kernels string) {
				m, gradients := layersWithPools(t, e, a)
				require.Equal(t, joins, strings.Count(m.Plan().String(), "ReLUGrad+MaxPool2DGrad("))
				require.NoError(t, m.RunAll())
				for _, g := range gradients {
					values = append(values, slices.Clone(g.Value().Data().([]float32)))
				}
				return values, strings.Join(kernelsOf(m), "; ")
			}
			e := &eager{Engine: open(t, cuda.Config{Precision: precision})}
			want, _ := run(eagerApart{e}, 0)
			for _, way := range poolWays {
				t.Run(fmt.Sprintf("%s %v %q", precision, a, way), func(t *testing.T) {
					cuda.Force(t, way)
					got, kernels := run(&eager{Engine: open(t, cuda.Config{Precision: precision})}, 2)
					require.Equal(t, way == "sums on the way", strings.Contains(kernels, "max_pool_grad_relu_bias"), kernels)
					for i := range want { // sums of biases are in another order
						numtest.AssertClose(t, want[i], got[i], numtest.Tol(tensor.Float32, numtest.Gradient), fmt.Sprintf("gradient %d", i))
					}
				})
			}
		}
	}
}

// What is measured is followed, and the ways compute the same of the numbers that they are compared with.
func TestAlternativesOfMaskedPoolGrads(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t)
	for _, precision := range []string{"fp32", "bf16"} {
		t.Setenv(cache.Env, t.TempDir())
		var lines []string
		e, err := cuda.New(cuda.Config{Precision: precision, Tuning: "measure", Log: func(l string) { lines = append(lines, l) }})
		require.NoError(t, err)
		m, _ := layersWithPools(t, e, op.PoolAttrs{})
		require.NoError(t, m.RunAll())
		text := strings.Join(lines, "\n")
		require.Contains(t, text, "measuring")
		require.NotContains(t, text, "is not taken")
		require.Contains(t, strings.Join(kernelsOf(m), "; "), "max_pool_grad_relu")
		require.NoError(t, m.Close())
		require.NoError(t, e.Close())
	}
}
