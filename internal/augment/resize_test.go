package augment

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// naiveResize says what Resize should write, in float64 and without room or order.
func naiveResize(src []byte, b Box, shape [3]int, n Affine[float64], y, x, k int) float64 {
	weights := func(in, out, o, start, length int) []float64 {
		scale := float64(length) / Unit / float64(out)
		centre, radius := float64(start)/Unit+(float64(o)+0.5)*scale, max(scale, 1)
		w, sum := make([]float64, in), 0.0
		for i := range w {
			w[i] = max(0, 1-math.Abs(float64(i)+0.5-centre)/radius)
			sum += w[i]
		}
		for i := range w {
			w[i] /= sum
		}
		return w
	}
	if b.Flip {
		x = shape[1] - 1 - x
	}
	v := 0.0
	for r, wy := range weights(b.Rows, shape[0], y, b.Top, b.Height) {
		for c, wx := range weights(b.Columns, shape[1], x, b.Left, b.Width) {
			v += wy * wx * float64(src[(r*b.Columns+c)*shape[2]+k])
		}
	}
	return v*n.Scale[k] + n.Shift[k]
}

func TestResize(t *testing.T) {
	t.Run("float32", testResize[float32])
	t.Run("float64", testResize[float64])
}

func testResize[T float32 | float64](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var z Resizer[T]
	for range 200 {
		b := Box{Rows: 1 + r.IntN(20), Columns: 1 + r.IntN(20), Flip: r.IntN(2) == 1}
		b.Top, b.Left = r.IntN(b.Rows*Unit), r.IntN(b.Columns*Unit)
		b.Height, b.Width = 1+r.IntN(b.Rows*Unit-b.Top), 1+r.IntN(b.Columns*Unit-b.Left)
		shape := [3]int{1 + r.IntN(12), 1 + r.IntN(12), 1 + r.IntN(4)}
		src := make([]byte, b.Rows*b.Columns*shape[2])
		for i := range src {
			src[i] = byte(r.Uint32())
		}
		mean, std := make([]float32, shape[2]), make([]float32, shape[2])
		for k := range mean {
			mean[k], std[k] = 0.1*float32(k+1), 0.2*float32(k+1)
		}
		require.NoError(t, b.Check(b.Rows*b.Columns))
		planar := r.IntN(2) == 1
		dst := make([]T, shape[0]*shape[1]*shape[2])
		z.Resize(dst, src, b, shape, NewAffine[T](shape[2], Normalize{Mean: mean, Std: std}), planar)
		tolerance := 1e-12
		if _, single := any(dst).([]float32); single {
			tolerance = 5e-6
		}
		for y := range shape[0] {
			for x := range shape[1] {
				for k := range shape[2] {
					at := (y*shape[1]+x)*shape[2] + k
					if planar {
						at = (k*shape[0]+y)*shape[1] + x
					}
					require.InDelta(t, naiveResize(src, b, shape, NewAffine[float64](shape[2], Normalize{Mean: mean, Std: std}), y, x, k), float64(dst[at]), tolerance, "%+v of %v", b, shape)
				}
			}
		}
	}
}

// A box is the same after it has been a graph's input.
func TestBoxAsIntegers(t *testing.T) {
	for _, b := range []Box{{}, {1, 2, 3, 4, 5, 6, true}} {
		n := []int{9, 9, 9, 9, 9, 9, 9}
		b.Put(n)
		require.Equal(t, b, BoxFromInts(n))
	}
}

// The largest picture that is let in overflows nothing.
func TestResizeOfLargeSides(t *testing.T) {
	b := Box{Rows: 1, Columns: MostPixels, Height: Unit, Width: MostPixels * Unit}
	src := make([]byte, MostPixels)
	for i := range src {
		src[i] = 255
	}
	for _, w := range []int{1, 3, MostPixels} {
		require.NoError(t, b.Check(MostPixels))
		dst := make([]float64, w)
		new(Resizer[float64]).Resize(dst, src, b, [3]int{1, w, 1}, NewAffine[float64](1, Normalize{}), false)
		for _, v := range dst {
			require.InDelta(t, 1, v, 1e-9)
		}
	}
}
