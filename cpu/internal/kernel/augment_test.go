package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/augment"
)

func TestAugment(t *testing.T) { bothTypes(t, testAugment[float32], testAugment[float64]) }

func testAugment[T Float](t *testing.T) {
	for _, n := range []int{1, 2, 33} {
		for _, s := range [][3]int{{32, 32, 3}, {5, 7, 1}, {3, 4, 9}} {
			for _, kind := range []augment.Kind{{}, {Cutout: 2}, {Mixup: true}, {Cutout: 3, Mixup: true}} {
				testAugmentOf[T](t, n, s, kind)
			}
		}
	}
	_, err := NewAugment[T](nil, 0, [3]int{1, 1, 1}, 0, false, augment.Normalize{})
	require.ErrorContains(t, err, "at least one")
	_, err = NewAugment[T](nil, 1, [3]int{1, 1, 2}, 0, false, augment.Normalize{Mean: []float32{1}})
	require.ErrorContains(t, err, "Mean has 1 values")
}

func testAugmentOf[T Float](t *testing.T, n int, s [3]int, kind augment.Kind) {
	o := &op.Augment{Padding: 2, Cutout: kind.Cutout, Mixup: kind.Mixup, To: dtype[T]()}
	for c := range s[2] {
		o.Mean, o.Std = append(o.Mean, 0.1*float32(c)), append(o.Std, 0.3+0.1*float32(c))
	}
	shape := tensor.Shape{n, s[0], s[1], s[2]}
	width := o.Numbers()
	x, draws, index := make([]byte, shape.TotalSize()), make([]int, width*n), make([]int, n)
	for i := range x {
		x[i] = byte(i * 37)
	}
	for i := range n {
		d := draws[width*i:]
		copy(d, []int{i%5 - 2, i/5%5 - 2, i % 2})
		if kind.Cutout > 0 {
			d[3], d[4] = i%s[0], i*3%s[1]
		}
		if kind.Mixup {
			d[width-2], d[width-1] = (i*7+3)%n, 1<<24-i<<16
		}
		index[i] = (i*5 + 1) % n
	}
	for _, indexed := range []bool{false, true} {
		o.Indexed = indexed
		in := []op.Array{{Shape: shape, Data: x}, {Shape: tensor.Shape{n, width}, Data: draws}, {Shape: tensor.Shape{n}, Data: index}}
		chosen := index
		if !indexed {
			in, chosen = in[:2], nil
		}
		want, err := op.NewArray(o.To, shape)
		require.NoError(t, err)
		require.NoError(t, o.Reference(want, in))
		for _, threads := range []int{1, 3} {
			p := pool.New(threads)
			k, err := NewAugment[T](p, n, s, kind.Cutout, kind.Mixup, augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std})
			require.NoError(t, err)
			y := make([]T, len(x))
			k.Run(y, x, draws, chosen)
			require.Equal(t, want.Data, y)
			p.Close()
		}
	}
}
