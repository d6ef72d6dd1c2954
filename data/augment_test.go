package data

import (
	"testing"

	"github.com/stheno-ml/stheno/internal/philox"
	"github.com/stretchr/testify/require"
)

// naive says what placeImage should write, one pixel at a time.
func naive(src []byte, shape [3]int, ts []pixelTable, planar bool, c crop) []float32 {
	h, w, ch := shape[0], shape[1], shape[2]
	out := make([]float32, h*w*ch)
	for y := range h {
		for x := range w {
			from := x
			if c.flip {
				from = w - 1 - x
			}
			sy, sx := y+c.dy, from+c.dx
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

func TestPlaceImage(t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 1}, {5, 4, 3}, {4, 7, 1}, {3, 3, 2}, {1, 6, 3}} {
		src := small(1, shape[0], shape[1], shape[2]).Images
		n := Normalize{Mean: make([]float32, shape[2]), Std: make([]float32, shape[2])}
		for k := range n.Mean {
			n.Mean[k], n.Std[k] = 0.1*float32(k+1), 0.2*float32(k+1)
		}
		ts, err := n.tables(shape[2])
		require.NoError(t, err)
		for dy := -shape[0] - 1; dy <= shape[0]+1; dy++ {
			for dx := -shape[1] - 1; dx <= shape[1]+1; dx++ {
				for _, flip := range []bool{false, true} {
					for _, planar := range []bool{false, true} {
						c := crop{dy, dx, flip}
						dst := make([]float32, len(src))
						for i := range dst {
							dst[i] = -99 // anything left over shows
						}
						placeImage(dst, src, shape, ts, planar, c)
						require.Equal(t, naive(src, shape, ts, planar, c), dst, "%v %+v planar %v", shape, c, planar)
					}
				}
			}
		}
	}
}

func TestDrawIsEven(t *testing.T) {
	a := Augment{PadCrop: 4, HorizontalFlip: true}
	const n = 90000
	var dy, dx [9]int
	flips := 0
	for i := range n {
		c := a.draw(philox.Key(5), 0, uint32(i))
		dy[c.dy+4]++
		dx[c.dx+4]++
		if c.flip {
			flips++
		}
	}
	require.InDelta(t, n/2, flips, 750) // five standard deviations
	for i := range dy {
		require.InDelta(t, n/9, dy[i], 500)
		require.InDelta(t, n/9, dx[i], 500)
	}
	require.Equal(t, crop{}, Augment{}.draw(philox.Key(5), 0, 1))
	for i := range 50 {
		c := Augment{HorizontalFlip: true}.draw(philox.Key(5), 0, uint32(i))
		require.Zero(t, c.dx+c.dy)
		require.False(t, Augment{PadCrop: 1}.draw(philox.Key(5), 0, uint32(i)).flip)
	}
}

func TestNormalizeApply(t *testing.T) {
	shape := [3]int{1, 2, 3}
	src := []byte{0, 51, 255, 102, 0, 1}
	dst := make([]float32, 6)
	require.NoError(t, Normalize{}.Apply(dst, src, shape, ""))
	require.Equal(t, []float32{0, 0.2, 1, 0.4, 0, float32(1.0 / 255)}, dst)
	require.NoError(t, Normalize{Raw: true}.Apply(dst, src, shape, NCHW))
	require.Equal(t, []float32{0, 102, 51, 0, 255, 1}, dst)
	require.NoError(t, Normalize{Mean: []float32{0.5, 0.2, 0}, Std: []float32{0.5, 1, 2}}.Apply(dst, src, shape, NHWC))
	require.InDeltaSlice(t, []float32{-1, 0, 0.5, -0.2, -0.2, 1.0 / 510}, dst, 1e-7)

	require.Error(t, Normalize{}.Apply(dst[:5], src, shape, NHWC))
	require.Error(t, Normalize{}.Apply(dst[:5], src[:5], shape, NHWC))
	require.Error(t, Normalize{}.Apply(nil, nil, [3]int{0, 1, 1}, NHWC))
	require.Error(t, Normalize{}.Apply(dst, src, shape, "HWC"))
	require.Error(t, Normalize{Std: []float32{1}}.Apply(dst, src, shape, NHWC))
}
