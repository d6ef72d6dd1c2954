package reference_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/bench/internal/reference"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// The suite of all engines, in float64 and on graphs as they stand.
func TestConformance(t *testing.T) {
	enginetest.RunWithoutPasses(t, func(*testing.T) graph.Engine { return reference.Engine{} }, tensor.Float64)
}

// Products agree with the plain loops of the operations, also where images are many and patches large.
func TestProductsAreTheReferences(t *testing.T) {
	for _, c := range []struct {
		x, w  tensor.Shape
		attrs op.ConvAttrs
	}{
		{tensor.Shape{2, 5, 6, 3}, tensor.Shape{3, 3, 3, 4}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}},
		{tensor.Shape{1, 7, 5, 2}, tensor.Shape{3, 2, 2, 5}, op.ConvAttrs{Strides: [2]int{2, 1}, Dilations: [2]int{1, 2}}},
		{tensor.Shape{3, 9, 9, 1}, tensor.Shape{7, 7, 1, 2}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Explicit, Top: 3, Bottom: 2, Left: 1, Right: 4}}},
		{tensor.Shape{70, 8, 8, 64}, tensor.Shape{5, 5, 64, 3}, op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}}, // in chunks
		{tensor.Shape{2, 4, 4, 6}, tensor.Shape{3, 3, 3, 4}, op.ConvAttrs{Groups: 2}},
		{tensor.Shape{2, 3, 5, 5}, tensor.Shape{3, 3, 3, 4}, op.ConvAttrs{Format: shape.NCHW}},
	} {
		t.Run(fmt.Sprint(c.x, c.w), func(t *testing.T) {
			b := enginetest.NewB(t, tensor.Float64)
			x, w := b.Input("x", c.x...), b.Input("w", c.w...)
			y := b.Want("y", numtest.Reduction, b.Apply(&op.Conv2D{ConvAttrs: c.attrs}, x, w))
			grads := b.Grads(y, x, w)
			values := func(e graph.Engine) (all [][]float64) {
				m := b.Compile(e, graph.WithoutPasses())
				defer m.Close()
				require.NoError(t, m.RunAll())
				for _, n := range append(grads, y) {
					v, err := m.Value(n)
					require.NoError(t, err)
					all = append(all, append([]float64(nil), v.Data().([]float64)...))
				}
				return all
			}
			want, got := values(enginetest.Reference{}), values(reference.Engine{})
			for i := range want {
				numtest.AssertClose(t, want[i], got[i], numtest.Tol(tensor.Float64, numtest.Gradient), "result")
			}
		})
	}
}

func TestRunsEndWhenCheckSaysSo(t *testing.T) {
	enough, asked := errors.New("enough"), 0
	b := enginetest.NewB(t, tensor.Float64)
	y := b.Apply(&op.ReLU{}, b.Apply(&op.Scale{Factor: 2}, b.Input("x", 3)))
	b.Want("y", numtest.Elementwise, y)
	m := b.Compile(reference.Engine{Check: func() error {
		if asked++; asked == 2 {
			return enough
		}
		return nil
	}}, graph.WithoutPasses())
	defer m.Close()
	require.ErrorIs(t, m.RunAll(), enough)
	require.NoError(t, m.RunAll())
}

func TestFusedPlansAreRefused(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	x, w, c := b.Input("x", 2, 3), b.Input("w", 3, 4), b.Input("c", 4)
	b.Want("y", numtest.Reduction, b.Apply(&op.BiasAdd{Axis: 1}, b.Apply(&op.MatMul{}, x, w), c))
	_, err := reference.Engine{}.Build(b.Plan())
	require.ErrorContains(t, err, "compile with graph.WithoutPasses")
}
