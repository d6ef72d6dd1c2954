package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestGoldenNorms(t *testing.T) {
	mean, variance := []float64{0.5, -0.25, 0.125}, []float64{4, 0.25, 1}
	goldenLayers(t, "norms", map[string]Layer{
		"layer":                LayerNormalization{},
		"layer images":         LayerNormalization{Epsilon: 1e-5},
		"layer axes":           LayerNormalization{Axis: []int{1, 2, 3}},
		"layer axis 1":         LayerNormalization{Axis: []int{1}, NoCenter: true},
		"layer plain":          LayerNormalization{Axis: []int{-2, -1}, NoCenter: true, NoScale: true},
		"rms":                  RMSNormalization{},
		"rms axes":             RMSNormalization{Axis: []int{-2, -1}, Epsilon: 0.01},
		"unit":                 UnitNormalization{},
		"unit axes":            UnitNormalization{Axis: []int{1, 2}},
		"group":                GroupNormalization{},
		"group 2":              GroupNormalization{Groups: 2, Epsilon: 1e-5},
		"group instances":      GroupNormalization{Groups: -1},
		"group one":            GroupNormalization{Groups: 1, NoCenter: true},
		"group vectors":        GroupNormalization{Groups: 3, NoScale: true},
		"group first":          GroupNormalization{Groups: 2},
		"group axis 2":         GroupNormalization{Groups: 2, Axis: 2},
		"normalization":        Normalization{Mean: mean, Variance: []float64{4, 0.25, 0}},
		"normalization one":    Normalization{Mean: []float64{0.5}, Variance: []float64{4}},
		"normalization axis 1": Normalization{Mean: mean, Variance: variance, Axis: 1},
		"normalization invert": Normalization{Mean: mean, Variance: variance, Invert: true},
		"rescaling":            Rescaling{Scale: 0.0078125, Offset: -1},
		"rescaling lists":      Rescaling{Scales: []float64{0.5, 2, -4}, Offsets: []float64{1, 0, 0.25}},
		"rescaling scale":      Rescaling{Scale: 0.125},
	})
}

// Gradients by every weight through normalizations, merges and layers with numbers, against central differences.
func TestGradientsOfNorms(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		b := NewBuilder("")
		in := b.Input(Shape{4, 3, 2})
		x := b.Add(Rescaling{Scale: 2, Offset: 0.25}, in)
		if f == ChannelsFirst {
			x = b.Add(Permute{Dims: []int{3, 1, 2}}, x)
		}
		b.DataFormat = f
		x = b.Add(Normalization{Mean: []float64{0.5, 0.25}, Variance: []float64{2, 3}}, x)
		x = b.Add(Conv2D{Filters: 6, Kernel: K(2), Activation: GELU}, x)
		x = b.Add(LocalResponseNormalization{DepthRadius: 1}, x)
		y := b.Add(GroupNormalization{Groups: 3, GammaRegularizer: L2(0.01)}, x)
		z := b.Add(LayerNormalization{Axis: []int{1, 2, 3}, BetaRegularizer: L2(0.02)}, x)
		channel := b.Add(Reshape{Target: map[DataFormat]Shape{ChannelsLast: {1, 1, 6}, ChannelsFirst: {6, 1, 1}}[f]}, b.Add(GlobalAveragePooling2D{}, x))
		x = b.Add(Concatenate{}, b.Add(Multiply{}, y, channel), b.Add(Average{}, z, y), b.Add(Maximum{}, y, z))
		x = b.Add(PReLU{SharedAxes: []int{1}, AlphaInitializer: Constant{0.3}}, x)
		x = b.Add(Dense{Units: 5, Activation: Mish}, b.Add(RMSNormalization{}, b.Add(Flatten{}, x)))
		x = b.Add(Subtract{}, x, b.Add(UnitNormalization{}, x))
		m, err := b.Model(in, x)
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 2, 4, 3, 2), labelsOf(2, 5), true)
	}
}

// A Normalization whose numbers are weights computes what one with the same numbers does, starts as the identity, and trains neither.
func TestAdaptedNormalization(t *testing.T) {
	mean, variance := []float64{0.5, -0.25}, []float64{4, 0}
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		for _, axis := range []int{0, -1, 1} {
			for _, invert := range []bool{false, true} {
				net := func(l Normalization) *Model {
					b := NewBuilder("")
					b.DataFormat = f
					in := b.Input(Shape{2, 3, 2})
					m, err := b.Model(in, b.Add(l, in))
					require.NoError(t, err)
					return m
				}
				adapted, given := net(Normalization{Axis: axis, Invert: invert}), net(Normalization{Axis: axis, Invert: invert, Mean: mean, Variance: variance})
				total, trainable, fixed := adapted.CountParams()
				require.Equal(t, []int{5, 0, 5}, []int{total, trainable, fixed})
				require.NoError(t, adapted.Initialize(1, tensor.Float32))
				x := random(tensor.Float32, 3, 4, 2, 3, 2)
				require.Equal(t, float64s(t, x), predict(t, adapted, x, true))
				names := []string{}
				for i, w := range adapted.Weights() {
					names = append(names, w.Name)
					require.NoError(t, w.Set([]*tensor.Dense{tensor.New(tensor.WithShape(2), tensor.WithBacking(slices.Clone(mean))),
						tensor.New(tensor.WithShape(2), tensor.WithBacking(slices.Clone(variance))), tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{9}))}[i]))
				}
				require.Equal(t, []string{"normalization/mean", "normalization/variance", "normalization/count"}, names)
				require.NoError(t, given.Initialize(1, tensor.Float32))
				require.Equal(t, predict(t, given, x, false), predict(t, adapted, x, false))
			}
		}
	}
	b := NewBuilder("")
	in := b.Input(Shape{4, 3, 2})
	m, err := b.Model(in, b.Add(Dense{Units: 5}, b.Add(Flatten{}, b.Add(Normalization{}, b.Add(Conv2D{Filters: 2, Kernel: K(2)}, in)))))
	require.NoError(t, err)
	checkGradients(t, m, random(tensor.Float64, 1, 2, 4, 3, 2), labelsOf(2, 5), true)
}

// With nothing to divide by, results and gradients stay numbers.
func TestNormsOfConstants(t *testing.T) {
	for _, l := range []Layer{LayerNormalization{}, RMSNormalization{}, UnitNormalization{}, GroupNormalization{Groups: 2}} {
		b := NewBuilder("")
		in := b.Input(Shape{4})
		m, err := b.Model(in, b.Add(Dense{Units: 2}, b.Add(l, b.Add(Dense{Units: 4, KernelInitializer: Zeros{}}, in))))
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float64))
		tr := newTrainer(t, m, random(tensor.Float64, 1, 3, 4), labelsOf(3, 2), true, true)
		tr.run(t)
		for _, g := range tr.grads {
			for _, v := range float64s(t, g.Value()) {
				require.False(t, math.IsNaN(v), "%T", l)
			}
		}
	}
}

func TestNormErrors(t *testing.T) {
	image, vector := Shape{8, 8, 4}, Shape{10}
	for _, c := range []struct {
		layer Layer
		in    Shape
		kind  error
		want  string
	}{
		{LayerNormalization{Epsilon: -1}, vector, ErrArgument, "Epsilon must not be negative or infinite, is -1"},
		{LayerNormalization{Axis: []int{0}}, vector, ErrArgument, "Axis: 0 is not one of the axes of (None, 10) behind the batch"},
		{LayerNormalization{Axis: []int{3, -1}}, image, ErrArgument, "Axis [3 -1] names axis 3 twice"},
		{RMSNormalization{Axis: []int{4}}, image, ErrArgument, "Axis: 4 is not one of the axes"},
		{UnitNormalization{Axis: []int{2}}, vector, ErrArgument, "Axis: 2 is not one of the axes"},
		{GroupNormalization{}, image, ErrShape, "32 groups want a multiple of 32 channels, input has 4"},
		{GroupNormalization{Groups: -2}, image, ErrArgument, "Groups must not be -2"},
		{GroupNormalization{Groups: 2, Axis: -4}, image, ErrArgument, "Axis: -4 is not one of the axes"},
		{GroupNormalization{Groups: 2, Epsilon: math.NaN()}, image, ErrArgument, "Epsilon must not be negative"},
		{Normalization{Variance: []float64{1}}, image, ErrShape, "Mean wants 4 numbers, or one, has 0"},
		{Normalization{Mean: []float64{1}}, image, ErrShape, "Variance wants 4 numbers, or one, has 0"},
		{Normalization{Axis: 4}, image, ErrArgument, "Axis: 4 is not one of the axes"},
		{Normalization{Mean: []float64{1}, Variance: []float64{1, 2}}, image, ErrShape, "Variance wants 4 numbers, or one, has 2"},
		{Normalization{Mean: []float64{1}, Variance: []float64{-1}}, image, ErrArgument, "Variance must not be negative"},
		{Normalization{Mean: []float64{math.NaN()}, Variance: []float64{1}}, image, ErrArgument, "Mean must be a finite number"},
		{Rescaling{Scales: []float64{1, 2}}, image, ErrShape, "Scales wants 4 numbers, or one, has 2"},
		{Rescaling{Scale: 2, Scales: []float64{1}}, image, ErrArgument, "a single number and a list for the same"},
		{Rescaling{Offset: math.Inf(1)}, image, ErrArgument, "Offset must be a finite number"},
	} {
		b := NewBuilder("m")
		b.Add(c.layer, b.Input(c.in))
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}
