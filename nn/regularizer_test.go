package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// onBoth runs a function of a weight, and its gradient where it is a scalar, on Gorgonia's machine and on the CPU engine.
func onBoth(t *testing.T, w *tensor.Dense, f func(w *gorgonia.Node) (*gorgonia.Node, error), check func(y, dw gorgonia.Value)) {
	for _, engine := range []bool{false, true} {
		g := gorgonia.NewGraph()
		n := gorgonia.NewTensor(g, w.Dtype(), w.Dims(), gorgonia.WithShape(w.Shape()...), gorgonia.WithName("w"), gorgonia.WithValue(w.Clone()))
		y, err := f(n)
		require.NoError(t, err)
		out := gorgonia.Nodes{y}
		if y.IsScalar() {
			grads, err := gorgonia.Grad(y, n)
			require.NoError(t, err)
			out = append(out, grads...)
		}
		values := make([]gorgonia.Value, 2)
		if engine {
			vm, err := graph.Compile(g, graph.WithOutputs(out...))
			require.NoError(t, err)
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			for i, o := range out {
				values[i], err = vm.Value(o)
				require.NoError(t, err)
			}
		} else {
			run(t, g, func() {})
			for i, o := range out {
				values[i] = o.Value()
			}
		}
		check(values[0], values[1])
	}
}

func TestGoldenRegularizers(t *testing.T) {
	regularizers := map[string]Regularizer{"l1": L1(0.25), "l2": L2(0.125), "l1_l2": L1L2{L1: 0.25, L2: 0.125}, "l1_l2 of l1": L1L2{L1: 0.5},
		"orthogonal rows": OrthogonalRegularizer{}, "orthogonal columns": OrthogonalRegularizer{Factor: 0.5, Columns: true}}
	for _, c := range numtest.LoadGolden(t, "testdata/golden/regularizers.json").Cases {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(c.Name, func(t *testing.T) {
				c := c.For(t)
				onBoth(t, c.Tensor("w").Dense(dt), regularizers[c.Name].Penalty, func(y, dw gorgonia.Value) {
					numtest.AssertClose(t, c.Tensor("y"), y, numtest.GoldenTol(dt, numtest.Reduction), "y")
					numtest.AssertClose(t, c.Tensor("dw"), dw, numtest.GoldenTol(dt, numtest.Gradient), "dw")
				})
			})
		}
	}
}

func TestGoldenConstraints(t *testing.T) {
	filters := []int{0, 1, 2}
	constraints := map[string]Constraint{"max_norm": MaxNorm{}, "max_norm filters": MaxNorm{MaxValue: 1.5, Axis: filters},
		"max_norm rows": MaxNorm{MaxValue: 0.5, Axis: []int{1}}, "non_neg": NonNeg{}, "unit_norm": UnitNorm{}, "unit_norm filters": UnitNorm{Axis: filters},
		"min_max_norm": MinMaxNorm{}, "min_max_norm rate": MinMaxNorm{MinValue: 0.5, MaxValue: 1.5, Rate: 0.25, Axis: []int{-1}}}
	for _, c := range numtest.LoadGolden(t, "testdata/golden/constraints.json").Cases {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(c.Name, func(t *testing.T) {
				c := c.For(t)
				onBoth(t, c.Tensor("w").Dense(dt), constraints[c.Name].Project, func(y, _ gorgonia.Value) {
					numtest.AssertClose(t, c.Tensor("y"), y, numtest.GoldenTol(dt, numtest.Reduction), "y")
				})
			})
		}
	}
}

func TestGradientsOfRegularizers(t *testing.T) {
	b := NewBuilder("")
	in := b.Input(Shape{4})
	x := b.Add(Dense{Units: 5, Activation: Tanh, KernelRegularizer: L1L2{L1: 0.1, L2: 0.2}, BiasRegularizer: L1(0.3), BiasInitializer: Constant{0.5}}, in)
	x = b.Add(Dense{Units: 3, KernelRegularizer: OrthogonalRegularizer{Factor: 2}}, x)
	m, err := b.Model(in, x)
	require.NoError(t, err)
	checkGradients(t, m, random(tensor.Float64, 1, 3, 4), labelsOf(3, 3), true)
}

// One row has no pair.
func TestOrthogonalRegularizerOfOneRow(t *testing.T) {
	onBoth(t, random(tensor.Float64, 1, 1, 4), OrthogonalRegularizer{}.Penalty, func(y, dw gorgonia.Value) {
		require.InDelta(t, 0, float64s(t, y)[0], 1e-15)
		require.InDeltaSlice(t, make([]float64, 4), float64s(t, dw), 1e-15)
	})
}

func TestRegularizerAndConstraintErrors(t *testing.T) {
	for want, l := range map[string]Dense{
		"L1 is -1":                                 {KernelRegularizer: L1(-1)},
		"L1L2.L2 is NaN":                           {KernelRegularizer: L1L2{L1: 1, L2: math.NaN()}},
		"L1L2.L1 is -1":                            {BiasRegularizer: L1L2{L1: -1}},
		"OrthogonalRegularizer.Factor is -1":       {KernelRegularizer: OrthogonalRegularizer{Factor: -1}},
		"wants a weight of 2 axes":                 {BiasRegularizer: OrthogonalRegularizer{}},
		"MaxNorm.MaxValue must not be negative":    {KernelConstraint: MaxNorm{MaxValue: -1}},
		"MinMaxNorm wants MinValue ≤ MaxValue":     {KernelConstraint: MinMaxNorm{MinValue: 2}},
		"MinMaxNorm.Rate must be at most 1, is 2":  {KernelConstraint: MinMaxNorm{Rate: 2}},
		"MaxNorm has Axis [1] for a weight of":     {BiasConstraint: MaxNorm{Axis: []int{1}}},
		"UnitNorm has Axis [0 -2] for a weight of": {KernelConstraint: UnitNorm{Axis: []int{0, -2}}},
	} {
		l.Units = 2
		b := NewBuilder("m")
		b.Add(l, b.Input(Shape{3}))
		require.ErrorIs(t, b.Err(), ErrArgument, want)
		require.ErrorContains(t, b.Err(), want)
	}
	_, err := OrthogonalRegularizer{}.Penalty(gorgonia.NewVector(gorgonia.NewGraph(), tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("w")))
	require.ErrorIs(t, err, ErrArgument)
}

func TestRegularizersByName(t *testing.T) {
	for want, got := range map[string]interface{ String() string }{
		"l1(0.25)": L1(0.25), "l1_l2(l1=0.5, l2=0)": L1L2{L1: 0.5}, "orthogonal_regularizer(factor=0.01, mode=rows)": OrthogonalRegularizer{},
		"max_norm(max_value=2, axis=[0])": MaxNorm{}, "non_neg": NonNeg{}, "unit_norm(axis=[1])": UnitNorm{Axis: []int{1}},
		"min_max_norm(min_value=0, max_value=1, rate=1, axis=[0])": MinMaxNorm{},
	} {
		require.Equal(t, want, got.String())
	}
}
