package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// twoHeads is a net with a loss at its end, and with one in its middle, too, if there is to be one.
func twoHeads(b *enginetest.B, middle bool) {
	x := b.Input("x", 64, 32)
	h := x
	var sum *gorgonia.Node
	head := func(name string) {
		scores := b.Apply(&op.MatMul{}, h, b.Input("w "+name, 32, 4))
		loss := b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, scores, b.Labels(name, 64, 4)))
		if sum != nil {
			loss = b.Apply(&op.Add{}, sum, loss)
		}
		sum = loss
	}
	for i := range 12 {
		h = b.Apply(&op.ReLU{}, b.Apply(&op.MatMul{}, h, b.Input(fmt.Sprint("w", i), 32, 32)))
		if middle && i == 1 {
			head("middle")
		}
	}
	head("end")
	b.CostGrads(b.Want("loss", numtest.Reduction, sum), x)
}

// A loss in the middle of a net, whose gradient comes along with it, does not end the forward pass: what follows is computed again, too.
func TestRecomputeBehindAnEarlyLoss(t *testing.T) {
	for _, middle := range []bool{false, true} {
		arena := func(r graph.Recompute) int {
			b := enginetest.NewB(t, tensor.Float32)
			twoHeads(b, middle)
			p := b.Plan(graph.WithRecompute(r))
			require.Contains(t, p.String(), "SoftmaxCrossEntropy+mean+grad")
			return p.ArenaBytes
		}
		require.Less(t, arena(graph.RecomputeSegments(4)), arena(graph.RecomputeOff)*2/3, "a loss in the middle: %t", middle)
		c := enginetest.Case{Name: "heads", Build: func(b *enginetest.B) { twoHeads(b, middle) }, Runs: 2}
		for _, r := range []graph.Recompute{graph.RecomputeCheap, graph.RecomputeSegments(4)} {
			c.RequireExact(t, enginetest.Checker{}, graph.WithRecompute(r))
		}
	}
}
