package shape

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestAlong(t *testing.T) {
	for _, c := range []struct {
		name                   string
		n, k, stride, dilation int
		mode                   PadMode
		before, after          int
		out, wantBefore, wantA int
	}{
		{"valid 3x3", 32, 3, 1, 1, Valid, 0, 0, 30, 0, 0},
		{"zero stride means one", 32, 3, 0, 0, Valid, 0, 0, 30, 0, 0},
		{"same odd kernel", 32, 3, 1, 1, Same, 0, 0, 32, 1, 1},
		{"same stride 2 on an even size pads the far side only", 32, 3, 2, 1, Same, 0, 0, 16, 0, 1},
		{"same stride 2 on an odd size", 33, 3, 2, 1, Same, 0, 0, 17, 1, 1},
		{"same 1x1 stride 2 needs no padding", 8, 1, 2, 1, Same, 0, 0, 4, 0, 0},
		{"same dilation 2", 9, 3, 1, 2, Same, 0, 0, 9, 2, 2},
		{"same kernel larger than input", 2, 7, 1, 1, Same, 0, 0, 2, 3, 3},
		{"explicit asymmetric", 5, 4, 3, 1, Explicit, 0, 2, 2, 0, 2},
		{"resnet stem", 38, 7, 2, 1, Valid, 0, 0, 16, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Along(c.n, c.k, c.stride, c.dilation, c.mode, c.before, c.after)
			require.NoError(t, err)
			require.Equal(t, []int{c.out, c.wantBefore, c.wantA}, []int{s.Out, s.Before, s.After})
		})
	}
}

func TestAlongRefuses(t *testing.T) {
	for _, c := range []struct {
		name             string
		n, k, stride, di int
		mode             PadMode
		before           int
		want             string
	}{
		{"window does not fit", 2, 3, 1, 1, Valid, 0, "at least 3 elements"},
		{"empty input", 0, 1, 1, 1, Same, 0, "at least 1 input element"},
		{"no kernel", 4, 0, 1, 1, Same, 0, "kernel of at least 1"},
		{"negative stride", 4, 1, -1, 1, Same, 0, "positive stride"},
		{"negative padding", 4, 1, 1, 1, Explicit, -1, "padding of at least 0"},
		{"unknown mode", 4, 1, 1, 1, PadMode(9), 0, "padding mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Along(c.n, c.k, c.stride, c.di, c.mode, c.before, 0)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestErrorText(t *testing.T) {
	err := &Error{Op: "Conv2D", Node: "block2_conv1", Axis: 3, Wanted: "64 input channels", Got: "32",
		Shapes: []tensor.Shape{{2, 16, 16, 32}, {3, 3, 64, 128}}, Inputs: []string{"block1_pool"}, Remedy: "set Filters to 64"}
	require.EqualError(t, err, "op: Conv2D \"block2_conv1\": want 64 input channels, got 32 on axis 3\n"+
		"    inputs (2, 16, 16, 32) from \"block1_pool\", (3, 3, 64, 128); set Filters to 64")
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		shape tensor.Shape
		want  int // -1: refused
	}{
		{tensor.Shape{}, 4}, {tensor.Shape{3, 5}, 60}, {tensor.Shape{3, 0}, 0}, {tensor.Shape{MaxBytes / 4}, MaxBytes},
		{tensor.Shape{MaxBytes/4 + 1}, -1}, {tensor.Shape{-1, 2}, -1}, {tensor.Shape{math.MaxInt, math.MaxInt}, -1},
		{tensor.Shape{1 << 16, 1 << 16, 1 << 16, 1 << 16}, -1}, // 2⁶⁴ elements, which an int takes for none
	} {
		n, ok := Bytes(c.shape, 4)
		require.Equal(t, c.want >= 0, ok, "%v", c.shape)
		require.Equal(t, max(c.want, 0), n, "%v", c.shape)
	}
}

func TestEqual(t *testing.T) {
	for _, s := range []tensor.Shape{nil, {1}, {1, 1}, {2, 3}, {3, 2}, {2, 3, 1}} {
		for _, o := range []tensor.Shape{{}, {1}, {1, 1}, {2, 3}, {3, 2}, {2, 3, 1}} {
			require.Equal(t, Format(s) == Format(o), Equal(s, o), "%v and %v", s, o)
		}
	}
}

func TestFormat(t *testing.T) {
	require.Equal(t, "()", Format(tensor.ScalarShape()))
	require.Equal(t, "(3,)", Format(tensor.Shape{3}))
	require.Equal(t, "(3, 4)", Format(tensor.Shape{3, 4}))
}
