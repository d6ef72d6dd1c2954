package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// RunResident says of an engine that what is changed in resident inputs counts after Refresh and when another tensor is bound, for
// all that is made of them: kept weights, folded batch norms, penalties.
func RunResident(t *testing.T, e graph.Engine) {
	for name, build := range map[string]func(b *B){
		"residual net": func(b *B) { inferenceNet(b, shape.NHWC) },
		"evaluation":   evaluation,
		"dense": func(b *B) {
			b.Want("y", numtest.Reduction, b.Apply(&op.MatMul{}, b.Input("x", 4, 6), b.Weight("w", 6, 5)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewB(t, tensor.Float32)
			build(b)
			m := b.Compile(e)
			defer func() { require.NoError(t, m.Close()) }()
			run := func() []float64 {
				require.NoError(t, m.RunAll())
				v, err := m.Value(b.wanted[0].node)
				require.NoError(t, err)
				return floats(t, v)
			}
			first := run()
			require.Equal(t, first, run(), "the same in every run")
			for _, n := range b.resident {
				x := n.Value().Data().([]float32)
				for i := range x {
					x[i] = 0.75*x[i] + 0.125
				}
			}
			require.NoError(t, m.Refresh())
			second := run()
			require.NotEqual(t, first, second)
			require.Equal(t, b.fresh(e), second, "after Refresh")
			for _, n := range b.resident {
				old := n.Value().(*tensor.Dense)
				other := old.Clone().(*tensor.Dense)
				for i, x := range other.Float32s() {
					other.Float32s()[i] = 0.5*x + 0.25
				}
				require.NoError(t, gorgonia.Let(n, other))
			}
			third := run()
			require.NotEqual(t, second, third)
			require.Equal(t, b.fresh(e), third, "after Let")
			require.Equal(t, third, run())
		})
	}
}

// fresh is the first wanted value as another machine computes it with the inputs as they are now.
func (b *B) fresh(e graph.Engine) []float64 {
	t := b.T.(*testing.T)
	m := b.Compile(e)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.RunAll())
	v, err := m.Value(b.wanted[0].node)
	require.NoError(t, err)
	return floats(t, v)
}
