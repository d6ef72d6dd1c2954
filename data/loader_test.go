package data

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var bg = context.Background()

// got is everything an epoch delivered.
type got struct {
	images []float32
	labels []int
	index  []int
	sizes  []int
}

func drain(t testing.TB, l *Loader, epoch, start int) (g got) {
	t.Helper()
	it := l.Epoch(epoch, start)
	defer it.Close()
	for it.Next(bg) {
		b := it.Batch()
		require.Len(t, b.Images, b.N*l.ds.PixelCount())
		require.Len(t, b.Labels, b.N)
		require.Equal(t, start+len(g.sizes), b.Number)
		g.images = append(g.images, b.Images...)
		g.labels = append(g.labels, b.Labels...)
		g.index = append(g.index, b.Index...)
		g.sizes = append(g.sizes, b.N)
	}
	require.NoError(t, it.Err())
	require.Nil(t, it.Batch())
	return g
}

func loader(t testing.TB, ds *Dataset, cfg LoaderConfig) *Loader {
	t.Helper()
	l, err := NewLoader(ds, cfg)
	require.NoError(t, err)
	return l
}

func TestLoaderInOrder(t *testing.T) {
	ds := small(7, 2, 3, 1)
	g := drain(t, loader(t, ds, LoaderConfig{Batch: 3}), 0, 0)
	require.Equal(t, []int{3, 3, 1}, g.sizes)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6}, g.index)
	require.Equal(t, []int{0, 1, 2, 0, 1, 2, 0}, g.labels)
	for i, v := range ds.Images {
		require.Equal(t, float32(float64(v)/255), g.images[i])
	}
}

func TestLoaderSizes(t *testing.T) {
	ds := small(7, 1, 1, 1)
	for _, c := range []struct {
		cfg  LoaderConfig
		want []int
	}{
		{LoaderConfig{Batch: 1}, []int{1, 1, 1, 1, 1, 1, 1}},
		{LoaderConfig{Batch: 7}, []int{7}},
		{LoaderConfig{Batch: 100}, []int{7}},
		{LoaderConfig{Batch: 3, DropLast: true}, []int{3, 3}},
		{LoaderConfig{Batch: 3, Limit: 4}, []int{3, 1}},
		{LoaderConfig{Batch: 3, Limit: 4, DropLast: true, Shuffle: true}, []int{3}},
		{LoaderConfig{Batch: 2, Prefetch: 50, Workers: 9}, []int{2, 2, 2, 1}},
		{LoaderConfig{Batch: math.MaxInt, Prefetch: math.MaxInt, Workers: math.MaxInt, Limit: math.MaxInt}, []int{7}},
	} {
		l := loader(t, ds, c.cfg)
		g := drain(t, l, 0, 0)
		require.Equal(t, c.want, g.sizes, "%+v", c.cfg)
		require.Equal(t, len(c.want), l.Batches())
		require.Equal(t, len(g.index), l.Len())
	}
}

// The stream depends on seed and epoch only: not on workers, prefetch, or where an epoch is taken up again.
func TestStreamIsAFunctionOfSeedAndEpoch(t *testing.T) {
	ds := small(101, 6, 5, 3)
	cfg := LoaderConfig{Batch: 8, Seed: 42, Shuffle: true, Augment: Augment{PadCrop: 2, HorizontalFlip: true}, Workers: 1, Prefetch: 1}
	for _, layout := range []Layout{NHWC, NCHW} {
		cfg.Layout = layout
		want := drain(t, loader(t, ds, cfg), 3, 0)
		for _, workers := range []int{1, 2, 7} {
			for _, prefetch := range []int{1, 3, 40} {
				cfg := cfg
				cfg.Workers, cfg.Prefetch = workers, prefetch
				l := loader(t, ds, cfg)
				require.Equal(t, want, drain(t, l, 3, 0))
				require.Equal(t, want, drain(t, l, 3, 0), "with buffers used before")
				for _, start := range []int{1, 5, 12, 13} {
					g := drain(t, l, 3, start)
					from := min(start*8, 101)
					require.Equal(t, want.index[from:], append([]int{}, g.index...))
					require.True(t, slices.Equal(want.images[from*90:], g.images))
				}
			}
		}
		sorted := slices.Sorted(slices.Values(want.index))
		for i, v := range sorted {
			require.Equal(t, i, v, "every image once")
		}
		require.NotEqual(t, want.index, drain(t, loader(t, ds, cfg), 4, 0).index, "another epoch, another order")
		other := cfg
		other.Seed++
		require.NotEqual(t, want.index, drain(t, loader(t, ds, other), 3, 0).index)
	}
}

// A sample's augmentation depends on its index, not on where the shuffle puts it.
func TestAugmentationGoesWithTheSample(t *testing.T) {
	ds := small(33, 8, 8, 1)
	cfg := LoaderConfig{Batch: 5, Seed: 1, Augment: Augment{PadCrop: 3, HorizontalFlip: true}}
	plain := drain(t, loader(t, ds, cfg), 2, 0)
	cfg.Shuffle = true
	mixed := drain(t, loader(t, ds, cfg), 2, 0)
	for at, i := range mixed.index {
		require.Equal(t, plain.images[i*64:(i+1)*64], mixed.images[at*64:(at+1)*64])
	}
}

func TestBatchStaysValidUntilNext(t *testing.T) {
	l := loader(t, small(40, 4, 4, 3), LoaderConfig{Batch: 2, Workers: 3, Prefetch: 2})
	it := l.Epoch(0, 0)
	defer it.Close()
	for it.Next(bg) {
		b := it.Batch()
		before := slices.Clone(b.Images)
		time.Sleep(time.Millisecond) // the workers run on
		require.Equal(t, before, b.Images)
	}
}

func TestNoAllocationPerBatch(t *testing.T) {
	l := loader(t, small(4000, 8, 8, 3), LoaderConfig{Batch: 4, Shuffle: true, Workers: 2, Augment: Augment{PadCrop: 1, HorizontalFlip: true}})
	it := l.Epoch(0, 0)
	defer it.Close()
	n := testing.AllocsPerRun(500, func() {
		if !it.Next(bg) {
			t.Fatal("the epoch ended early")
		}
	})
	require.Zero(t, n)
}

func TestCloseStopsTheWorkers(t *testing.T) {
	ds := small(100, 4, 4, 1)
	l := loader(t, ds, LoaderConfig{Batch: 1, Workers: 8, Prefetch: 20})
	before := runtime.NumGoroutine()
	for i := range 20 {
		it := l.Epoch(i, 0)
		for range i { // also none at all
			require.True(t, it.Next(bg))
		}
		require.NoError(t, it.Close())
		require.NoError(t, it.Close())
		require.False(t, it.Next(bg))
		require.Nil(t, it.Batch())
	}
	// Close waits for them, so at most the last instructions of a goroutine are still to come.
	for range 100 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
	require.Len(t, l.spare, 1, "one set of buffers for all epochs")
	require.Equal(t, 100, len(drain(t, l, 0, 0).index), "and they are clean")
}

func TestContextEndsTheEpoch(t *testing.T) {
	l := loader(t, small(10, 2, 2, 1), LoaderConfig{Batch: 1})
	ctx, cancel := context.WithCancel(bg)
	it := l.Epoch(0, 0)
	defer it.Close()
	require.True(t, it.Next(ctx))
	cancel()
	require.False(t, it.Next(ctx))
	require.ErrorIs(t, it.Err(), context.Canceled)
	require.False(t, it.Next(bg), "it stays ended")
}

func TestEpochRefusesNonsense(t *testing.T) {
	l := loader(t, small(10, 2, 2, 1), LoaderConfig{Batch: 4})
	for _, c := range [][2]int{{-1, 0}, {0, -1}, {0, 4}, {math.MaxInt, 0}} {
		it := l.Epoch(c[0], c[1])
		require.False(t, it.Next(bg))
		require.ErrorContains(t, it.Err(), "the batch in 0 … 3")
		require.NoError(t, it.Close())
	}
}

func TestNewLoaderRefusesNonsense(t *testing.T) {
	ds := small(10, 4, 6, 3)
	nan := float32(math.NaN())
	for _, c := range []struct {
		cfg  LoaderConfig
		text string
	}{
		{LoaderConfig{}, "Batch is 0"},
		{LoaderConfig{Batch: -3}, "Batch is -3"},
		{LoaderConfig{Batch: 1, Workers: -1}, "Workers is -1"},
		{LoaderConfig{Batch: 1, Prefetch: -1}, "Prefetch"},
		{LoaderConfig{Batch: 1, Limit: -1}, "Limit"},
		{LoaderConfig{Batch: 1, Augment: Augment{PadCrop: -1}}, "PadCrop is -1"},
		{LoaderConfig{Batch: 1, Augment: Augment{PadCrop: 4}}, "below the image's side, 4"},
		{LoaderConfig{Batch: 1, Layout: "CHWN"}, `layout "CHWN"`},
		{LoaderConfig{Batch: 11, DropLast: true}, "no full batch"},
		{LoaderConfig{Batch: 1, Normalize: Normalize{Mean: []float32{1}}}, "Mean has 1 values; the images have 3 channels"},
		{LoaderConfig{Batch: 1, Normalize: Normalize{Std: []float32{1, 0, 1}}}, "channel 1"},
		{LoaderConfig{Batch: 1, Normalize: Normalize{Mean: []float32{0, 0, nan}}}, "finite"},
		{LoaderConfig{Batch: 1, Normalize: Normalize{Raw: true, Mean: []float32{0, 0, 0}}}, "raw bytes exclude"},
	} {
		_, err := NewLoader(ds, c.cfg)
		require.ErrorContains(t, err, c.text)
	}
	_, err := NewLoader(nil, LoaderConfig{Batch: 1})
	require.ErrorContains(t, err, "nil")
	ds.Labels[4] = 77
	_, err = NewLoader(ds, LoaderConfig{Batch: 1})
	require.ErrorContains(t, err, "label of image 4")
}

func BenchmarkLoader(b *testing.B) {
	ds := small(4096, 32, 32, 3)
	for _, layout := range []Layout{NHWC, NCHW} {
		for _, augment := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/augment=%v", layout, augment), func(b *testing.B) {
				cfg := LoaderConfig{Batch: 128, Workers: 1, Shuffle: true, Layout: layout}
				if augment {
					cfg.Augment = Augment{PadCrop: 4, HorizontalFlip: true}
				}
				l := loader(b, ds, cfg)
				b.ReportAllocs()
				images := 0
				epoch := 0
				it := l.Epoch(epoch, 0)
				for b.Loop() {
					for !it.Next(bg) {
						it.Close()
						epoch++
						it = l.Epoch(epoch, 0)
					}
					images += it.Batch().N
				}
				it.Close()
				b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
