package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// TestLabelsOutOfRange: a wrong label is an error before anything is updated, and the machine goes on with right ones.
func TestLabelsOutOfRange(t *testing.T) {
	for _, o := range []op.Op{&op.SoftmaxCrossEntropy{}, &op.CrossEntropy{}, &op.TopKCorrect{K: 1}} {
		t.Run(o.Kind(), func(t *testing.T) {
			g := gorgonia.NewGraph()
			scores := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(3, 4), gorgonia.WithName("scores"),
				gorgonia.WithValue(tensor.New(tensor.WithShape(3, 4), tensor.Of(tensor.Float32))))
			classes := []int{0, 3, 1}
			labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(3), gorgonia.WithName("labels"),
				gorgonia.WithValue(tensor.New(tensor.WithBacking(classes))))
			y, err := op.Apply(o, scores, labels)
			require.NoError(t, err)
			e, err := cpu.New(cpu.Config{Threads: 1})
			require.NoError(t, err)
			defer e.Close()
			m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
			require.NoError(t, err)
			defer m.Close()
			require.NoError(t, m.RunAll())
			for _, bad := range []int{-1, 4} {
				classes[1] = bad
				var se *graph.StepError
				require.ErrorAs(t, m.RunAll(), &se)
				require.ErrorContains(t, se, "label of row 1 is")
				require.ErrorContains(t, se, "want 0 to 3")
			}
			classes[1] = 2
			require.NoError(t, m.RunAll())
		})
	}
}
