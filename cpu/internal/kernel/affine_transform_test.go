package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Images and gradients are the reference's, bit by bit, on any number of threads.
func TestAffineTransform(t *testing.T) {
	bothTypes(t, testAffineTransform[float32], testAffineTransform[float64])
}

func uniform[T Float](name string, limit float64, to []T) {
	numbers := make([]float32, len(to))
	numtest.FillUniform(name, 1, limit, numbers)
	for i, v := range numbers {
		to[i] = T(v)
	}
}

func testAffineTransform[T Float](t *testing.T) {
	for i, s := range [][4]int{{1, 1, 1, 1}, {3, 5, 4, 3}, {2, 40, 33, 2}, {35, 2, 3, 9}} {
		for border := op.BorderConstant; border <= op.BorderNearest; border++ {
			sampling := op.Sampling{Nearest: (i+int(border))%2 == 0, Border: border, Fill: 0.3}
			shape := tensor.Shape{s[0], s[1], s[2], s[3]}
			x, transforms := make([]T, shape.TotalSize()), make([]T, 8*s[0])
			uniform("images", 1, x)
			uniform("transforms", 0.8, transforms)
			for j := range transforms {
				switch j % 8 {
				case 0, 4:
					transforms[j]++
				case 2, 5:
					transforms[j] *= T(s[2])
				case 6, 7:
					transforms[j] /= 40
				}
			}
			of := op.Array{Shape: shape, Data: x}
			by := op.Array{Shape: tensor.Shape{s[0], 8}, Data: transforms}
			want, err := op.NewArray(dtype[T](), shape)
			require.NoError(t, err)
			back, err := op.NewArray(dtype[T](), shape)
			require.NoError(t, err)
			require.NoError(t, (&op.AffineTransform{Sampling: sampling}).Reference(want, []op.Array{of, by}))
			require.NoError(t, (&op.AffineTransformGrad{Sampling: sampling}).Reference(back, []op.Array{by, of}))
			for _, threads := range []int{1, 3} {
				p := pool.New(threads)
				for gradient, want := range map[bool]op.Array{false: want, true: back} {
					k, err := NewAffineTransform[T](p, s, sampling, gradient)
					require.NoError(t, err)
					y := make([]T, len(x))
					uniform("before", 1, y)
					k.Run(y, x, transforms)
					require.Equal(t, want.Data, y, "%v %v, gradient %t", s, sampling, gradient)
				}
				p.Close()
			}
		}
	}
	_, err := NewAffineTransform[T](nil, [4]int{2, 0, 3, 1}, op.Sampling{}, false)
	require.ErrorContains(t, err, "want no empty axis")
}
