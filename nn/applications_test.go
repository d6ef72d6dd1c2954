package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestGoldenApplications(t *testing.T) {
	goldenLayers(t, "applications", map[string]Layer{
		"layer scale":         LayerScale{InitValues: 0.1, ProjectionDim: 4},
		"layer scale vectors": LayerScale{InitValues: 0.1},
		"custom scale":        CustomScaleLayer{Scale: 0.17},
		"custom scale one":    CustomScaleLayer{},
	})
}

func TestLayerScaleStartsSmall(t *testing.T) {
	for _, c := range []struct {
		layer LayerScale
		want  float32
	}{{LayerScale{}, 1e-6}, {LayerScale{InitValues: 0.5}, 0.5}} {
		b := NewBuilder("")
		in := b.Input(Shape{2, 3})
		m, err := b.Model(in, b.Add(c.layer, in))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		require.Equal(t, "layer_scale/gamma", m.Weights()[0].Name)
		require.Equal(t, []float32{c.want, c.want, c.want}, m.Weights()[0].Value.Data())
	}
}

// Stochastic depth is a dropout of whole samples, from the same random numbers.
func TestStochasticDepth(t *testing.T) {
	outcome := func(l Layer, training bool) []float64 {
		b := NewBuilder("")
		in := b.Input(Shape{2, 3, 2})
		m, err := b.Model(in, b.Add(l, in))
		require.NoError(t, err)
		g := gorgonia.NewGraph()
		net, err := m.Build(g, BuildConfig{Batch: 40, Training: training, Seed: 3})
		require.NoError(t, err)
		run(t, g, func() { bind(t, net, random(tensor.Float32, 1, 40, 2, 3, 2), 5) })
		return float64s(t, net.Output.Value())
	}
	x := float64s(t, random(tensor.Float32, 1, 40, 2, 3, 2))
	require.Equal(t, x, outcome(StochasticDepth{DropPathRate: 0.4}, false))
	require.Equal(t, x, outcome(StochasticDepth{}, true))
	y := outcome(StochasticDepth{DropPathRate: 0.4}, true)
	require.Equal(t, outcome(Dropout{Rate: 0.4, NoiseShape: []int{0, 1, 1, 1}}, true), y)
	require.NotEqual(t, x, y)
}

func TestGradientsOfApplications(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{3, 4, 2})
	x := b.Add(Conv2D{Filters: 4, Kernel: K(1)}, in)
	y := b.Add(StochasticDepth{DropPathRate: 0.4}, b.Add(LayerScale{InitValues: 0.3}, b.Add(Dense{Units: 4, Activation: GELU}, x)))
	z := b.Add(CustomScaleLayer{Scale: -0.7}, x, y)
	m, err := b.Model(in, b.Add(Dense{Units: 3, Activation: Softmax}, b.Add(Flatten{}, z)))
	require.NoError(t, err)
	checkGradients(t, m, random(tensor.Float64, 1, 5, 3, 4, 2), labelsOf(5, 3), true)
}

func TestApplicationErrors(t *testing.T) {
	for _, c := range []struct {
		layer Layer
		kind  error
		want  string
	}{
		{LayerScale{ProjectionDim: 3}, ErrShape, "ProjectionDim is 3, the last axis of the input has 4"},
		{LayerScale{InitValues: math.NaN()}, ErrArgument, "InitValues must be a finite number"},
		{StochasticDepth{DropPathRate: 1}, ErrArgument, "DropPathRate must be at least 0 and less than 1, is 1"},
		{StochasticDepth{DropPathRate: math.NaN()}, ErrArgument, "DropPathRate must be at least 0"},
		{CustomScaleLayer{}, ErrArgument, "takes at least 2 inputs, got 1"},
	} {
		b := NewBuilder("m")
		b.Add(c.layer, b.Input(Shape{2, 4}))
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
	b := NewBuilder("m")
	in := b.Input(Shape{2, 4})
	b.Add(CustomScaleLayer{Scale: math.Inf(1)}, in, in)
	require.ErrorContains(t, b.Err(), "Scale must be a finite number")
	b = NewBuilder("m")
	in = b.Input(Shape{2, 4})
	b.Add(CustomScaleLayer{Scale: 2}, in, b.Add(Dense{Units: 3}, in))
	require.ErrorIs(t, b.Err(), ErrShape)
}

// A Sequential model is called so as a layer, its input is not shown, and copies stay what they are.
func TestSequential(t *testing.T) {
	row := NewBuilder("row")
	row.Sequential = true
	in := row.Input(Shape{4})
	inner, err := row.Model(in, row.Add(Dense{Units: 3, Name: "second"}, row.Add(Dense{Units: 2, Name: "first"}, in)))
	require.NoError(t, err)
	b := NewBuilder("outer")
	in = b.Input(Shape{4})
	outer, err := b.Model(in, b.Add(inner, in))
	require.NoError(t, err)
	outer, err = outer.Clone(tensor.Float32)
	require.NoError(t, err)
	require.Equal(t, "Sequential", outer.Layers()[1].Class)
	for style, options := range map[SummaryStyle]SummaryOptions{StyleTF24: {}, StyleKeras2: {ExpandNested: true}, StyleKeras3: {ExpandNested: true}} {
		options.Style = style
		var alone, nested strings.Builder
		require.NoError(t, inner.WriteSummary(&alone, SummaryOptions{Style: style}))
		require.NotContains(t, alone.String(), "InputLayer", style)
		require.Contains(t, alone.String(), "first (Dense)")
		require.NoError(t, outer.WriteSummary(&nested, options))
		require.Contains(t, nested.String(), "row (Sequential)")
		require.Equal(t, 1, strings.Count(nested.String(), "InputLayer"), style)
		require.Equal(t, style != StyleTF24, strings.Contains(nested.String(), "second (Dense)"))
	}
	branches := NewBuilder("branches")
	branches.Sequential = true
	in = branches.Input(Shape{4})
	_, err = branches.Model(in, branches.Add(Add{}, in, in))
	require.ErrorIs(t, err, ErrArgument)
	require.ErrorContains(t, err, "must be a row of layers")
}
