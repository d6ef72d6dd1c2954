package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// What the model chooses for layers of the nets, as measured with AVX-512.
func TestWays(t *testing.T) {
	if cpuid.Best() != cpuid.AVX512 {
		t.Skip("this CPU, or this build, has no AVX-512")
	}
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	strided, dilated, grouped := same, same, same
	strided.Strides, dilated.Dilations, grouped.Groups = [2]int{2, 2}, [2]int{2, 2}, 4
	for _, c := range []struct {
		convCase
		pass   Pass
		frozen bool
		want   string
	}{
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, Forward, false, byWinograd},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, BackwardInput, false, byWinograd},
		{convCase{32, 32, 32, 3, 3, 3, 64, same, ""}, Forward, false, byRows},
		{convCase{32, 32, 32, 3, 3, 3, 64, same, ""}, BackwardFilter, false, byPatches},
		{convCase{1, 15, 15, 16, 3, 3, 32, op.ConvAttrs{}, ""}, Forward, true, byRows},
		{convCase{16, 224, 224, 3, 7, 7, 64, strided, ""}, Forward, true, byRows},
		{convCase{32, 4, 4, 512, 3, 3, 512, same, ""}, Forward, true, byWinograd},
		{convCase{1, 4, 4, 512, 3, 3, 512, same, ""}, Forward, false, byPatches},
		{convCase{64, 2, 2, 512, 3, 3, 512, same, ""}, BackwardInput, false, byTaps},
		{convCase{64, 2, 2, 512, 3, 3, 512, same, ""}, BackwardFilter, false, byTaps},
		{convCase{64, 1, 1, 512, 3, 3, 512, same, ""}, Forward, true, byTaps},
		{convCase{32, 32, 32, 3, 3, 3, 64, same, ""}, BackwardFilter, false, byPatches},
		{convCase{64, 15, 15, 16, 3, 3, 32, op.ConvAttrs{}, ""}, BackwardFilter, false, byPatches},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, BackwardFilter, false, byWinograd},
		{convCase{32, 4, 4, 512, 3, 3, 512, same, ""}, BackwardFilter, false, byWinograd},
		{convCase{16, 7, 7, 512, 3, 3, 512, same, ""}, BackwardFilter, false, byWinograd},
		{convCase{1, 32, 32, 64, 3, 3, 64, same, ""}, BackwardFilter, false, byWinograd},
		{convCase{1, 6, 6, 64, 3, 3, 64, same, ""}, BackwardFilter, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, same, ""}, Forward, false, byWinograd},
		{convCase{16, 14, 14, 256, 3, 3, 256, strided, ""}, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, dilated, ""}, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, grouped, ""}, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 5, 5, 256, same, ""}, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 1, 1, 256, op.ConvAttrs{}, ""}, Forward, false, byGemm},
	} {
		if c.want == byRows && cpuid.Best() == cpuid.Generic {
			continue // plain Go is slow enough for patches not to matter
		}
		e := Env[float32]{Gemm: gemm.New[float32](cpuid.Best())}
		require.Equal(t, c.want, e.way(c.pass, c.geometry(t), c.frozen), "%v %v", c.convCase, c.pass)
		double := Env[float64]{Gemm: gemm.New[float64](cpuid.Best())}
		require.NotEqual(t, byWinograd, double.way(c.pass, c.geometry(t), c.frozen), "%v %v", c.convCase, c.pass)
	}
}

// With products of bfloat16, which multiply twice as fast, Winograd's algorithm in float32 still is the fastest way of large layers.
func TestWaysBF16(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	for _, native := range []bool{false, cpuid.HasBF16()} { // plain Go, which checks results, goes the same ways
		e := Env[float32]{Gemm: gemm.NewBF16(native)}
		for _, c := range []struct {
			convCase
			pass   Pass
			frozen bool
			want   string
		}{
			{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, Forward, false, byWinograd},
			{convCase{16, 14, 14, 256, 3, 3, 256, same, ""}, BackwardInput, false, byWinograd},
			{convCase{1, 8, 8, 256, 3, 3, 256, same, ""}, Forward, true, byPatches},
			{convCase{1, 4, 4, 512, 3, 3, 512, same, ""}, Forward, true, byPatches},
			{convCase{64, 2, 2, 512, 3, 3, 512, same, ""}, BackwardInput, false, byTaps},
			{convCase{32, 32, 32, 4, 3, 3, 64, same, ""}, Forward, true, byPatches}, // not by rows
		} {
			require.Equal(t, c.want, e.way(c.pass, c.geometry(t), c.frozen), "%v %v", c.convCase, c.pass)
		}
	}
}

// A table of measured times takes precedence over the model, as long as it names a way that there is.
func TestChoose(t *testing.T) {
	g := convCase{2, 8, 8, 64, 3, 3, 64, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}, ""}.geometry(t)
	p := pool.New(1)
	defer p.Close()
	e := Env[float32]{Pool: p, Gemm: gemm.New[float32](cpuid.Best())}
	k, err := NewConv2D[float32](e, g, ConvOptions{})
	require.NoError(t, err)
	require.Equal(t, byWinograd, k.Way())
	var asked Conv
	answer := byPatches
	e.Choose = func(c Conv, ways []Way) string {
		asked = c
		require.Equal(t, []string{byPatches, byWinograd}, []string{ways[0].Name, ways[1].Name})
		return answer
	}
	k, err = NewConv2D[float32](e, g, ConvOptions{Frozen: true})
	require.NoError(t, err)
	require.Equal(t, byPatches+", packed", k.Way())
	require.Equal(t, Conv{Pass: Forward, Geometry: g, Frozen: true, Level: cpuid.Best()}, asked)
	answer = "by magic"
	back, err := NewConv2DBackwardInput[float32](e, g)
	require.NoError(t, err)
	require.Equal(t, byWinograd, back.Way())
}
