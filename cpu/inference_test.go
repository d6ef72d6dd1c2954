package cpu_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

func TestResident(t *testing.T) {
	for _, threads := range []int{1, 3} {
		enginetest.RunResident(t, open(t, threads))
	}
}

// inference compiles a net for batches of n images.
func inference(t testing.TB, e graph.Engine, m *nn.Model, size, n int, dt tensor.Dtype, opts ...graph.Option) (*graph.Machine, *gorgonia.Node) {
	t.Helper()
	g := gorgonia.NewGraph()
	v := numtest.Uniform(uint64(n), dt, 0, 1, n, size, size, 3)
	x := gorgonia.NewTensor(g, dt, 4, gorgonia.WithShape(n, size, size, 3), gorgonia.WithName("image"), gorgonia.WithValue(v))
	net, err := m.Build(g, nn.BuildConfig{Batch: n, Input: x, Dtype: dt})
	require.NoError(t, err)
	opts = append([]graph.Option{graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...)}, opts...)
	machine, err := graph.Compile(g, opts...)
	require.NoError(t, err)
	return machine, net.Output
}

// Whole nets in inference, fused, folded and packed, are as near to the truth as step by step; the number of threads does not change
// a bit. In float64, where rounding has no room to grow, they say the same.
func TestNetsInInference(t *testing.T) {
	one, two := open(t, 1), open(t, 2)
	names := []string{"simplecnn", "vgg16", "resnet50", "mobilenetv2", "resnet18", "resnext50-32x4d", "keras-resnet50v2"}
	if testing.Short() {
		names = names[:4]
	}
	if numtest.Race { // convolutions with and without folded norms, products, residuals, depthwise convolutions
		names = []string{"simplecnn", "mobilenetv2"}
	}
	for i, name := range names {
		sizes := []int{1, 3, 16}
		if testing.Short() || i > 2 {
			sizes = sizes[1:2]
		}
		a, err := arch.ByName(name, arch.Config{})
		require.NoError(t, err)
		m, err := a.Model()
		require.NoError(t, err)
		require.NoError(t, m.Initialize(1, tensor.Float32))
		statistics(m)
		wide := widened(t, a, m)
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s batch %d", name, n), func(t *testing.T) {
				run := func(e graph.Engine, m *nn.Model, opts ...graph.Option) []float64 {
					machine, y := inference(t, e, m, 32, n, m.Weights()[0].Value.Dtype(), opts...)
					defer func() { require.NoError(t, machine.Close()) }()
					require.NoError(t, machine.RunAll())
					v, err := machine.Value(y)
					require.NoError(t, err)
					first := numbers(v)
					require.NoError(t, machine.RunAll())
					require.Equal(t, first, numbers(v), "the same in every run")
					if numtest.Race { // allocations are counted on one CPU
						return first
					}
					require.Zero(t, testing.AllocsPerRun(3, func() {
						if err := machine.RunAll(); err != nil {
							t.Fatal(err)
						}
					}))
					return first
				}
				if numtest.Race { // steps of their own are those of the conformance suite
					run(two, m)
					return
				}
				truth, plain, got := run(two, wide, graph.WithoutPasses()), run(two, m, graph.WithoutPasses()), run(two, m)
				require.LessOrEqual(t, furthest(got, truth), 2*furthest(plain, truth)+1e-6)
				require.Equal(t, got, run(one, m), "with one thread")
				require.LessOrEqual(t, furthest(run(one, wide), truth), 1e-11)
			})
		}
	}
}

// numbers copies a value as float64.
func numbers(v gorgonia.Value) []float64 {
	if x, ok := v.Data().([]float64); ok {
		return append([]float64(nil), x...)
	}
	narrow := v.Data().([]float32)
	x := make([]float64, len(narrow))
	for i, f := range narrow {
		x[i] = float64(f)
	}
	return x
}

func furthest(a, b []float64) (most float64) {
	for i := range a {
		most = max(most, math.Abs(a[i]-b[i]))
	}
	return most
}

// widened is the model with its weights in float64.
func widened(t *testing.T, a arch.Architecture, m *nn.Model) *nn.Model {
	w, err := a.Model()
	require.NoError(t, err)
	require.NoError(t, w.Initialize(1, tensor.Float64))
	for i, from := range m.Weights() {
		copy(w.Weights()[i].Value.Float64s(), numbers(from.Value))
	}
	return w
}

// statistics gives batch norms something to do.
func statistics(m *nn.Model) {
	for i, w := range m.Weights() {
		if x, ok := w.Value.Data().([]float32); ok && len(w.Shape) == 1 {
			r := numtest.Uniform(uint64(i), tensor.Float32, 0.75, 1.25, len(x)).Float32s()
			for k := range x {
				x[k] = x[k]*r[k] + 0.1*(r[k]-1)
			}
		}
	}
}

// In inference, residual nets are convolutions, two poolings and a classifier: batch norms, residuals, activations and borders are
// part of the convolutions.
func TestResNetInInferenceIsConvolutions(t *testing.T) {
	a, err := arch.ByName("resnet50", arch.Config{})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	machine, _ := inference(t, open(t, 2), m, 32, 2, tensor.Float32)
	defer machine.Close()
	kinds := map[string]int{}
	for _, s := range machine.Plan().Steps {
		kinds[s.Instr.Kind()]++
	}
	require.Equal(t, map[string]int{"FoldNorm": 53, "FusedConv2D": 37, "FusedConv2DAdd": 16, "MaxPool2D": 1, "GlobalAvgPool2D": 1, "FusedMatMul": 1, "Softmax": 1}, kinds)
}
