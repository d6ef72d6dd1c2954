package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// A program tells what runs each step.
func TestKernels(t *testing.T) {
	same := op.Padding{Mode: op.Same}
	e := open(t, 1)
	level := e.Level()
	for _, c := range []struct {
		want  string
		dt    tensor.Dtype
		build func(b *enginetest.B) *gorgonia.Node
	}{
		{level + " implicit gemm", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Dilations: [2]int{2, 2}}}, b.Input("x", 2, 9, 9, 3), b.Input("w", 3, 3, 3, 4))
		}},
		{level + " gemm by row", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{}, b.Input("x", 2, 32, 32, 3), b.Input("w", 5, 5, 3, 16))
		}},
		{level + " winograd 4x4", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{}, b.Input("x", 2, 18, 18, 32), b.Input("w", 3, 3, 32, 48))
		}},
		{level + " implicit gemm", tensor.Float64, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Groups: 2}}, b.Input("x", 2, 10, 10, 32), b.Input("w", 3, 3, 16, 48))
		}},
		{level + " gemm", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{}, b.Input("x", 2, 9, 9, 3), b.Input("w", 1, 1, 3, 4))
		}},
		{level + " gemm", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			x := b.Input("x", 2, 9, 9, 3)
			return b.Apply(&op.Conv2DBackwardInput{InputShape: x.Shape()}, b.Input("dy", 2, 9, 9, 4), b.Input("w", 1, 1, 3, 4))
		}},
		{level + " gemm", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2DBackwardFilter{FilterShape: []int{1, 1, 3, 4}}, b.Input("x", 2, 9, 9, 3), b.Input("dy", 2, 9, 9, 4))
		}},
		{level + " depthwise", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Groups: 4}}, b.Input("x", 2, 9, 9, 4), b.Input("w", 3, 3, 1, 4))
		}},
		{level + " gemm by tap", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: same}}, b.Input("x", 64, 1, 1, 64), b.Input("w", 3, 3, 64, 64))
		}},
		{level + " gemm", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.MatMul{}, b.Input("x", 2, 3), b.Input("w", 3, 4))
		}},
		{level + " loops", tensor.Float32, func(b *enginetest.B) *gorgonia.Node { return b.Apply(&op.ReLU{}, b.Input("x", 2, 3)) }},
		{"go loops", tensor.Float32, func(b *enginetest.B) *gorgonia.Node { return b.Apply(&op.LogSoftmax{}, b.Input("x", 2, 3)) }},
		{"go loops", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.AdamSquare{Beta: 0.9}, b.Input("x", 2, 3), b.Input("w", 2, 3))
		}},
		{level + " loops", tensor.Float32, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.AdamMean{Beta: 0.9}, b.Input("x", 2, 3), b.Input("w", 2, 3))
		}},
		{level + " loops", tensor.Float64, func(b *enginetest.B) *gorgonia.Node { return b.Apply(&op.ReLU{}, b.Input("x", 2, 3)) }},
		{level + " gemm", tensor.Float64, func(b *enginetest.B) *gorgonia.Node {
			return b.Apply(&op.MatMul{}, b.Input("x", 2, 3), b.Input("w", 3, 4))
		}},
		{"copy", tensor.Float32, func(b *enginetest.B) *gorgonia.Node { return b.Input("x", 2, 3) }},
	} {
		b := enginetest.NewB(t, c.dt)
		b.Want("y", 0, c.build(b))
		p, err := graph.PlanFor(b.G, b.Options(e)...)
		require.NoError(t, err)
		prog, err := e.Build(p)
		require.NoError(t, err)
		require.Equal(t, []string{c.want}, prog.(graph.KernelTeller).Kernels())
		require.NoError(t, prog.Close())
	}
}

// The kinds that are said to be vectored have kernels: a name that is spelled wrong would go unnoticed.
func TestVectoredKindsAreKernels(t *testing.T) {
	e := open(t, 1)
	for _, kind := range cpu.VectoredKinds() {
		require.True(t, e.HasKernel(kind, tensor.Float32), kind)
	}
}

// Of every case of the suite there is a name for each step.
func TestEveryStepHasAKernel(t *testing.T) {
	numtest.Sequential(t)
	e := open(t, 1)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, c := range enginetest.Cases() {
			b := enginetest.NewB(t, dt)
			c.Build(b)
			m := b.Compile(e)
			for i, s := range m.Explain().Steps {
				require.NotEmpty(t, s.Kernel)
				if of := m.Plan().Steps[i].Out[0].Dtype; s.Kernel == "reference" {
					require.False(t, e.HasKernel(s.Kind, of), "%s of %v has a kernel", s.Operation, of)
				}
			}
			require.NoError(t, m.Close())
		}
	}
}

func TestEngineString(t *testing.T) {
	require.Equal(t, "cpu with 1 thread, "+open(t, 1).Level()+" kernels", open(t, 1).String())
	require.Contains(t, open(t, 3).String(), "cpu with 3 threads, ")
}
