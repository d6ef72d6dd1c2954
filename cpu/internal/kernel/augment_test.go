package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
)

func TestAugment(t *testing.T) { bothTypes(t, testAugment[float32], testAugment[float64]) }

func testAugment[T Float](t *testing.T) {
	for _, n := range []int{1, 2, 33} {
		for _, s := range [][3]int{{32, 32, 3}, {5, 7, 1}, {3, 4, 9}} {
			o := &op.Augment{Padding: 2, To: dtype[T]()}
			for c := range s[2] {
				o.Mean, o.Std = append(o.Mean, 0.1*float32(c)), append(o.Std, 0.3+0.1*float32(c))
			}
			shape := tensor.Shape{n, s[0], s[1], s[2]}
			x, draws := make([]byte, shape.TotalSize()), make([]int, 3*n)
			for i := range x {
				x[i] = byte(i * 37)
			}
			for i := range n {
				copy(draws[3*i:], []int{i%5 - 2, i/5%5 - 2, i % 2})
			}
			want, err := op.NewArray(o.To, shape)
			require.NoError(t, err)
			require.NoError(t, o.Reference(want, []op.Array{{Shape: shape, Data: x}, {Shape: tensor.Shape{n, 3}, Data: draws}}))
			for _, threads := range []int{1, 3} {
				p := pool.New(threads)
				k, err := NewAugment[T](p, n, s, o.Mean, o.Std)
				require.NoError(t, err)
				y := make([]T, len(x))
				k.Run(y, x, draws)
				require.Equal(t, want.Data, y)
				p.Close()
			}
		}
	}
	_, err := NewAugment[T](nil, 0, [3]int{1, 1, 1}, nil, nil)
	require.ErrorContains(t, err, "at least one")
	_, err = NewAugment[T](nil, 1, [3]int{1, 1, 2}, []float32{1}, nil)
	require.ErrorContains(t, err, "Mean has 1 values")
}
