package augment

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// naive says what Place should write, one pixel at a time.
func naive[T float32 | float64](src []byte, shape [3]int, ts []Table[T], planar bool, c Crop) []T {
	h, w, ch := shape[0], shape[1], shape[2]
	out := make([]T, h*w*ch)
	for y := range h {
		for x := range w {
			from := x
			if c.Flip {
				from = w - 1 - x
			}
			sy, sx := y+c.Dy, from+c.Dx
			for k := range ch {
				v := byte(0)
				if sy >= 0 && sy < h && sx >= 0 && sx < w {
					v = src[(sy*w+sx)*ch+k]
				}
				at := (y*w+x)*ch + k
				if planar {
					at = (k*h+y)*w + x
				}
				out[at] = ts[k][v]
			}
		}
	}
	return out
}

func TestPlace(t *testing.T) {
	t.Run("float32", testPlace[float32])
	t.Run("float64", testPlace[float64])
}

func testPlace[T float32 | float64](t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 1}, {5, 4, 3}, {4, 7, 1}, {3, 3, 2}, {1, 6, 3}} {
		src := make([]byte, shape[0]*shape[1]*shape[2])
		for i := range src {
			src[i] = byte(i*37%255 + 1) // never black
		}
		mean, std := make([]float32, shape[2]), make([]float32, shape[2])
		for k := range mean {
			mean[k], std[k] = 0.1*float32(k+1), 0.2*float32(k+1)
		}
		require.NoError(t, Normalize{Mean: mean, Std: std}.Check(shape[2]))
		ts := Tables[T](shape[2], Normalize{Mean: mean, Std: std})
		for dy := -shape[0] - 1; dy <= shape[0]+1; dy++ {
			for dx := -shape[1] - 1; dx <= shape[1]+1; dx++ {
				for _, flip := range []bool{false, true} {
					for _, planar := range []bool{false, true} {
						c := Crop{dy, dx, flip}
						dst := make([]T, len(src))
						for i := range dst {
							dst[i] = -99 // anything left over shows
						}
						Place(dst, src, shape, ts, planar, c)
						require.Equal(t, naive(src, shape, ts, planar, c), dst, "%v %+v planar %v", shape, c, planar)
					}
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	inf := float32(math.Inf(1))
	require.NoError(t, Normalize{}.Check(2))
	require.NoError(t, Normalize{Mean: []float32{0, -1}, Std: []float32{1, 2}}.Check(2))
	require.ErrorContains(t, Normalize{Mean: []float32{1}}.Check(3), "Mean has 1 values; the images have 3 channels")
	require.ErrorContains(t, Normalize{Std: []float32{1, 1}}.Check(1), "Std has 2 values; the images have 1 channels")
	require.ErrorContains(t, Normalize{Mean: []float32{0}, Std: []float32{0}}.Check(1), "the latter positive")
	require.ErrorContains(t, Normalize{Mean: []float32{inf}}.Check(1), "finite")
	require.ErrorContains(t, Normalize{Std: []float32{inf}}.Check(1), "finite")
}

// Raw bytes, and numbers between them, stay what they are.
func TestRaw(t *testing.T) {
	require.NoError(t, Normalize{Raw: true}.Check(3))
	require.ErrorContains(t, Normalize{Raw: true, Mean: []float32{0}}.Check(1), "raw bytes exclude")
	require.ErrorContains(t, Normalize{Raw: true, Std: []float32{1}}.Check(1), "raw bytes exclude")
	for _, table := range Tables[float32](2, Normalize{Raw: true}) {
		for v, x := range table {
			require.Equal(t, float32(v), x)
		}
	}
	require.Equal(t, Affine[float64]{[]float64{1, 1}, []float64{0, 0}}, NewAffine[float64](2, Normalize{Raw: true}))
}

// A crop is the same after it has been a graph's input.
func TestCropAsIntegers(t *testing.T) {
	for _, c := range []Crop{{}, {Dy: -3, Dx: 2}, {Flip: true}} {
		n := []int{9, 9, 9}
		c.Put(n)
		require.Equal(t, c, FromInts(n))
	}
}
