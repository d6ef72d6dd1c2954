//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// fewCase is a convolution of images of few channels, for the kernels on tensor cores.
type fewCase struct {
	x, w tensor.Shape
	a    op.ConvAttrs
}

func (c fewCase) String() string {
	return fmt.Sprintf("%s with %s, strides %v, %+v", shape.Format(c.x), shape.Format(c.w), c.a.Strides, c.a.Padding)
}

func fewCases() []fewCase {
	same := shape.Padding{Mode: shape.Same}
	around := func(n int) shape.Padding {
		return shape.Padding{Mode: shape.Explicit, Top: n, Bottom: n, Left: n, Right: n}
	}
	strided := func(h, w int, p shape.Padding) op.ConvAttrs { return op.ConvAttrs{Strides: [2]int{h, w}, Padding: p} }
	all := []fewCase{
		{tensor.Shape{2, 32, 32, 3}, tensor.Shape{3, 3, 3, 64}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{2, 32, 32, 3}, tensor.Shape{3, 3, 3, 16}, op.ConvAttrs{}},
		{tensor.Shape{2, 32, 32, 3}, tensor.Shape{7, 7, 3, 64}, strided(2, 2, around(3))},
		{tensor.Shape{1, 43, 47, 3}, tensor.Shape{11, 11, 3, 96}, strided(4, 4, shape.Padding{})},
		{tensor.Shape{3, 28, 28, 1}, tensor.Shape{5, 5, 1, 8}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{1, 1, 1, 3}, tensor.Shape{3, 3, 3, 8}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{1, 40, 16, 4}, tensor.Shape{3, 3, 4, 32}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{2, 9, 70, 2}, tensor.Shape{3, 5, 2, 24}, strided(1, 2, shape.Padding{Mode: shape.Explicit, Top: 2, Left: 1, Right: 3})},
		{tensor.Shape{5, 7, 5, 1}, tensor.Shape{2, 4, 1, 40}, strided(3, 1, shape.Padding{Mode: shape.Explicit, Bottom: 4, Right: 5})},
		{tensor.Shape{2, 12, 11, 7}, tensor.Shape{3, 2, 7, 56}, strided(2, 3, same)},
		{tensor.Shape{1, 20, 20, 3}, tensor.Shape{6, 6, 3, 80}, strided(3, 3, same)},
		{tensor.Shape{4, 6, 8, 5}, tensor.Shape{3, 3, 5, 128}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{1, 12, 8, 3}, tensor.Shape{3, 3, 3, 8}, strided(1, 1, around(5))}, // results of padding alone
		{tensor.Shape{130, 3, 3, 1}, tensor.Shape{1, 3, 1, 16}, op.ConvAttrs{Padding: same}},
		{tensor.Shape{60, 4, 4, 6}, tensor.Shape{3, 3, 6, 16}, op.ConvAttrs{Padding: same}}, // work for one warp, from patches of all
	}
	return all
}

// sides of a convolution: x and y lie in memory as bfloat16, or float32.
func fewSides() []sides { return []sides{{in: true, out: true}, {}, {in: true}, {out: true}} }

func fewTolerance(k numtest.Kind) numtest.Tolerance {
	tol := numtest.Tol(tensor.Float32, k)
	tol.Rel += 0x1p-8 // results are rounded to bfloat16; what is read is so already
	return tol
}

// weights are numbers that bfloat16 holds.
func (s sides) weights(name string, dims ...int) *gorgonia.Node {
	s.in = false
	return s.input(name, dims...)
}

func TestConvolutionsOfFewChannels(t *testing.T) {
	e := &eager{Engine: open(t, cuda.Config{Precision: "bf16"})}
	for i, c := range fewCases() {
		for k, s := range fewSides() {
			if testing.Short() && k != i%4 && k != (i+1)%4 {
				continue
			}
			narrow := 0
			for _, n := range []bool{s.in, s.out} {
				if n {
					narrow++
				}
			}
			for _, pass := range c.passes(t) {
				t.Run(fmt.Sprintf("%s/%s, narrow images %v, results %v", pass.kind, c, s.in, s.out), func(t *testing.T) {
					t.Setenv("STHENO_SIM_ORDER", []string{"reverse", "", "random"}[(i+k)%3]) // who runs first, on a simulated GPU
					enginetest.Case{Name: pass.kind, Build: func(b *enginetest.B) {
						s.b = b
						s.want(pass.build(s))
					}}.RequireCloseTo(t, e, fewTolerance, tensor.Float32)
					require.Equal(t, narrow, e.narrow[pass.kind], "of operands and results, so many are bfloat16")
				})
			}
		}
	}
}

type fewPass struct {
	kind  string
	build func(s sides) *gorgonia.Node
}

// passes are the convolution, the same with bias and ReLU, and the gradient of the filter.
func (c fewCase) passes(t *testing.T) []fewPass {
	g, err := c.a.Geometry(c.x, c.w)
	require.NoError(t, err)
	return []fewPass{
		{"Conv2D", func(s sides) *gorgonia.Node {
			return s.b.Apply(&op.Conv2D{ConvAttrs: c.a}, s.input("x", c.x...), s.weights("w", c.w...))
		}},
		{"FusedConv2D", func(s sides) *gorgonia.Node {
			z := s.b.Apply(&op.Conv2D{ConvAttrs: c.a}, s.input("x", c.x...), s.weights("w", c.w...))
			return s.b.Apply(&op.ReLU{}, s.b.Apply(&op.BiasAdd{Axis: 3}, z, s.b.Input("bias", c.w[3])))
		}},
		{"Conv2DBackwardFilter", func(s sides) *gorgonia.Node {
			grad := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: c.w}
			x := s.input("x", c.x...)
			s.in = s.out
			return s.b.Apply(grad, x, s.input("dy", g.Output()...))
		}},
	}
}

// Factors that tf32 holds too give sums that differ by their order alone.
func TestConvolutionsOfFewChannelsInTF32(t *testing.T) {
	e := open(t, cuda.Config{Precision: "tf32"})
	for i, c := range fewCases() {
		if testing.Short() && i%2 == 0 && i > 4 {
			continue
		}
		for _, pass := range c.passes(t) {
			t.Run(fmt.Sprintf("%s/%s", pass.kind, c), func(t *testing.T) {
				enginetest.Case{Name: pass.kind, Build: func(b *enginetest.B) {
					s := sides{b: b}
					s.want(pass.build(s))
				}}.RequireClose(t, e, tensor.Float32)
			})
		}
	}
}

// Gradients are sums in a fixed order: the same bits, whoever runs first.
func TestFewChannelsRepeatThemselves(t *testing.T) {
	e := open(t, cuda.Config{Precision: "bf16"})
	c := fewCases()[0]
	run := func() []float32 {
		b := enginetest.NewB(t, tensor.Float32)
		grad := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: c.w}
		dw := b.Want("dw", numtest.Reduction, b.Apply(grad, b.Input("x", c.x...), b.Input("dy", 2, 32, 32, 64)))
		m := b.Compile(e)
		defer func() { require.NoError(t, m.Close()) }()
		require.NoError(t, m.RunAll())
		v, err := m.Value(dw)
		require.NoError(t, err)
		return slices.Clone(v.Data().([]float32))
	}
	first := run()
	for _, order := range []string{"reverse", "random"} {
		t.Setenv("STHENO_SIM_ORDER", order)
		require.Equal(t, first, run(), order)
	}
}

// A NaN or an infinity reaches the results whose windows it is in, no others: neither through what the kernels read beside a window,
// nor through what they leave out at the end of a tile.
func TestFewChannelsKeepWhatIsNoNumber(t *testing.T) {
	inBF16, inTF32 := open(t, cuda.Config{Precision: "bf16"}), open(t, cuda.Config{Precision: "tf32"})
	for i, c := range fewCases() {
		e := inBF16
		if i%3 == 1 {
			e = inTF32
		}
		images := func(b *enginetest.B, values ...float64) *gorgonia.Node {
			data := make([]float32, op.Len(c.x))
			numtest.FillUniform("x", 1, 2, data)
			for k, v := range values {
				data[(k*len(data)/3+k*5+len(data)/7)%len(data)] = float32(v)
			}
			return b.Filled("x", data, c.x...)
		}
		t.Run(c.String(), func(t *testing.T) {
			for _, k := range []enginetest.Case{
				{Name: "forward", Build: func(b *enginetest.B) {
					y := b.Apply(&op.Conv2D{ConvAttrs: c.a}, images(b, math.NaN(), math.Inf(1), math.Inf(-1)), b.Input("w", c.w...))
					b.Want("y", numtest.Reduction, y)
				}},
				{Name: "rectified", Build: func(b *enginetest.B) {
					y := b.Apply(&op.Conv2D{ConvAttrs: c.a}, images(b, math.NaN(), math.Inf(1), math.Inf(-1)), b.Input("w", c.w...))
					b.Want("y", numtest.Reduction, b.Apply(&op.ReLU{}, y))
				}},
				{Name: "filter", Build: func(b *enginetest.B) {
					g, err := c.a.Geometry(c.x, c.w)
					require.NoError(t, err)
					grad := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: c.w}
					b.Want("dw", numtest.Reduction, b.Apply(grad, images(b, math.Inf(1), math.NaN()), b.Input("dy", g.Output()...)))
				}},
			} {
				k.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
			}
		})
	}
}
