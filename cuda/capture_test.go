//go:build gpu && cgo && linux

package cuda_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/cuda/internal/sim"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// A run with the addresses of the one before is made a CUDA graph; one with others is not, however often that happens.
func TestGraphsAreMadeOfRunsThatRepeat(t *testing.T) {
	needSimulator(t)
	e := open(t, cuda.Config{})
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("x"))
	y, err := op.Apply(&op.Scale{Factor: 2}, x)
	require.NoError(t, err)
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	v, err := m.Value(y)
	require.NoError(t, err)
	graphs := func() int { c, _ := sim.Live(); return c.Executables }
	before := graphs()
	for i := range 5 {
		require.NoError(t, gorgonia.Let(x, vector(float32(i), 1)))
		require.NoError(t, m.RunAll())
		require.Equal(t, []float32{2 * float32(i), 2}, v.Data())
		require.Equal(t, before, graphs(), "run %d", i)
	}
	for i := range 3 {
		require.NoError(t, m.RunAll())
		require.Equal(t, []float32{8, 2}, v.Data())
		require.Equal(t, before+1, graphs(), "repeated %d times", i+1)
	}
}

// What is not a number stays so through a product and a convolution with a ReLU, whoever computes them.
func TestReLUOfProductsKeepsNaN(t *testing.T) {
	for name, libs := range without {
		e := open(t, cuda.Config{Without: libs})
		g := gorgonia.NewGraph()
		nan := float32(math.NaN())
		a := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 1), gorgonia.WithName("a"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float32{nan, -1}))))
		b := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, 1), gorgonia.WithName("b"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{1}))))
		product, err := op.Apply(&op.MatMul{}, a, b)
		require.NoError(t, err)
		y, err := op.Apply(&op.ReLU{}, product)
		require.NoError(t, err)
		x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(2, 1, 1, 1), gorgonia.WithName("x"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(2, 1, 1, 1), tensor.WithBacking([]float32{nan, -1}))))
		w := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(1, 1, 1, 1), gorgonia.WithName("w"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(1, 1, 1, 1), tensor.WithBacking([]float32{1}))))
		convolved, err := op.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Strides: [2]int{2, 2}}}, x, w)
		require.NoError(t, err)
		z, err := op.Apply(&op.ReLU{}, convolved)
		require.NoError(t, err)
		m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y, z))
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		require.Len(t, m.Plan().Steps, 2, "the ReLUs are fused")
		for _, n := range []*gorgonia.Node{y, z} {
			v, err := m.Value(n)
			require.NoError(t, err)
			got := v.Data().([]float32)
			require.True(t, math.IsNaN(float64(got[0])), name)
			require.Zero(t, got[1], name)
		}
		require.NoError(t, m.Close())
	}
}
