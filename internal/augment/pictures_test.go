package augment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Images that are mixed where they lie are those that are made one by one, whatever the permutation.
func TestMixAll(t *testing.T) {
	for _, order := range [][]int{{0}, {1, 0}, {0, 1, 2}, {1, 2, 3, 0}, {4, 0, 3, 2, 1, 5}, {2, 3, 0, 1}} {
		for _, planar := range []bool{false, true} {
			n := len(order)
			p := Pictures[float32]{Kind: Kind{Boxes: true, Cutout: 3, Mixup: true}, Shape: [3]int{6, 5, 3}, Room: 8 * 7 * 3, Affine: NewAffine[float32](3, Normalize{}), Planar: planar}
			p.Bytes, p.Draws = make([]byte, n*p.Room), make([]int, n*p.Numbers())
			for i := range p.Bytes {
				p.Bytes[i] = byte(i * i / 7)
			}
			for i, with := range order {
				draw := p.draw(i)
				Box{Rows: 8, Columns: 7, Height: 7 * Unit, Width: 5 * Unit, Flip: i%2 == 1}.Put(draw)
				p.PutMiddle(draw, i%6, i%5)
				p.PutMix(draw, with, Whole*3/4+i)
			}
			var z Resizer[float32]
			size := 6 * 5 * 3
			want, got, spare := make([]float32, n*size), make([]float32, n*size), make([]float32, size)
			for i := range n {
				p.Make(want[i*size:(i+1)*size], i, &z, spare)
				p.MakeOwn(got[i*size:(i+1)*size], i, p.Bytes[i*p.Room:(i+1)*p.Room], &z)
			}
			p.MixAll(got, spare)
			require.Equal(t, want, got, "%v", order)
		}
	}
}
