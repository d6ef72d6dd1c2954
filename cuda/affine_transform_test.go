//go:build gpu

package cuda_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Images and gradients are the host's, bit by bit.
func TestAffineTransform(t *testing.T) {
	e := open(t, cuda.Config{})
	r := rand.New(rand.NewPCG(3, 4))
	for border := op.BorderConstant; border <= op.BorderNearest; border++ {
		shape, n := tensor.Shape{3, 17, 12, 3}, 3*17*12*3
		s := op.Sampling{Border: border, Nearest: border == op.BorderWrap, Fill: 0.3}
		images, transforms := make([]float32, n), make([]float32, 8*shape[0])
		for i := range images {
			images[i] = float32(r.NormFloat64())
		}
		for i := range transforms {
			transforms[i] = float32(r.NormFloat64() * []float64{0.4, 0.4, 5, 0.4, 0.4, 5, 0.01, 0.01}[i%8])
		}
		of := op.Array{Shape: shape, Data: images}
		by := op.Array{Shape: tensor.Shape{shape[0], 8}, Data: transforms}
		for _, c := range []struct {
			o  op.Op
			in []op.Array
		}{{&op.AffineTransform{Sampling: s}, []op.Array{of, by}}, {&op.AffineTransformGrad{Sampling: s}, []op.Array{by, of}}} {
			g := gorgonia.NewGraph()
			var in gorgonia.Nodes
			for i, a := range c.in {
				in = append(in, gorgonia.NewTensor(g, tensor.Float32, len(a.Shape), gorgonia.WithName([]string{"first", "second"}[i]),
					gorgonia.WithShape(a.Shape...), gorgonia.WithValue(a.Value())))
			}
			y, err := op.Apply(c.o, in...)
			require.NoError(t, err)
			want, err := op.NewArray(tensor.Float32, shape)
			require.NoError(t, err)
			require.NoError(t, c.o.Reference(want, c.in))
			m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(y))
			require.NoError(t, err)
			require.NoError(t, m.RunAll())
			require.Equal(t, want.Data, y.Value().Data(), "%v", c.o)
			require.NoError(t, m.Close())
		}
	}
}
