package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestZeroPadAndCrop(t *testing.T) {
	x := Array{tensor.Shape{1, 1, 2, 2}, []float32{1, 2, 3, 4}} // one row of two pixels of two channels
	y := reference(t, &ZeroPad2D{Top: 1, Left: 1, Right: 0}, x)
	require.Equal(t, []int{1, 2, 3, 2}, []int(y.Shape))
	require.Equal(t, []float32{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, y.Data)
	require.Equal(t, x.Data, reference(t, &Crop2D{Top: 1, Left: 1}, y).Data)

	x = Array{tensor.Shape{2, 2, 1, 2}, []float32{1, 2, 3, 4, 5, 6, 7, 8}} // two images of two channels of one row
	y = reference(t, &ZeroPad2D{Bottom: 1, Left: 1, Format: NCHW}, x)
	require.Equal(t, []int{2, 2, 2, 3}, []int(y.Shape))
	require.Equal(t, []float32{0, 1, 2, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 7, 8, 0, 0, 0}, y.Data)
	require.Equal(t, x.Data, reference(t, &Crop2D{Bottom: 1, Left: 1, Format: NCHW}, y).Data)
	require.Equal(t, x.Data, reference(t, &ZeroPad2D{}, x).Data, "no border: the identity")
}

func TestBiasAddAndGrad(t *testing.T) {
	x := Array{tensor.Shape{2, 2, 3}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}
	require.Equal(t, []float32{100, 201, 302, 103, 204, 305, 106, 207, 308, 109, 210, 311},
		reference(t, &BiasAdd{Axis: -1}, x, Array{tensor.Shape{3}, []float32{100, 200, 300}}).Data)
	require.Equal(t, []float32{18, 22, 26}, reference(t, &BiasGrad{Axis: -1}, x).Data)
	require.Equal(t, []float32{0 + 1 + 2 + 6 + 7 + 8, 3 + 4 + 5 + 9 + 10 + 11}, reference(t, &BiasGrad{Axis: 1}, x).Data)
	require.Equal(t, []float32{1, 1, 1, 2, 2, 2}, reference(t, &ChannelBroadcast{Axis: 0, Shape: tensor.Shape{2, 3}},
		Array{tensor.Shape{2}, []float32{1, 2}}).Data)

	// 2²⁴ + 1 + … is where a float32 sum would stand still.
	long := Array{tensor.Shape{1025, 1}, make([]float32, 1025)}
	long.Data.([]float32)[0] = 1 << 24
	for i := range 1024 {
		long.Data.([]float32)[i+1] = 1
	}
	require.Equal(t, []float32{1<<24 + 1024}, reference(t, &BiasGrad{Axis: -1}, long).Data)
}

func TestGlobalAvgPool2D(t *testing.T) {
	x := []float32{1, 10, 2, 20, 3, 30, 6, 60}
	require.Equal(t, []float32{3, 30}, reference(t, &GlobalAvgPool2D{}, Array{tensor.Shape{1, 2, 2, 2}, x}).Data)
	require.Equal(t, []float32{8.25, 24.75}, reference(t, &GlobalAvgPool2D{Format: NCHW}, Array{tensor.Shape{1, 2, 2, 2}, x}).Data)
	dy := Array{tensor.Shape{1, 2}, []float32{4, 8}}
	require.Equal(t, []float32{1, 2, 1, 2, 1, 2, 1, 2}, reference(t, &GlobalAvgPool2DGrad{InputShape: tensor.Shape{1, 2, 2, 2}}, dy).Data)
	require.Equal(t, []float32{1, 1, 1, 1, 2, 2, 2, 2},
		reference(t, &GlobalAvgPool2DGrad{Format: NCHW, InputShape: tensor.Shape{1, 2, 2, 2}}, dy).Data)
}

func TestPermute(t *testing.T) {
	x := Array{tensor.Shape{1, 2, 1, 3}, []float64{1, 2, 3, 4, 5, math.Inf(1)}}
	y := reference(t, &Permute{Axes: []int{0, 3, 1, 2}}, x)
	require.Equal(t, []int{1, 3, 2, 1}, []int(y.Shape))
	require.Equal(t, []float64{1, 4, 2, 5, 3, math.Inf(1)}, y.Data)
}

func TestChannelAffine(t *testing.T) {
	x := Array{tensor.Shape{2, 2}, []float32{0, 0.5, 1, 2}}
	require.Equal(t, []float32{-1, 115.5, 254, 498}, reference(t, &ChannelAffine{Axis: 1, Scale: 255, Shift: []float64{-1, -12}}, x).Data)
	require.Equal(t, []float32{0, 0, 0, 0}, reference(t, &ChannelAffine{Axis: 1}, x).Data, "scale 0 is literal")
}

func TestBorderErrors(t *testing.T) {
	x := tensor.Shape{2, 8, 6, 3}
	for _, c := range []struct {
		name        string
		op          Op
		in          []tensor.Shape
		axis        int
		wanted, got string
	}{
		{"pad: rank", &ZeroPad2D{}, []tensor.Shape{{2, 3}}, NoAxis, "4 axes", "2 axes"},
		{"pad: negative", &ZeroPad2D{Left: -1}, []tensor.Shape{x}, NoAxis, "widths from 0", "-1"},
		{"pad: absurd", &ZeroPad2D{Left: 1 << 62}, []tensor.Shape{x}, NoAxis, "widths from 0", "4611686018427387904"},
		{"pad: empty", &ZeroPad2D{Left: 1}, []tensor.Shape{{2, 0, 3, 1}}, 1, "without empty axes", "0"},
		{"crop: all rows", &Crop2D{Top: 4, Bottom: 4}, []tensor.Shape{x}, 1, "more than 8 elements", "8"},
		{"crop: too many columns in NCHW", &Crop2D{Left: 9, Format: NCHW}, []tensor.Shape{x}, 3, "more than 9 elements", "3"},
		{"bias: axis", &BiasAdd{Axis: 4}, []tensor.Shape{x, {3}}, NoAxis, "an input 0 that has axis 4", "4 axes"},
		{"bias: negative axis", &BiasAdd{Axis: -5}, []tensor.Shape{x, {3}}, NoAxis, "axis -5", "4 axes"},
		{"bias: length", &BiasAdd{Axis: -1}, []tensor.Shape{x, {4}}, 0, "a bias of shape (3,)", "(4,)"},
		{"bias: rank", &BiasAdd{Axis: -1}, []tensor.Shape{x, {1, 3}}, 0, "a bias of shape (3,)", "(1, 3)"},
		{"bias gradient: empty", &BiasGrad{Axis: -1}, []tensor.Shape{{2, 0}}, 1, "without empty axes", "0"},
		{"broadcast: axis", &ChannelBroadcast{Axis: 2, Shape: tensor.Shape{2, 3}}, []tensor.Shape{{3}}, NoAxis, "axis 2", "2 axes"},
		{"broadcast: length", &ChannelBroadcast{Axis: 1, Shape: tensor.Shape{2, 3}}, []tensor.Shape{{2}}, 0, "of shape (3,)", "(2,)"},
		{"affine: shift", &ChannelAffine{Axis: -1, Shift: []float64{1}}, []tensor.Shape{x}, 3, "1 channels", "3"},
		{"affine: axis", &ChannelAffine{Axis: 7}, []tensor.Shape{x}, NoAxis, "axis 7", "4 axes"},
		{"permute: rank", &Permute{Axes: []int{0, 1}}, []tensor.Shape{x}, NoAxis, "an input of 2 axes", "4 axes"},
		{"permute: repeated", &Permute{Axes: []int{0, 1, 1, 2}}, []tensor.Shape{x}, NoAxis, "a permutation of 0 to 3", "[0 1 1 2]"},
		{"permute: out of range", &Permute{Axes: []int{0, 1, 2, 4}}, []tensor.Shape{x}, NoAxis, "a permutation of 0 to 3", "[0 1 2 4]"},
		{"permute: empty", &Permute{Axes: []int{1, 0}}, []tensor.Shape{{0, 2}}, 0, "without empty axes", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkShapeError(t, c.op, c.in, c.axis, c.wanted, c.got, true)
		})
	}
	t.Run("scalar", func(t *testing.T) {
		s := gorgonia.NewScalar(gorgonia.NewGraph(), tensor.Float32, gorgonia.WithName("s"))
		for _, o := range []Op{&BiasGrad{}, &ChannelAffine{}, &Permute{}, &MaxPool2D{}, &ZeroPad2D{}} {
			var se *ShapeError
			_, err := Apply(o, s)
			require.ErrorAs(t, err, &se, o.Kind())
		}
	})
	t.Run("unknown shape", func(t *testing.T) {
		m := gorgonia.NewMatrix(gorgonia.NewGraph(), tensor.Float32, gorgonia.WithName("m"))
		_, err := Apply(&BiasGrad{Axis: -1}, m)
		require.ErrorContains(t, err, `"m", has no shape; give it one with gorgonia.WithShape`)
	})
	t.Run("without Apply", func(t *testing.T) {
		m := gorgonia.NewMatrix(gorgonia.NewGraph(), tensor.Float32, gorgonia.WithShape(2, 3), gorgonia.WithName("m"))
		b := gorgonia.NewVector(m.Graph(), tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("b"))
		_, err := gorgonia.ApplyOp(&BiasGrad{Axis: -1}, m)
		require.ErrorContains(t, err, "apply BiasGrad with op.Apply")
		_, err = gorgonia.ApplyOp(&BiasAdd{Axis: -1}, m, b)
		require.Error(t, err)
		_, err = gorgonia.ApplyOp(&GlobalAvgPool2D{}, m)
		require.Error(t, err)
		_, err = gorgonia.ApplyOp(&MaxPool2D{}, m)
		var se *ShapeError
		require.ErrorAs(t, err, &se)
	})
	t.Run("mixed element types", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 3), gorgonia.WithName("x"))
		b := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("b"))
		_, err := Apply(&BiasAdd{Axis: -1}, x, b)
		require.ErrorContains(t, err, "BiasAdd")
	})
}
