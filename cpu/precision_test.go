package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// bf16Ways are how bfloat16 can be multiplied here: in plain Go, and by the CPU where it can.
func bf16Ways(t *testing.T, f func(t *testing.T)) {
	t.Run("generic", func(t *testing.T) {
		t.Setenv(cpuid.EnvVar, "generic")
		f(t)
	})
	t.Run("native", func(t *testing.T) {
		if !cpuid.HasBF16() {
			t.Skip("this CPU, or this build, has no AVX512-BF16")
		}
		t.Setenv(cpuid.EnvVar, "")
		f(t)
	})
}

func openBF16(t *testing.T, threads int) *cpu.Engine {
	e, err := cpu.New(cpu.Config{Threads: threads, Precision: "bf16"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.Equal(t, "bf16", e.Precision())
	return e
}

// The tolerance is that of every engine. float64 is not touched.
func TestPrecisionBF16(t *testing.T) {
	bf16Ways(t, func(t *testing.T) { enginetest.RunPrecision(t, openBF16(t, 2), enginetest.PrecisionError["bf16"]) })
}

// Factors are rounded to nearest, and nothing else is: the results are those of float32 for factors that were rounded before. A
// depthwise convolution is computed in fp32.
func TestFactorsAreRoundedToBFloat16(t *testing.T) {
	bf16Ways(t, func(t *testing.T) {
		want, got := enginetest.RoundedProducts(t, openBF16(t, 2))
		for i, w := range want {
			tol := numtest.Tol(tensor.Float32, numtest.Reduction)
			if w.Depthwise {
				tol.Norm += 0x1p-6
			}
			numtest.AssertClose(t, w.Value, got[i].Value, tol, w.Name)
		}
	})
}

// What is no product has, with bf16, the bits of fp32: every operation of package ir alone.
func TestConformanceBF16(t *testing.T) {
	if numtest.Race {
		t.Skip("the goroutines of TestOps; those of products are in TestThreadsDoNotChangeBF16")
	}
	bf16Ways(t, func(t *testing.T) {
		e, exact := openBF16(t, 2), open(t, 2)
		for _, c := range enginetest.OpCases(tensor.Float32) {
			if c.Op.Kind() == multiplies {
				continue
			}
			require.True(t, enginetest.SameBits(c.Run(t, exact, tensor.Float32, nil), c.Run(t, e, tensor.Float32, nil)), c.Name)
		}
	})
}

// multiplies is the kind, of those of [enginetest.OpCases], that a precision changes.
const multiplies = "BatchMatMul"

// The number of threads does not change a bit, and a run allocates nothing.
func TestThreadsDoNotChangeBF16(t *testing.T) {
	bf16Ways(t, func(t *testing.T) {
		one, three, cases := openBF16(t, 1), openBF16(t, 3), 0
		for _, c := range enginetest.OpCases(tensor.Float32) {
			if c.Op.Kind() != multiplies {
				continue
			}
			cases++
			if numtest.Race { // which sees the goroutines in one run
				c.Run(t, three, tensor.Float32, nil)
				continue
			}
			require.True(t, enginetest.SameBits(c.Run(t, one, tensor.Float32, nil), c.Run(t, three, tensor.Float32, nil)), c.Name)
			prog := c.Bound(t, three, tensor.Float32)
			require.Zero(t, testing.AllocsPerRun(2, func() {
				if err := prog.Run(); err != nil {
					t.Fatal(err)
				}
			}), c.Name)
			require.NoError(t, prog.Close())
		}
		require.NotZero(t, cases)
	})
}

// A program tells which steps multiply bfloat16.
func TestKernelsBF16(t *testing.T) {
	t.Setenv(cpuid.EnvVar, "generic")
	e := openBF16(t, 1)
	for want, c := range map[string]struct {
		o  op.Op
		dt tensor.Dtype
	}{
		"generic bf16 implicit gemm": {&op.Conv2D{}, tensor.Float32},
		e.Level() + " implicit gemm": {&op.Conv2D{ConvAttrs: op.ConvAttrs{Dilations: [2]int{1, 2}}}, tensor.Float64},
		e.Level() + " depthwise":     {&op.Conv2D{ConvAttrs: op.ConvAttrs{Groups: 4}}, tensor.Float32},
	} {
		b := enginetest.NewB(t, c.dt)
		b.Want("y", 0, b.Apply(c.o, b.Input("x", 2, 9, 9, 4), b.Input("w", 3, 3, 4/max(c.o.(*op.Conv2D).Groups, 1), 4)))
		m := b.Compile(e)
		require.Equal(t, want, m.Explain().Steps[0].Kernel)
		require.NoError(t, m.Close())
	}
}

// Where Winograd's algorithm in float32 is faster than products of bfloat16, it is what computes, and with fp32's tolerance.
func TestWinogradUnderBF16(t *testing.T) {
	bf16Ways(t, func(t *testing.T) {
		e := openBF16(t, 2)
		build := func(b *enginetest.B) {
			a := op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}
			x, w := b.Input("x", 2, 16, 16, 64), b.Input("w", 3, 3, 64, 64)
			b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: a}, x, w))
			b.Want("dx", numtest.Reduction, b.Apply(&op.Conv2DBackwardInput{ConvAttrs: a, InputShape: x.Shape()}, b.Input("dy", 2, 16, 16, 64), w))
		}
		b := enginetest.NewB(t, tensor.Float32)
		build(b)
		m := b.Compile(e)
		for _, s := range m.Explain().Steps {
			require.Contains(t, s.Kernel, "winograd")
		}
		require.NoError(t, m.Close())
		enginetest.Case{Name: "large", Build: build}.RequireClose(t, e, tensor.Float32)
	})
}

func TestRefusedPrecisions(t *testing.T) {
	_, err := graph.Open("cpu", graph.Config{Precision: "tf32"})
	require.ErrorIs(t, err, cpu.ErrPrecision)
	require.ErrorContains(t, err, `precision "tf32": the CPU engine computes in fp32 and, where the CPU has AVX512-BF16, in bf16; leave the precision out, or use a GPU`)
	for _, level := range []string{"avx2", "avx512"} { // which come without
		t.Setenv(cpuid.EnvVar, level)
		_, err = graph.Open("cpu", graph.Config{Precision: "bf16"})
		require.ErrorIs(t, err, cpu.ErrPrecision)
		require.ErrorContains(t, err, "leaves AVX512-BF16 out; unset it; compute in fp32, or on a GPU, or slowly, to check results, with STHENO_CPU=generic")
	}
	t.Setenv(cpuid.EnvVar, "")
	e, err := graph.Open("cpu", graph.Config{Precision: "bf16"})
	if cpuid.HasBF16() {
		require.NoError(t, err)
		require.NoError(t, e.Close())
		return
	}
	require.ErrorIs(t, err, cpu.ErrPrecision)
	require.ErrorContains(t, err, "this CPU, or this build, has no AVX512-BF16")
}
