package onnx

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestOddOutputShape has a ConvTranspose whose output_shape takes one column off: the first one, unless auto_pad is SAME_UPPER, as in
// ONNX's text since version 11 and in ONNX Runtime.
func TestOddOutputShape(t *testing.T) {
	w := &array{elem: elemFloat, shape: []int{3, 1, 1, 2}, f32: []float32{1, 2, 0, 0, 0, 0}}
	for auto, want := range map[string]float32{"NOTSET": 2, "SAME_LOWER": 2, "SAME_UPPER": 1} {
		raw := byHand(17, map[string]*array{"w": w}, part{"ConvTranspose", []string{"x", "w"}, []string{"y"},
			[]attr{{"strides", []int{1, 2}}, {"output_shape", []int{4, 7}}, {"auto_pad", auto}}})
		g, err := Decode(raw)
		require.NoError(t, err)
		net, err := g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 1})
		require.NoError(t, err)
		x := make([]float32, 3*4*4)
		x[0] = 1
		require.NoError(t, gorgonia.Let(net.Inputs[0], tensor.New(tensor.WithShape(1, 3, 4, 4), tensor.WithBacking(x))))
		y := run(t, net.Outputs[0])
		require.Len(t, y, 4*7)
		require.Equal(t, want, y[0], auto)
	}
}

// TestPlacesInFloat32 has scales with which the exact place is just below an old one, the place in float32 on it.
func TestPlacesInFloat32(t *testing.T) {
	at, ok := places(5, 3, float64(float32(0.6)), "half_pixel")
	require.True(t, ok)
	require.Equal(t, 2.0, at[1])
	at, ok = places(10, 28, float64(float32(2.7)), "asymmetric")
	require.True(t, ok)
	require.Equal(t, 10.0, at[27])
}
