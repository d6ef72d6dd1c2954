//go:build gpu && cgo && linux

package cuda_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// lastLayers are two layers over images of 2×2 pixels and all their gradients.
func lastLayers(b *enginetest.B) (wrt []*gorgonia.Node, y *gorgonia.Node) {
	a := tinyCases()["2×2"].a
	x := b.Input("x", 6, 2, 2, 16)
	wrt = append(wrt, x)
	for _, n := range []string{"1", "2"} {
		w, bias := b.Input("w"+n, 3, 3, 16, 16), b.Input("bias"+n, 16)
		wrt = append(wrt, w, bias)
		x = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, b.Apply(&op.Conv2D{ConvAttrs: a}, x, w), bias))
	}
	return wrt, x
}

// Ways with expanded filters and tiled biases are measured, found to compute the same, and followed where they are the fastest.
func TestTinyImagesAreMeasured(t *testing.T) {
	cuda.Patient(t)
	needSimulator(t) // where it is known which is the fastest
	c := enginetest.Case{Name: "2×2", Build: func(b *enginetest.B) {
		wrt, y := lastLayers(b)
		b.Grads(b.Want("y", numtest.Reduction, y), wrt...)
	}}
	for _, precision := range []string{"fp32", "tf32", "bf16"} {
		for _, fast := range []bool{true, false} {
			t.Setenv(cache.Env, t.TempDir())
			t.Setenv("STHENO_SIM_LIBRARY_DELAY", map[bool]string{true: "10", false: "0.01"}[fast])
			t.Setenv("STHENO_SIM_CUBLASLT_DELAY", map[bool]string{true: "0.01", false: "10"}[fast])
			var lines []string
			e, err := cuda.New(cuda.Config{Precision: precision, Tuning: "measure", Log: func(l string) { lines = append(lines, l) }})
			require.NoError(t, err)
			tol := func(k numtest.Kind) numtest.Tolerance { return numtest.Tol(tensor.Float32, k) }
			if precision != "fp32" {
				tol = func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }
			}
			c.RequireCloseTo(t, e, tol, tensor.Float32)
			text := strings.Join(lines, "\n")
			require.Contains(t, text, "alternatives", precision)
			require.NotContains(t, text, "is not taken", precision)
			b := enginetest.NewB(t, tensor.Float32)
			c.Build(b)
			m := b.Compile(e)
			kernels := strings.Join(kernelsOf(m), "; ")
			require.Equal(t, fast, strings.Contains(kernels, "fold_taps"), "%s: %s", precision, kernels)
			require.NoError(t, m.Close())
			require.NoError(t, e.Close())
		}
	}
}

// Steps of training with expanded filters, which change in every step, are those with filters as they are.
func TestTrainingOnTinyImages(t *testing.T) {
	needGPU(t)
	losses := func(precision, way string) (all []float64) {
		cuda.Force(t, way)
		e, opt := open(t, cuda.Config{Precision: precision}), train.SGD{Momentum: 0.9}
		m, images, labels := smallResNet(t)
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 3, 1)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		for i := range 5 {
			r, err := s.Run(images, labels, 0.05, i)
			require.NoError(t, err)
			all = append(all, r.Loss)
		}
		return all
	}
	for precision, most := range map[string]float64{"fp32": 1e-3, "bf16": 0.1} { // batch norms of 12 pixels spread what is rounded
		want := losses(precision, "")
		for _, way := range []string{tinyProduct, "tiny images by cuDNN"} {
			got := losses(precision, way)
			require.NotEqual(t, want, got, "sums are in another order")
			require.InDeltaSlice(t, want, got, most, "%s %s", precision, way)
		}
	}
}

// shrinkingNet has layers over images of 4×4, 2×2 and 1×1 pixels, with filters of odd sizes.
func shrinkingNet(t *testing.T) *nn.Model {
	b := nn.NewBuilder("shrinking")
	x := b.Input(nn.Shape{4, 4, 3})
	y := x
	for i, filters := range []int{8, 16, 24, 40, 9} {
		for _, kernel := range [][2]int{{3, 3}, {3, 1 + 2*(i%2)}} {
			y = b.Add(nn.Conv2D{Filters: filters, Kernel: kernel, Padding: nn.Same, Activation: nn.ReLU, KernelRegularizer: nn.L2(0.01)}, y)
		}
		if i == 1 || i == 3 {
			y = b.Add(nn.MaxPooling2D{}, y)
		}
	}
	m, err := b.Model(x, b.Add(nn.Dense{Units: 10, Activation: nn.Softmax}, b.Add(nn.Flatten{}, y)))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	return m
}

// Filters are expanded, packed in part and updated by gradients in cuDNN's order while other steps run beside them, in any order that their
// dependencies allow, and evaluation in between reads the newest: the numbers are those of a run step by step.
func TestTinyImagesBesideOtherSteps(t *testing.T) {
	needSimulator(t) // which changes the order
	cuda.PackLate(t)
	images, labels := make([]float32, 3*4*4*3), []int{1, 4, 7}
	numtest.FillUnit("images", 1, images)
	run := func(order, graphs string) (all []float32) {
		t.Setenv("STHENO_SIM_ORDER", order)
		t.Setenv("STHENO_CUDA_GRAPH", graphs)
		e, opt, m := inGroups{open(t, cuda.Config{Precision: "bf16"})}, train.SGD{Momentum: 0.9}, shrinkingNet(t)
		s, err := train.NewTrainStep(e, m, opt, train.NewSlots(m, opt), 3, 1)
		require.NoError(t, err)
		eval, err := train.NewEvalStep(e, m, 3)
		require.NoError(t, err)
		for i := range 5 {
			r, err := s.Run(images, labels, 0.05, i)
			require.NoError(t, err)
			now, err := eval.Run(images, labels, 0, 0)
			require.NoError(t, err)
			all = append(all, float32(r.Loss), float32(now.Loss))
		}
		require.NoError(t, errors.Join(s.Close(), eval.Close()))
		for _, w := range m.Weights() {
			all = append(all, w.Value.Data().([]float32)...)
		}
		return all
	}
	ways := []string{tinyProduct, "tiny images by cuDNN", ""}
	if testing.Short() {
		ways = ways[:1]
	}
	for _, way := range ways {
		cuda.Force(t, way)
		want := run("", "0")
		require.False(t, math.IsNaN(float64(want[0])))
		for _, order := range []string{"random", "reverse", "other"} {
			require.True(t, slices.Equal(want, run(order, "1")), "way %q, order %q", way, order)
		}
	}
}
