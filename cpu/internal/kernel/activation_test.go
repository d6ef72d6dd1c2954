package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// hardSwish is a loop as package nn's, but for what change does to its steps.
func hardSwish(change func(s []ir.LoopStep)) *ir.Loop {
	r, n := ir.Register, ir.Number
	l := &ir.Loop{Inputs: 1, Results: []int{5}, Steps: []ir.LoopStep{ir.Apply2(ir.Add, r(0), n(3)), ir.Apply2(ir.Max, r(1), n(0)),
		ir.Apply2(ir.Min, n(6), r(2)), ir.Apply2(ir.Div, r(3), n(6)), ir.Apply2(ir.Mul, r(0), r(4))}}
	if change != nil {
		change(l.Steps)
	}
	return l
}

// Micro-kernels get what they have, and nothing that only looks like it.
func TestActivationOf(t *testing.T) {
	r, n := ir.Register, ir.Number
	least := &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply2(ir.Min, n(6), r(0))}, Results: []int{1}}
	for _, c := range []struct {
		name string
		loop *ir.Loop
		relu bool
		want gemm.Activation[float32]
	}{
		{"ReLU6", least, true, gemm.Activation[float32]{Kind: gemm.Bounded, Most: 6}},
		{"a bound without a ReLU", least, false, gemm.Activation[float32]{}},
		{"a bound below 0", &ir.Loop{Inputs: 1, Steps: []ir.LoopStep{ir.Apply2(ir.Min, n(-1), r(0))}, Results: []int{1}}, true, gemm.Activation[float32]{}},
		{"hard swish", hardSwish(nil), false, gemm.Activation[float32]{Kind: gemm.Gated, Most: 6, Shift: 3, Factor: 1. / 6}},
		{"hard swish behind a ReLU", hardSwish(nil), true, gemm.Activation[float32]{}},
		{"with a factor", hardSwish(func(s []ir.LoopStep) { s[3] = ir.Apply2(ir.Mul, n(0.5), r(3)) }), false,
			gemm.Activation[float32]{Kind: gemm.Gated, Most: 6, Shift: 3, Factor: 0.5}},
		{"6 divided by it", hardSwish(func(s []ir.LoopStep) { s[3] = ir.Apply2(ir.Div, n(6), r(3)) }), false, gemm.Activation[float32]{}},
		{"a minimum in the maximum's place", hardSwish(func(s []ir.LoopStep) { s[1] = ir.Apply2(ir.Min, r(1), n(0)) }), false, gemm.Activation[float32]{}},
		{"at least 1", hardSwish(func(s []ir.LoopStep) { s[1] = ir.Apply2(ir.Max, r(1), n(1)) }), false, gemm.Activation[float32]{}},
		{"of its square", hardSwish(func(s []ir.LoopStep) { s[4] = ir.Apply2(ir.Mul, r(4), r(4)) }), false, gemm.Activation[float32]{}},
		{"of an earlier step", hardSwish(func(s []ir.LoopStep) { s[4] = ir.Apply2(ir.Mul, r(1), r(3)) }), false, gemm.Activation[float32]{}},
		{"of another register", hardSwish(func(s []ir.LoopStep) { s[2] = ir.Apply2(ir.Min, n(6), r(1)) }), false, gemm.Activation[float32]{}},
		{"nothing", nil, true, gemm.Activation[float32]{}},
	} {
		require.Equal(t, c.want, activationOf[float32](c.loop, c.relu), c.name)
	}
}

// Hard swish in a pointwise convolution's micro-kernels is what its loop gives, but that a division is a multiplication: two units in the last
// place of float32.
func TestHardSwishInAConvolution(t *testing.T) {
	withEnv(t, func(t *testing.T, e Env[float32]) {
		one := shape.Span{In: 9, Out: 9, Kernel: 1, Stride: 1, Dilation: 1}
		g := op.ConvGeometry{N: 2, C: 5, F: 37, Groups: 1, H: one, W: one}
		x, w, bias := normal[float32](1, 2, 9, 9, 5).Data.([]float32), normal[float32](2, 5, 37).Data.([]float32), normal[float32](3, 37).Data.([]float32)
		run := func(o ConvOptions) []float32 {
			k, err := NewConv2D(e, g, o)
			require.NoError(t, err)
			k.SetScratch(make([]float32, k.Workspace()))
			y := make([]float32, 2*9*9*37)
			k.Run(y, x, w, bias, nil)
			return y
		}
		sums := run(ConvOptions{Bias: true})
		want := behind(t, e, hardSwish(nil), sums)
		got := run(ConvOptions{Bias: true, After: hardSwish(nil)})
		for i := range want {
			require.InDelta(t, want[i], got[i], 2.5e-7*max(1, abs(float64(want[i]))), "of %g", sums[i])
		}
	})
}
