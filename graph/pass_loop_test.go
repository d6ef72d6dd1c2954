package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// tangle makes a graph at random of elementwise steps and of others between them, so that there are many ways out of a
// group of steps and back into it.
func tangle(seed uint64, size int) func(b *enginetest.B) {
	return func(b *enginetest.B) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const n = 3
		square := []*gorgonia.Node{b.Input("x", n, n), b.Input("y", n, n)}
		w := b.Input("w", n, n)
		square = append(square, w)
		any := func() *gorgonia.Node { return square[max(rng.IntN(len(square)), rng.IntN(len(square)))] }
		for i := range size {
			var y *gorgonia.Node
			switch rng.IntN(12) {
			case 0:
				y = b.Must(gorgonia.Tanh(b.Apply(&op.MatMul{}, any(), any())))
			case 1:
				y = b.Must(gorgonia.Mul(any(), b.Must(gorgonia.Tanh(b.Apply(&op.Sum{}, any())))))
			case 2:
				to := tensor.Shape{n * n}
				flat := b.Must(gorgonia.Sin(b.Must(gorgonia.Reshape(any(), to))))
				y = b.Must(gorgonia.Reshape(flat, tensor.Shape{n, n}))
			case 3:
				y = b.Must(gorgonia.BroadcastAdd(any(), b.Input(fmt.Sprint("row ", i), 1, n), nil, []byte{0}))
			case 4:
				y = b.Must(gorgonia.BroadcastHadamardProd(any(), b.Input(fmt.Sprint("column ", i), n, 1), nil, []byte{1}))
			case 5:
				y = b.Apply(&op.ReLU{}, any())
			case 6, 7:
				y = b.Must(gorgonia.Sub(any(), any()))
			case 8:
				y = b.Must(gorgonia.HadamardProd(any(), any()))
			case 9:
				y = b.Must(gorgonia.Sigmoid(any()))
			default:
				y = b.Must(gorgonia.Tanh(any()))
			}
			square = append(square, y)
			if rng.IntN(10) == 0 {
				b.Want(fmt.Sprint("wanted ", i), 0, y)
			}
		}
		b.Want("last", 0, square[len(square)-1])
		b.Update(w, b.Must(gorgonia.Tanh(any())))
	}
}

func TestLoopsOfTangles(t *testing.T) {
	loops := 0
	for seed := range uint64(60) {
		c := enginetest.Case{Name: fmt.Sprint("tangle ", seed), Build: tangle(seed, 40), Runs: 2}
		c.RequireExact(t, enginetest.Checker{Probe: true})
		b := enginetest.NewB(t, tensor.Float32)
		c.Build(b)
		for _, s := range b.Plan().Steps {
			if l, ok := s.Instr.(*ir.Loop); ok {
				loops++
				require.LessOrEqual(t, l.Inputs, 16)
				require.LessOrEqual(t, len(l.Results), 12)
				require.LessOrEqual(t, len(l.Steps), 64)
			}
		}
	}
	require.Greater(t, loops, 100)
}

// The pass takes time in proportion to the steps, also where each search for a way around goes far.
func TestLoopsInLinearTime(t *testing.T) {
	numtest.Sequential(t)
	for _, size := range []int{1000, 10_000} {
		for name, link := range map[string]func(b *enginetest.B, i int, y, x, w *gorgonia.Node) *gorgonia.Node{
			"chain":  func(b *enginetest.B, _ int, y, _, _ *gorgonia.Node) *gorgonia.Node { return b.Must(gorgonia.Tanh(y)) },
			"ladder": func(b *enginetest.B, _ int, y, x, _ *gorgonia.Node) *gorgonia.Node { return b.Must(gorgonia.Sub(y, x)) },
			"far": func(b *enginetest.B, i int, y, x, w *gorgonia.Node) *gorgonia.Node {
				if i%2 == 0 {
					return b.Apply(&op.MatMul{}, y, w)
				}
				return b.Must(gorgonia.HadamardProd(y, x))
			},
		} {
			b := enginetest.NewB(t, tensor.Float32)
			x, w := b.Must(gorgonia.Exp(b.Input("x", 2, 2))), b.Input("w", 2, 2)
			y := b.Must(gorgonia.Neg(x))
			for i := range size {
				y = link(b, i, y, x, w)
			}
			b.Want("y", 0, y)
			before := time.Now()
			_, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
			require.NoError(t, err)
			t.Logf("%s of %d steps: %v", name, size, time.Since(before))
		}
	}
}
