//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Many small inputs of all sizes arrive in every run, in few copies: also more than one parcel takes, and those that are fed twice.
func TestManySmallInputs(t *testing.T) {
	e := open(t, cuda.Config{})
	for _, n := range []int{1, 2, 63, 64, 65, 150} {
		g := gorgonia.NewGraph()
		var inputs [][]float32
		var outputs gorgonia.Nodes
		for i := range n {
			size := []int{1, 3, 4, 5, 17, 1000, 16384}[i%7]
			values := make([]float32, size)
			inputs = append(inputs, values)
			x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(size), gorgonia.WithName(fmt.Sprint("x", i)),
				gorgonia.WithValue(tensor.New(tensor.WithShape(size), tensor.WithBacking(values))))
			y, err := op.Apply(&op.Scale{Factor: 2}, x)
			require.NoError(t, err)
			outputs = append(outputs, y)
		}
		m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(outputs...))
		require.NoError(t, err)
		number := 0
		fill := func() {
			for i, x := range inputs {
				for k := range x {
					x[k] = float32(1000*number + 10*i + k%10)
				}
			}
			number++
		}
		for run := range 5 {
			fill()
			if run%2 == 1 { // replaced before the run
				require.NoError(t, m.Feed())
				fill()
				require.NoError(t, m.Feed())
				fill()
			}
			require.NoError(t, m.RunAll())
			for i, y := range outputs {
				v, err := m.Value(y)
				require.NoError(t, err)
				want := make([]float32, len(inputs[i]))
				for k, x := range inputs[i] {
					want[k] = 2 * x
				}
				if run%2 == 1 {
					for k := range want { // what was fed counts
						want[k] -= 2000
					}
				}
				require.Equal(t, want, v.Data(), "%d inputs, run %d, output %d", n, run, i)
			}
		}
		fill()
		require.NoError(t, m.Feed()) // closed with a parcel that was not sent
		require.NoError(t, m.Close())
	}
}
