package data

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/augment"
)

// Raw batches are the same images in the same order: what makes floats of them gives those of the loader that hands out floats, for
// every batch size, from every place of an epoch.
func TestRawBatchesAreTheSameImages(t *testing.T) {
	ds := small(33, 6, 5, 3)
	for _, cfg := range []LoaderConfig{
		{Batch: 1},
		{Batch: 8, Seed: 42, Shuffle: true, Augment: Augment{PadCrop: 2, HorizontalFlip: true}},
		{Batch: 40, Seed: 7, Augment: Augment{HorizontalFlip: true}, Normalize: Normalize{Mean: []float32{0.1, 0.2, 0.3}, Std: []float32{1, 2, 3}}},
	} {
		floats := loader(t, ds, cfg)
		cfg.Raw = true
		raw := loader(t, ds, cfg)
		tables := augment.Tables[float32](3, cfg.Normalize.Mean, cfg.Normalize.Std)
		moved := false
		for _, at := range [][2]int{{0, 0}, {3, 0}, {3, floats.Batches() / 2}, {3, floats.Batches()}} {
			f, r := floats.Epoch(at[0], at[1]), raw.Epoch(at[0], at[1])
			for f.Next(bg) {
				require.True(t, r.Next(bg))
				want, got := f.Batch(), r.Batch()
				require.Nil(t, want.Pixels)
				require.Nil(t, want.Draws)
				require.Nil(t, got.Images)
				require.Equal(t, []any{want.Number, want.N, want.Labels, want.Index}, []any{got.Number, got.N, got.Labels, got.Index})
				require.Len(t, got.Draws, 3*got.N)
				images := make([]float32, len(got.Pixels))
				for i := range got.N {
					size := ds.PixelCount()
					require.Equal(t, ds.Image(got.Index[i]), got.Pixels[i*size:(i+1)*size])
					c := augment.FromInts(got.Draws[3*i:])
					moved = moved || c != augment.Crop{}
					augment.Place(images[i*size:], got.Pixels[i*size:(i+1)*size], ds.Shape, tables, false, c)
				}
				require.Equal(t, want.Images, images)
			}
			require.False(t, r.Next(bg))
			require.NoError(t, r.Err())
			require.NoError(t, f.Close())
			require.NoError(t, r.Close())
		}
		require.Equal(t, cfg.Augment != Augment{}, moved, "zeros where nothing is drawn")
		require.Equal(t, cfg.Augment, raw.Config().Augment)
	}
	for _, cfg := range []LoaderConfig{{Batch: 1, Raw: true, Layout: NCHW}, {Batch: 1, Raw: true, Normalize: Normalize{Raw: true}}} {
		_, err := NewLoader(ds, cfg)
		require.ErrorContains(t, err, "LoaderConfig.Raw excludes")
	}
}
