package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/augment"
)

func TestCropAndResize(t *testing.T) {
	bothTypes(t, testCropAndResize[float32], testCropAndResize[float64])
}

func testCropAndResize[T Float](t *testing.T) {
	const pixels = 200
	for _, n := range []int{1, 2, 33, 34, 35} {
		for _, s := range [][3]int{{32, 32, 3}, {5, 7, 1}, {3, 4, 9}} {
			o := &op.CropAndResize{Height: s[0], Width: s[1], To: dtype[T](), Cutout: []int{0, 2, 0, 3}[n%4], Mixup: n%4 > 1}
			for c := range s[2] {
				o.Mean, o.Std = append(o.Mean, 0.1*float32(c)), append(o.Std, 0.3+0.1*float32(c))
			}
			x, draws := make([]byte, n*pixels*s[2]), make([]int, n*o.Numbers())
			for i := range x {
				x[i] = byte(i * 37)
			}
			for i := range n {
				b := augment.Box{Rows: 1 + i%14, Columns: 14 - i%3, Top: i * 99, Left: i * 1234, Flip: i%2 == 1}
				b.Height, b.Width = (b.Rows*augment.Unit-b.Top)*2/3, (b.Columns*augment.Unit-b.Left)/(1+i%4)
				draw := draws[i*o.Numbers() : (i+1)*o.Numbers()]
				b.Put(draw)
				kind := augment.Kind{Boxes: true, Cutout: o.Cutout, Mixup: o.Mixup}
				if o.Cutout > 0 {
					kind.PutMiddle(draw, i%s[0], 2*i%s[1])
				}
				if o.Mixup {
					kind.PutMix(draw, (5*i+2)%n, augment.Whole-i*i*999)
				}
			}
			want, err := op.NewArray(o.To, tensor.Shape{n, s[0], s[1], s[2]})
			require.NoError(t, err)
			require.NoError(t, o.Reference(want, []op.Array{{Shape: tensor.Shape{n, pixels, s[2]}, Data: x}, {Shape: tensor.Shape{n, o.Numbers()}, Data: draws}}))
			for _, threads := range []int{1, 3} {
				p := pool.New(threads)
				k, err := NewCropAndResize[T](p, n, pixels, s, o.Cutout, o.Mixup, augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std})
				require.NoError(t, err)
				y := make([]T, want.Shape.TotalSize())
				k.Run(y, x, draws)
				require.Equal(t, want.Data, y)
				p.Close()
			}
		}
	}
	_, err := NewCropAndResize[T](nil, 1, 0, [3]int{1, 1, 1}, 0, false, augment.Normalize{})
	require.ErrorContains(t, err, "at least one")
	_, err = NewCropAndResize[T](nil, 1, 1, [3]int{1, 1, 2}, 0, false, augment.Normalize{Mean: []float32{1}})
	require.ErrorContains(t, err, "Mean has 1 values")
}
