package data

import (
	"math"
	"testing"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
	"github.com/stretchr/testify/require"
)

func TestDrawIsEven(t *testing.T) {
	a := Augment{PadCrop: 4, HorizontalFlip: true}
	const n = 90000
	var dy, dx [9]int
	flips := 0
	for i := range n {
		c := a.draw(philox.Key(5), 0, uint32(i))
		dy[c.Dy+4]++
		dx[c.Dx+4]++
		if c.Flip {
			flips++
		}
	}
	require.InDelta(t, n/2, flips, 750) // five standard deviations
	for i := range dy {
		require.InDelta(t, n/9, dy[i], 500)
		require.InDelta(t, n/9, dx[i], 500)
	}
	require.Equal(t, augment.Crop{}, Augment{}.draw(philox.Key(5), 0, 1))
	for i := range 50 {
		c := Augment{HorizontalFlip: true}.draw(philox.Key(5), 0, uint32(i))
		require.Zero(t, c.Dx+c.Dy)
		require.False(t, Augment{PadCrop: 1}.draw(philox.Key(5), 0, uint32(i)).Flip)
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

// Squares are cut out around every pixel equally often, and mixing draws other images in a random order, by shares of at least a half.
func TestCutoutAndMixupDraws(t *testing.T) {
	ds := small(4000, 4, 5, 1)
	l := loader(t, ds, LoaderConfig{Batch: 40, Seed: 9, Shuffle: true, Raw: true, Indexed: true, Augment: Augment{Cutout: 2, Mixup: 1}})
	it := l.Epoch(2, 0)
	middles, shares, fixed := map[[2]int]int{}, 0.0, 0
	for it.Next(bg) {
		b := it.Batch()
		seen := make([]bool, b.N)
		for i := range b.N {
			d := b.Draws[7*i:]
			middles[[2]int{d[3], d[4]}]++
			require.False(t, seen[d[5]])
			seen[d[5]] = true
			if d[5] == i {
				fixed++
			}
		}
		shares += float64(b.Share)
	}
	require.NoError(t, it.Close())
	require.Len(t, middles, 20)
	for m, n := range middles {
		require.InDelta(t, 200, n, 60, "%v", m)
	}
	require.InDelta(t, 100, fixed, 45, "one a batch in the mean")
	require.InDelta(t, 75, shares, 6, "Beta(1, 1) is uniform; folded its mean is 3/4")

	for want, a := range map[string]Augment{"Cutout is 5; it must be at most": {Cutout: 5}, "Cutout is -1": {Cutout: -1}, "Mixup is -1": {Mixup: -1},
		"Mixup is NaN": {Mixup: math.NaN()}, "Mixup is +Inf": {Mixup: math.Inf(1)}} {
		_, err := NewLoader(ds, LoaderConfig{Batch: 1, Augment: a})
		require.ErrorContains(t, err, want)
	}
}
