package data

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A damaged picture has the pixels of the next one of its class that is not, whatever the workers, in every epoch; labels and places stay.
func TestSkipDamaged(t *testing.T) {
	s := openAlbum(t, album(t), 8)
	sound := drain(t, loader(t, s.Train, LoaderConfig{Batch: 9}), 0, 0)
	for _, i := range []int{3, 4, 5, 6} { // two of the cats, the last of them, and two dogs
		require.NoError(t, os.Truncate(s.Train.Files.Path(i), 300))
	}
	image := func(e got, i int) []float32 { return e.images[i*8*8*3 : (i+1)*8*8*3] }
	for _, workers := range []int{1, 6} {
		l := loader(t, s.Train, LoaderConfig{Batch: 2, Workers: workers, SkipDamaged: true})
		for number := range 2 {
			g := drain(t, l, number, 0)
			require.Equal(t, sound.labels, g.labels)
			require.Equal(t, sound.index, g.index)
			for i, from := range []int{0, 1, 2, 0, 0, 7, 7, 7, 8} {
				require.Equal(t, image(sound, from), image(g, i), "picture %d", i)
			}
		}
		var met []string
		for _, e := range l.Damaged() {
			require.True(t, e.Damaged)
			met = append(met, e.Path)
		}
		require.ElementsMatch(t, []string{s.Train.Files.Path(3), s.Train.Files.Path(4), s.Train.Files.Path(5), s.Train.Files.Path(6)}, met)
	}

	// A file that is gone is none that is damaged: a disk may be.
	require.NoError(t, os.Remove(s.Train.Files.Path(0)))
	it := loader(t, s.Train, LoaderConfig{Batch: 2, SkipDamaged: true}).Epoch(0, 0)
	require.False(t, it.Next(bg))
	require.ErrorIs(t, it.Err(), os.ErrNotExist)
	require.NoError(t, it.Close())

	// A class without a picture that can be decoded.
	require.NoError(t, os.Truncate(s.Test.Files.Path(2), 0))
	it = loader(t, s.Test, LoaderConfig{Batch: 3, SkipDamaged: true}).Epoch(0, 0)
	require.False(t, it.Next(bg))
	require.ErrorContains(t, it.Err(), "folder/test: none of the pictures of class dog can be decoded; replace some of them")
	require.NoError(t, it.Close())
}
