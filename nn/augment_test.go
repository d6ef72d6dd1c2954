package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

func TestGoldenResizing(t *testing.T) {
	goldenLayers(t, "resizing", map[string]Layer{
		"larger":           Resizing{Height: 5, Width: 9},
		"smaller":          Resizing{Height: 4, Width: 3, Interpolation: Bilinear},
		"one way":          Resizing{Height: 7, Width: 6},
		"to one":           Resizing{Height: 1, Width: 1},
		"from one":         Resizing{Height: 3, Width: 2},
		"first":            Resizing{Height: 3, Width: 6},
		"nearest":          Resizing{Height: 7, Width: 3, Interpolation: Nearest},
		"nearest first":    Resizing{Height: 3, Width: 9, Interpolation: Nearest},
		"ratio high":       Resizing{Height: 3, Width: 2, CropToAspectRatio: true},
		"ratio wide first": Resizing{Height: 4, Width: 5, CropToAspectRatio: true},
		"ratio nearest":    Resizing{Height: 7, Width: 2, CropToAspectRatio: true, Interpolation: Nearest},
		"crop of less":     CenterCrop{Height: 4, Width: 5},
		"crop of a line":   CenterCrop{Height: 5, Width: 2},
		"crop":             CenterCrop{Height: 4, Width: 3},
		"crop rows":        CenterCrop{Height: 3, Width: 3},
		"crop nothing":     CenterCrop{Height: 3, Width: 2},
		"crop first":       CenterCrop{Height: 2, Width: 5},
	})
}

// augmented is what a layer makes of images of 3×4×2 in training, each beside what it was: the same on Gorgonia's machine and on the engine.
// In inference it leaves them alone.
func augmented(t *testing.T, l Layer, format DataFormat, step int) (before, after [][]float64) {
	t.Helper()
	const batch = 64
	shape := tensor.Shape{batch, 3, 4, 2}
	if format == ChannelsFirst {
		shape = tensor.Shape{batch, 2, 3, 4}
	}
	b := NewBuilder("")
	b.DataFormat = format
	in := b.Input(Shape(shape[1:]))
	m, err := b.Model(in, b.Add(l, in))
	require.NoError(t, err)
	x := random(tensor.Float32, 3, shape...)
	for i, v := range x.Data().([]float32) { // 0…1, exactly
		x.Data().([]float32)[i] = float32(math.Round(float64(min(max(v/4+0.5, 0), 1))*64) / 64)
	}
	require.Equal(t, float64s(t, x), predict(t, m, x, false))
	var results [2][]float64
	for i := range results {
		g := gorgonia.NewGraph()
		net, err := m.Build(g, BuildConfig{Batch: batch, Training: true, Seed: 5})
		require.NoError(t, err)
		bind(t, net, x, step)
		if i == 0 {
			run(t, g, func() {})
			results[i] = float64s(t, net.Output.Value())
			continue
		}
		vm, err := graph.Compile(g, graph.WithOutputs(net.Output))
		require.NoError(t, err)
		require.NoError(t, vm.RunAll())
		onEngine(t, vm)
		v, err := vm.Value(net.Output)
		require.NoError(t, err)
		results[i] = float64s(t, v)
		require.NoError(t, vm.Close())
	}
	require.InDeltaSlice(t, results[0], results[1], 1e-6)
	for i := range batch {
		before, after = append(before, float64s(t, x)[24*i:][:24]), append(after, results[1][24*i:][:24])
	}
	return before, after
}

// TestRandomFlip: every image is one of its mirror images, each about as often.
func TestRandomFlip(t *testing.T) {
	for _, format := range []DataFormat{ChannelsLast, ChannelsFirst} {
		at := func(r, c, channel int) int { return (r*4+c)*2 + channel }
		if format == ChannelsFirst {
			at = func(r, c, channel int) int { return (channel*3+r)*4 + c }
		}
		for mode, kinds := range map[string]int{"": 4, FlipBoth: 4, FlipHorizontal: 2, FlipVertical: 2} {
			before, after := augmented(t, RandomFlip{Mode: mode}, format, 1)
			seen := map[[2]bool]int{}
			for i := range before {
				found := false
				for _, how := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
					mirror := make([]float64, 24)
					for r := range 3 {
						for c := range 4 {
							for channel := range 2 {
								from := [2]int{r, c}
								if how[0] {
									from[0] = 2 - r
								}
								if how[1] {
									from[1] = 3 - c
								}
								mirror[at(r, c, channel)] = before[i][at(from[0], from[1], channel)]
							}
						}
					}
					if equal := floatsEqual(mirror, after[i]); equal {
						seen[how]++
						found = true
					}
				}
				require.True(t, found, "image %d is no mirror image", i)
			}
			require.Len(t, seen, kinds, mode)
			for how, n := range seen {
				require.Greater(t, n, 64/kinds/3, how)
				require.False(t, how[0] && mode == FlipHorizontal || how[1] && mode == FlipVertical)
			}
			_, other := augmented(t, RandomFlip{Mode: mode}, format, 2)
			require.NotEqual(t, after, other, "another step")
		}
	}
}

func floatsEqual(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestRandomBrightnessAndContrast: the pixels of an image move by one number, that is drawn from the whole range, and are clipped.
func TestRandomBrightnessAndContrast(t *testing.T) {
	for _, format := range []DataFormat{ChannelsLast, ChannelsFirst} {
		before, after := augmented(t, RandomBrightness{Factor: [2]float64{-0.5, 0.25}, Range: [2]float64{0, 1}}, format, 1)
		least, most, clipped := 1.0, -1.0, 0
		for i := range before {
			shift, found := 0.0, false
			for j, y := range after[i] {
				require.True(t, y >= 0 && y <= 1)
				if y > 0 && y < 1 {
					shift, found = y-before[i][j], true
				} else {
					clipped++
				}
			}
			require.True(t, found)
			least, most = min(least, shift), max(most, shift)
			for j, y := range after[i] {
				require.InDelta(t, min(max(before[i][j]+shift, 0), 1), y, 1e-6)
			}
		}
		require.Positive(t, clipped)
		require.True(t, least >= -0.5 && least < -0.4 && most > 0.2 && most <= 0.25, "%v %v", least, most)

		before, after = augmented(t, RandomContrast{Factor: [2]float64{0.5, 1}, Range: [2]float64{-9, 9}}, format, 1)
		least, most = 9, 0
		for i := range before {
			for channel := range 2 {
				var mean, factor float64
				of := func(j int) int { return 2*j + channel }
				if format == ChannelsFirst {
					of = func(j int) int { return 12*channel + j }
				}
				for j := range 12 {
					mean += before[i][of(j)] / 12
				}
				far := 0
				for j := range 12 {
					if math.Abs(before[i][of(j)]-mean) > math.Abs(before[i][of(far)]-mean) {
						far = j
					}
				}
				factor = (after[i][of(far)] - mean) / (before[i][of(far)] - mean)
				least, most = min(least, factor), max(most, factor)
				for j := range 12 {
					require.InDelta(t, mean+factor*(before[i][of(j)]-mean), after[i][of(j)], 1e-5)
				}
			}
		}
		require.True(t, least > 0.4999 && least < 0.65 && most > 1.85 && most < 2.0001, "%v %v", least, most)
	}
}

// TestAugmentation hands its input on, and is what Keras calls it.
func TestAugmentation(t *testing.T) {
	before, after := augmented(t, Augmentation{Class: "RandomHue"}, ChannelsLast, 1)
	require.Equal(t, before, after)
	b := NewBuilder("")
	in := b.Input(Shape{3, 4, 2})
	m, err := b.Model(in, b.Add(RandomFlip{}, b.Add(Augmentation{Class: "RandomHue"}, in)))
	require.NoError(t, err)
	require.Contains(t, m.Summary(), "random_hue (RandomHue)")
	require.Contains(t, m.Summary(), "random_flip (RandomFlip)")
}

// TestGradientsThroughAugmentation are those of what was drawn.
func TestGradientsThroughAugmentation(t *testing.T) {
	for _, f := range []DataFormat{ChannelsLast, ChannelsFirst} {
		b := NewBuilder("")
		b.DataFormat = f
		in := b.Input(Shape{3, 4, 2})
		x := b.Add(Conv2D{Filters: 4, Kernel: K(2)}, in)
		x = b.Add(RandomContrast{Factor: [2]float64{0.5, 0.5}, Range: [2]float64{-90, 90}}, b.Add(RandomFlip{}, x))
		x = b.Add(RandomBrightness{Factor: [2]float64{-0.5, 0.5}, Range: [2]float64{-90, 90}}, b.Add(Resizing{Height: 3, Width: 2}, x))
		x = b.Add(RandomShear{XFactor: [2]float64{0.1, 0.3}, FillMode: FillConstant, FillValue: 2}, b.Add(RandomRotation{Factor: [2]float64{-0.5, 0.5}}, x))
		m, err := b.Model(in, b.Add(Dense{Units: 3}, b.Add(Flatten{}, x)))
		require.NoError(t, err)
		checkGradients(t, m, random(tensor.Float64, 1, 2, 3, 4, 2), labelsOf(2, 3), true)
	}
}

func TestAugmentationErrors(t *testing.T) {
	for _, c := range []struct {
		layer Layer
		in    Shape
		kind  error
		want  string
	}{
		{RandomFlip{Mode: "horizontl"}, Shape{3, 3, 1}, ErrArgument, `unknown Mode "horizontl"; did you mean "horizontal"?`},
		{RandomFlip{}, Shape{3}, ErrShape, "wants images"},
		{RandomBrightness{Factor: [2]float64{0.5, -0.5}}, Shape{3}, ErrArgument, "two ascending numbers from -1 to 1"},
		{RandomBrightness{Range: [2]float64{1, 0}}, Shape{3}, ErrArgument, "Range must be two ascending, finite numbers"},
		{RandomContrast{Factor: [2]float64{2, 0}}, Shape{3, 3, 1}, ErrArgument, "the first at most 1"},
		{RandomContrast{Factor: [2]float64{0, math.NaN()}}, Shape{3, 3, 1}, ErrArgument, "at least 0"},
		{RandomContrast{}, Shape{3, 3}, ErrShape, "wants images"},
		{Augmentation{}, Shape{3}, ErrArgument, "has no Class"},
		{RandomRotation{Factor: [2]float64{0.1, -0.1}}, Shape{3, 3, 1}, ErrArgument, "Factor must be two ascending numbers"},
		{RandomRotation{FillMode: "reflct"}, Shape{3, 3, 1}, ErrArgument, `unknown FillMode "reflct"; did you mean "reflect"?`},
		{RandomRotation{FillValue: math.Inf(1)}, Shape{3, 3, 1}, ErrArgument, "FillValue must be a finite number"},
		{RandomRotation{Interpolation: "cubic"}, Shape{3, 3, 1}, ErrArgument, `unknown interpolation "cubic"`},
		{RandomTranslation{WidthFactor: [2]float64{-2, 0}}, Shape{3, 3, 1}, ErrArgument, "WidthFactor must be two ascending numbers from -1 to 1"},
		{RandomZoom{HeightFactor: [2]float64{-1, 0}}, Shape{3, 3, 1}, ErrArgument, "HeightFactor must be two ascending numbers"},
		{RandomZoom{WidthFactor: [2]float64{0, 0.5}, FixedWidth: true}, Shape{3, 3, 1}, ErrArgument, "FixedWidth excludes a WidthFactor"},
		{RandomShear{YFactor: [2]float64{0, math.NaN()}}, Shape{3, 3, 1}, ErrArgument, "YFactor must be two ascending numbers"},
		{RandomShear{}, Shape{3}, ErrShape, "wants images"},
		{Resizing{Height: 3}, Shape{3, 3, 1}, ErrArgument, "Height and Width must be from 1 to"},
		{Resizing{Height: 3, Width: 3, Interpolation: "cubic"}, Shape{3, 3, 1}, ErrArgument, `unknown interpolation "cubic"`},
		{CenterCrop{Height: 3, Width: 4}, Shape{3}, ErrShape, "wants images"},
		{CenterCrop{Height: -1, Width: 4}, Shape{3, 3, 1}, ErrArgument, "Height and Width must be from 1 to"},
	} {
		b := NewBuilder("m")
		b.Add(c.layer, b.Input(c.in))
		require.ErrorIs(t, b.Err(), c.kind, "%#v", c.layer)
		require.ErrorContains(t, b.Err(), c.want)
	}
}
