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

// What the model chooses for layers of the nets, as measured with AVX-512, and where another instruction set makes a difference.
func TestWays(t *testing.T) {
	same := op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}
	strided, dilated, grouped := same, same, same
	strided.Strides, dilated.Dilations, grouped.Groups = [2]int{2, 2}, [2]int{2, 2}, 4
	for _, c := range []struct {
		convCase
		level  cpuid.Level
		pass   Pass
		frozen bool
		want   string
	}{
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.AVX512, Forward, false, byWinograd},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.AVX512, BackwardInput, false, byWinograd},
		{convCase{32, 32, 32, 3, 3, 3, 64, same, ""}, cpuid.AVX512, Forward, false, byRows},
		{convCase{32, 32, 32, 3, 3, 3, 64, same, ""}, cpuid.AVX512, BackwardFilter, false, byPatches},
		{convCase{1, 15, 15, 16, 3, 3, 32, op.ConvAttrs{}, ""}, cpuid.AVX512, Forward, true, byRows},
		{convCase{16, 224, 224, 3, 7, 7, 64, strided, ""}, cpuid.AVX512, Forward, true, byRows},
		{convCase{32, 4, 4, 512, 3, 3, 512, same, ""}, cpuid.AVX512, Forward, true, byWinograd},
		{convCase{1, 4, 4, 512, 3, 3, 512, same, ""}, cpuid.AVX512, Forward, false, byPatches},
		{convCase{64, 2, 2, 512, 3, 3, 512, same, ""}, cpuid.AVX512, BackwardInput, false, byTaps},
		{convCase{64, 2, 2, 512, 3, 3, 512, same, ""}, cpuid.AVX512, BackwardFilter, false, byTaps},
		{convCase{64, 1, 1, 512, 3, 3, 512, same, ""}, cpuid.AVX512, Forward, true, byTaps},
		{convCase{64, 15, 15, 16, 3, 3, 32, op.ConvAttrs{}, ""}, cpuid.AVX512, BackwardFilter, false, byPatches},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.AVX512, BackwardFilter, false, byWinograd},
		{convCase{32, 4, 4, 512, 3, 3, 512, same, ""}, cpuid.AVX512, BackwardFilter, false, byWinograd},
		{convCase{16, 7, 7, 512, 3, 3, 512, same, ""}, cpuid.AVX512, BackwardFilter, false, byWinograd},
		{convCase{1, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.AVX512, BackwardFilter, false, byWinograd},
		{convCase{1, 6, 6, 64, 3, 3, 64, same, ""}, cpuid.AVX512, BackwardFilter, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, same, ""}, cpuid.AVX512, Forward, false, byWinograd},
		{convCase{16, 14, 14, 256, 3, 3, 256, strided, ""}, cpuid.AVX512, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, dilated, ""}, cpuid.AVX512, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 3, 3, 256, grouped, ""}, cpuid.AVX512, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 5, 5, 256, same, ""}, cpuid.AVX512, Forward, false, byPatches},
		{convCase{16, 14, 14, 256, 1, 1, 256, op.ConvAttrs{}, ""}, cpuid.AVX512, Forward, false, byGemm},
		{convCase{16, 14, 14, 256, 1, 1, 256, op.ConvAttrs{}, ""}, cpuid.Generic, BackwardInput, false, byGemm},
		{convCase{16, 14, 14, 256, 1, 1, 256, op.ConvAttrs{}, ""}, cpuid.Generic, BackwardFilter, false, byGemm},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.AVX2, Forward, false, byWinograd},
		{convCase{32, 32, 32, 64, 3, 3, 64, same, ""}, cpuid.Generic, Forward, false, byWinograd},
		{convCase{16, 224, 224, 3, 7, 7, 64, strided, ""}, cpuid.Generic, Forward, true, byRows},
	} {
		if c.level > cpuid.Best() {
			continue // this CPU, or this build, does not have it
		}
		e := Env[float32]{Gemm: gemm.New[float32](c.level)}
		require.Equal(t, c.want, e.way(c.pass, c.geometry(t), c.frozen), "%v %v %v", c.convCase, c.pass, c.level)
		double := Env[float64]{Gemm: gemm.New[float64](c.level)}
		require.NotEqual(t, byWinograd, double.way(c.pass, c.geometry(t), c.frozen), "%v %v %v", c.convCase, c.pass, c.level)
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
	for _, level := range []cpuid.Level{cpuid.Generic, cpuid.AVX2, cpuid.AVX512} {
		if level > cpuid.Best() {
			continue // this CPU, or this build, does not have it
		}
		e := Env[float32]{Pool: p, Gemm: gemm.New[float32](level)}
		k, err := NewConv2D[float32](e, g, ConvOptions{})
		require.NoError(t, err)
		model := Best(Conv{Pass: Forward, Geometry: g, Level: level}.Ways()).Name
		require.Equal(t, model, k.Way())
		other := map[bool]string{true: byPatches, false: byWinograd}[model == byWinograd]
		var asked Conv
		answer := other
		e.Choose = func(c Conv, ways []Way) string {
			asked = c
			require.Equal(t, []string{byPatches, byWinograd}, []string{ways[0].Name, ways[1].Name})
			return answer
		}
		k, err = NewConv2D[float32](e, g, ConvOptions{Frozen: true})
		require.NoError(t, err)
		require.Equal(t, other+packed, k.Way())
		require.Equal(t, Conv{Pass: Forward, Geometry: g, Frozen: true, Level: level}, asked)
		answer = "by magic"
		back, err := NewConv2DBackwardInput[float32](e, g)
		require.NoError(t, err)
		require.Equal(t, Best(Conv{Pass: BackwardInput, Geometry: g, Level: level}.Ways()).Name, back.Way())
	}
}

// The kernels of every pass say which way they were prepared for, also where there is one only.
func TestWayOfEveryPass(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		for _, c := range convCases() {
			force(t, c)
			g := c.geometry(t)
			forward, err := NewConv2D(e, g, ConvOptions{})
			require.NoError(t, err)
			input, err := NewConv2DBackwardInput(e, g)
			require.NoError(t, err)
			filter, err := NewConv2DBackwardFilter(e, g)
			require.NoError(t, err)
			for pass, way := range map[Pass]string{Forward: forward.Way(), BackwardInput: input.Way(), BackwardFilter: filter.Way()} {
				computed, _ := e.withoutIdleTaps(g)
				require.Equal(t, e.way(pass, computed, false), way, "%v %v", c, pass)
				require.Equal(t, way != byDepth && way != byWinograd, Multiplies(way))
				require.Equal(t, Multiplies(way), Multiplies(way+packed))
			}
		}
	})
}
