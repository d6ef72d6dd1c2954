package data

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/augment"
)

// Raw and indexed batches are the same images in the same order: what makes floats of them gives those of the loader that hands out
// floats, for every batch size, from every place of an epoch.
func TestRawBatchesAreTheSameImages(t *testing.T) {
	ds := small(33, 6, 5, 3)
	all := Augment{PadCrop: 2, HorizontalFlip: true, Cutout: 3, Mixup: 0.4}
	for _, cfg := range []LoaderConfig{
		{Batch: 1},
		{Batch: 8, Seed: 42, Shuffle: true, Augment: Augment{PadCrop: 2, HorizontalFlip: true}},
		{Batch: 40, Seed: 7, Augment: Augment{HorizontalFlip: true}, Normalize: Normalize{Mean: []float32{0.1, 0.2, 0.3}, Std: []float32{1, 2, 3}}},
		{Batch: 8, Seed: 3, Shuffle: true, Augment: Augment{Cutout: 5}},
		{Batch: 8, Seed: 3, Augment: all, Normalize: Normalize{Raw: true}},
		{Batch: 32, Seed: 4, Augment: Augment{Mixup: 1}},
		{Batch: 8, Seed: 42, Shuffle: true, Augment: all, Limit: 30},
	} {
		floats := loader(t, ds, cfg)
		cfg.Raw = true
		raw := loader(t, ds, cfg)
		cfg.Indexed = true
		indexed := loader(t, ds, cfg)
		tables := augment.Tables[float32](3, augment.Normalize(cfg.Normalize))
		width := cfg.Augment.kind(false).Numbers()
		drawn := false
		for _, at := range [][2]int{{0, 0}, {3, 0}, {3, floats.Batches() / 2}, {3, floats.Batches()}} {
			f, r, x := floats.Epoch(at[0], at[1]), raw.Epoch(at[0], at[1]), indexed.Epoch(at[0], at[1])
			for f.Next(bg) {
				require.True(t, r.Next(bg))
				require.True(t, x.Next(bg))
				want, got := f.Batch(), r.Batch()
				require.Nil(t, want.Pixels)
				require.Nil(t, want.Draws)
				require.Nil(t, got.Images)
				require.Equal(t, []any{want.Number, want.N, want.Labels, want.Index, want.Others, want.Share},
					[]any{got.Number, got.N, got.Labels, got.Index, got.Others, got.Share})
				require.Equal(t, cfg.Augment.Mixup > 0, got.Others != nil)
				require.GreaterOrEqual(t, got.Share, float32(0.5))
				require.Len(t, got.Draws, width*got.N)
				images := make([]float32, len(got.Pixels))
				size := ds.PixelCount()
				b := augment.Batch{Kind: cfg.Augment.kind(false), Shape: ds.Shape, Images: got.Pixels, Draws: got.Draws}
				for i := range got.N {
					require.Equal(t, ds.Image(got.Index[i]), got.Pixels[i*size:(i+1)*size])
					augment.Make(images[i*size:(i+1)*size], &b, i, tables, make([]float32, size))
					drawn = drawn || augment.FromInts(got.Draws[width*i:]) != augment.Crop{} || width > 3
					if b.Mixup {
						with, share := b.Mix(got.Draws[width*i : width*(i+1)])
						require.Equal(t, want.Labels[with], got.Others[i])
						require.Equal(t, got.Share, float32(share)/(1<<24))
					}
				}
				require.Equal(t, want.Images, images)

				only := x.Batch()
				require.Nil(t, only.Pixels)
				require.Nil(t, only.Images)
				require.Equal(t, []any{got.Number, got.N, got.Labels, got.Index, got.Others, got.Share, got.Draws},
					[]any{only.Number, only.N, only.Labels, only.Index, only.Others, only.Share, only.Draws})
			}
			for _, it := range []*Iterator{f, r, x} {
				require.False(t, it.Next(bg))
				require.NoError(t, it.Err())
				require.NoError(t, it.Close())
			}
		}
		require.Equal(t, cfg.Augment != Augment{}, drawn, "zeros where nothing is drawn")
		require.Equal(t, cfg.Augment, raw.Config().Augment)
	}
	_, err := NewLoader(ds, LoaderConfig{Batch: 1, Indexed: true})
	require.ErrorContains(t, err, "Indexed goes with Raw")
	_, err = NewLoader(ds, LoaderConfig{Batch: 1, Raw: true, Layout: NCHW})
	require.ErrorContains(t, err, "LoaderConfig.Raw excludes")
}

// Batches of an indexed loader cost the host next to nothing: no pixel is copied, and nothing is allocated.
func TestIndexedBatchesAllocateNothing(t *testing.T) {
	ds := small(1<<12, 2, 2, 3)
	l := loader(t, ds, LoaderConfig{Batch: 64, Shuffle: true, Raw: true, Indexed: true, Augment: Augment{PadCrop: 1, HorizontalFlip: true, Cutout: 1, Mixup: 0.2}})
	it := l.Epoch(0, 0)
	require.True(t, it.Next(bg))
	require.Zero(t, testing.AllocsPerRun(50, func() { it.Next(bg) }))
	require.NoError(t, it.Err())
	require.NoError(t, it.Close())
}

// BenchmarkIndexedLoader is what the host does for a device that has the set: images/s must be far above those of any training.
func BenchmarkIndexedLoader(b *testing.B) {
	ds := small(50000, 32, 32, 3)
	l, err := NewLoader(ds, LoaderConfig{Batch: 512, Shuffle: true, Raw: true, Indexed: true, Augment: Augment{PadCrop: 4, HorizontalFlip: true}})
	require.NoError(b, err)
	b.ReportAllocs()
	images := 0
	for i := 0; b.Loop(); i++ {
		it := l.Epoch(i, 0)
		for it.Next(bg) {
			images += it.Batch().N
		}
		it.Close()
	}
	b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "images/s")
}
