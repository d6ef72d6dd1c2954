//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// scoresOf is a graph of the loss of some rows, whose scores are given, of its gradient, and of how many labels are among the best.
func scoresOf(b *enginetest.B, scores []float32, n, classes int) (loss *gorgonia.Node) {
	x := b.Filled("x", scores, n, classes)
	logits, labels := b.Apply(&op.Scale{Factor: 2}, x), b.Labels("labels", n, classes)
	for _, k := range []int{1, 5} {
		b.Want(fmt.Sprint("top ", k), numtest.Elementwise, b.Apply(&op.TopKCorrect{K: k}, logits, labels))
	}
	loss = b.Want("loss", numtest.Reduction, b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, logits, labels)))
	b.CostGrads(loss, x)
	return loss
}

// What many blocks add up is the same run after run, in whichever order they come.
func TestScoresOfManyBlocks(t *testing.T) {
	const n, classes, runs = 6000, 10, 6
	scores := make([]float32, n*classes)
	numtest.FillUniform("scores", 1, 2, scores)
	b := enginetest.NewB(t, tensor.Float32)
	loss := scoresOf(b, scores, n, classes)
	m := b.Compile(open(t, cuda.Config{}))
	defer m.Close()
	var first []float64
	for run := range runs {
		t.Setenv("STHENO_SIM_ORDER", []string{"", "reverse", "random"}[run%3])
		require.NoError(t, m.RunAll())
		v, err := m.Value(loss)
		require.NoError(t, err)
		first = append(first, float64(*v.(*gorgonia.F32)))
		require.Equal(t, math.Float64bits(first[0]), math.Float64bits(first[run]), "run %d", run)
	}
}

// A score that is NaN spoils the loss and its row's gradient; no label of such a row counts, and the others do.
func TestScoresThatAreNaN(t *testing.T) {
	const n, classes = 40, 6
	scores := make([]float32, n*classes)
	numtest.FillUniform("scores", 1, 2, scores)
	for i := range classes {
		scores[7*classes+i] = float32(math.NaN())
	}
	scores[9*classes+2] = float32(math.Inf(1))
	enginetest.Case{Name: "NaN", Runs: 2, Build: func(b *enginetest.B) {
		scoresOf(b, scores, n, classes)
	}}.RequireClose(t, open(t, cuda.Config{}), tensor.Float32)
}

// The engine has all of it as one step.
func TestScoresAreFused(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	scoresOf(b, make([]float32, 12), 3, 4)
	p := b.Plan(graph.WithEngine(open(t, cuda.Config{})))
	require.Contains(t, p.String(), "SoftmaxCrossEntropy+mean+grad+TopKCorrect(k 1)+TopKCorrect(k 5)")
}
