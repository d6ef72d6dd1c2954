package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/augment"
)

var cropped = Augment{RandomResizedCrop: true, HorizontalFlip: true}

// Batches are the same whatever prepares them, from every place of an epoch, and other ones in the next.
func TestPicturesDoNotDependOnWorkers(t *testing.T) {
	s := openAlbum(t, album(t), 16)
	a := cropped
	a.Cutout, a.Mixup = 5, 0.7
	cfg := LoaderConfig{Batch: 4, Seed: 3, Shuffle: true, Augment: a, Normalize: Standardize(s.Train), Workers: 1, Prefetch: 1}
	want := drain(t, loader(t, s.Train, cfg), 2, 0)
	require.Equal(t, []int{4, 4, 1}, want.sizes)
	for i, at := range want.index {
		require.Equal(t, int(s.Train.Labels[at]), want.labels[i])
	}
	for _, c := range [][2]int{{2, 1}, {7, 5}, {0, 0}} {
		cfg.Workers, cfg.Prefetch = c[0], c[1]
		l := loader(t, s.Train, cfg)
		require.Equal(t, want, drain(t, l, 2, 0))
		require.Equal(t, want, drain(t, l, 2, 0)) // in buffers that were used
		rest := drain(t, l, 2, 1)
		require.Equal(t, want.images[4*16*16*3:], rest.images)
		require.Equal(t, want.index[4:], rest.index)
	}
	l := loader(t, s.Train, cfg)
	require.NotEqual(t, want.images, drain(t, l, 3, 0).images)
	cfg.Batch, cfg.Shuffle = 20, false
	l = loader(t, s.Train, cfg)
	require.NotEqual(t, drain(t, l, 2, 0).images, drain(t, l, 3, 0).images)
}

// What the resizer makes of raw batches are the floats, bit by bit.
func TestRawPicturesAreTheSameImages(t *testing.T) {
	s := openAlbum(t, album(t), 16)
	for _, a := range []Augment{{}, cropped, {HorizontalFlip: true}, {RandomResizedCrop: true, Cutout: 7}, {Mixup: 0.4}, {RandomResizedCrop: true, HorizontalFlip: true, Cutout: 16, Mixup: 1}} {
		kind := augment.Kind{Boxes: true, Cutout: a.Cutout, Mixup: a.Mixup > 0}
		cfg := LoaderConfig{Batch: 4, Seed: 5, Augment: a, Normalize: Standardize(s.Train)}
		floats := loader(t, s.Train, cfg).Epoch(1, 0)
		cfg.Raw = true
		raw := loader(t, s.Train, cfg).Epoch(1, 0)
		var z augment.Resizer[float32]
		for floats.Next(bg) {
			require.True(t, raw.Next(bg))
			want, b := floats.Batch(), raw.Batch()
			require.Nil(t, b.Images)
			require.Nil(t, want.Draws)
			require.Equal(t, want.Index, b.Index)
			size, room := s.Train.PixelCount(), s.Train.PicturePixels()
			require.Equal(t, 4*16*16, room)
			require.Len(t, b.Pixels, b.N*room*3)
			require.Len(t, b.Draws, b.N*kind.Numbers())
			require.Equal(t, want.Others, b.Others)
			require.Equal(t, want.Share, b.Share)
			require.Equal(t, a.Mixup > 0, b.Others != nil)
			made := augment.Pictures[float32]{Kind: kind, Shape: s.Train.Shape, Room: room * 3, Bytes: b.Pixels, Draws: b.Draws,
				Affine: augment.NewAffine[float32](3, augment.Normalize(cfg.Normalize))}
			for i := range b.N {
				draw := b.Draws[i*kind.Numbers() : (i+1)*kind.Numbers()]
				require.NoError(t, augment.BoxFromInts(draw).Check(room))
				got, spare := make([]float32, size), make([]float32, size)
				made.Make(got, i, &z, spare)
				require.Equal(t, want.Images[i*size:(i+1)*size], got)
				if a.Mixup > 0 {
					with, _ := kind.Mix(draw)
					require.Equal(t, b.Labels[with], b.Others[i])
				}
			}
		}
		require.False(t, raw.Next(bg))
		require.NoError(t, errors.Join(floats.Err(), raw.Err(), floats.Close(), raw.Close()))
	}
}

func TestPicture(t *testing.T) {
	dir := album(t)
	s := openAlbum(t, dir, 16)
	n := Standardize(s.Test)
	all := drain(t, loader(t, s.Test, LoaderConfig{Batch: 3, Normalize: n}), 0, 0)
	got, err := n.Picture(s.Test.Files.Path(2), 16)
	require.NoError(t, err)
	require.Equal(t, all.images[2*16*16*3:], got)
	_, err = n.Picture(filepath.Join(dir, "nothing.jpg"), 16)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = n.Picture(s.Test.Files.Path(2), 0)
	require.ErrorContains(t, err, "image shape 0×0×3")

	// Numbers of 0–255 as they are, and the channels first.
	raw := drain(t, loader(t, s.Test, LoaderConfig{Batch: 3, Normalize: Normalize{Raw: true}, Layout: NCHW}), 0, 0)
	plain := drain(t, loader(t, s.Test, LoaderConfig{Batch: 3}), 0, 0)
	for i := range 16 * 16 {
		for c := range 3 {
			require.InDelta(t, raw.images[c*256+i], 255*plain.images[i*3+c], 1e-3)
		}
	}
}

// giant is a PNG whose header claims 60,000 × 60,000 pixels.
func giant() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, 60000)
	b = binary.BigEndian.AppendUint32(b, 60000)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

// A picture that cannot be used ends the epoch with an error that names it: the first of its batch, whoever finds it.
func TestPictureFaults(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(path string) error
		want   string
	}{
		"cut off": {func(path string) error { return os.Truncate(path, 700) }, "invalid JPEG format: short Huffman data"},
		"text":    {func(path string) error { return os.WriteFile(path, []byte("hello"), 0o644) }, "is neither PNG nor JPEG"},
		"empty":   {func(path string) error { return os.WriteFile(path, nil, 0o644) }, "is neither PNG nor JPEG"},
		"gone":    {os.Remove, "no such file"},
		"giant":   {func(path string) error { return os.WriteFile(path, giant(), 0o644) }, "is a png of 60000×60000 pixels; expected 1 … 67,108,864 in all"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAlbum(t, album(t), 8)
			for _, i := range []int{5, 6, 8} {
				require.NoError(t, c.damage(s.Train.Files.Path(i)))
			}
			for _, workers := range []int{1, 5} {
				l := loader(t, s.Train, LoaderConfig{Batch: 3, Workers: workers})
				it := l.Epoch(0, 0)
				require.True(t, it.Next(bg))
				require.False(t, it.Next(bg))
				e, ok := errors.AsType[*ImageError](it.Err())
				require.True(t, ok, "%v", it.Err())
				require.Equal(t, s.Train.Files.Path(5), e.Path)
				require.ErrorContains(t, e, c.want)
				require.False(t, it.Next(bg))
				require.NoError(t, it.Close())
				require.ErrorContains(t, func() error { it := l.Epoch(0, 1); defer it.Close(); it.Next(bg); return it.Err() }(), c.want)
				it = l.Epoch(0, 0) // in the same buffers
				require.True(t, it.Next(bg))
				require.NoError(t, it.Err())
				require.NoError(t, it.Close())
			}
			var at []int
			for i, err := range CheckPictures(bg, s.Train) {
				require.ErrorContains(t, err, c.want)
				at = append(at, i)
			}
			require.Equal(t, []int{5, 6, 8}, at)

			var done []int
			check := PictureCheck{Progress: func(n int) { done = append(done, n) }}
			for range 2 {
				for range check.All(bg, s.Train) { // all of it
				}
			}
			require.Equal(t, []int{s.Train.Len(), 2 * s.Train.Len()}, done)
			ctx, stop := context.WithCancel(bg)
			stop()
			for range check.All(ctx, s.Train) {
				require.Fail(t, "it was stopped")
			}
			require.Len(t, done, 2)
		})
	}
	s := openAlbum(t, album(t), 8)
	_, err := NewLoader(s.Train, LoaderConfig{Batch: 1, Augment: Augment{PadCrop: 1}})
	require.ErrorContains(t, err, "PadCrop is for images of one size; RandomResizedCrop crops pictures in files")
	_, err = NewLoader(s.Train, LoaderConfig{Batch: 1, Augment: Augment{Cutout: 9}})
	require.ErrorContains(t, err, "Cutout is 9; it must be at most the image's side, 8")
	_, err = NewLoader(s.Train, LoaderConfig{Batch: 1, Raw: true, Indexed: true})
	require.ErrorContains(t, err, "is for images in memory")
	_, err = NewLoader(small(1, 4, 4, 1), LoaderConfig{Batch: 1, Augment: cropped})
	require.ErrorContains(t, err, "is for pictures in files")
}

// Windows are those of torchvision's RandomResizedCrop: of whole pixels in the picture, of 8 to 100 % of it and an aspect of 3/4 to 4/3 but
// for rounding.
func TestRandomWindow(t *testing.T) {
	const h, w, n = 375, 500, 20000
	sum, tops := 0.0, map[int64]bool{}
	for i := range uint32(n) {
		p := randomWindow([2]uint32{7, 0}, 1, i, h, w)
		for _, v := range []int64{p.top, p.left, p.height, p.width} {
			require.Zero(t, v%augment.Unit)
		}
		ph, pw := p.height/augment.Unit, p.width/augment.Unit
		require.True(t, p.top >= 0 && p.left >= 0 && p.top/augment.Unit+ph <= h && p.left/augment.Unit+pw <= w)
		part := float64(ph*pw) / (h * w)
		require.InDelta(t, 0.54, part, 0.47)
		require.InDelta(t, 0, math.Log(float64(pw)/float64(ph)), math.Log(4.0/3)+0.02)
		sum += part
		tops[p.top] = true
	}
	require.InDelta(t, 0.432, sum/n, 0.01) // of torchvision's, too: many of the larger ones do not fit
	require.Greater(t, len(tops), 200)

	// A picture that no draw fits into: its middle.
	require.Equal(t, pixelWindow(0, 48, 3, 4), randomWindow([2]uint32{}, 0, 0, 3, 100))
	require.Equal(t, pixelWindow(48, 0, 4, 3), randomWindow([2]uint32{}, 0, 0, 100, 3))
	require.Equal(t, pixelWindow(0, 0, 1, 1), randomWindow([2]uint32{}, 0, 0, 1, 1))
}

// Tests have what torchvision's Resize(256), CenterCrop(224) have.
func TestMiddleWindow(t *testing.T) {
	for _, c := range []struct {
		h, w, size               int
		top, left, height, width float64
	}{
		{256, 256, 224, 16, 16, 224, 224},
		{512, 512, 224, 32, 32, 448, 448},
		{375, 500, 224, 16 * 375.0 / 256, 58 * 500.0 / 341, 224 * 375.0 / 256, 224 * 500.0 / 341}, // (341−224)/2 is rounded to the even 58
		{100, 1000, 32, 2 * 100.0 / 37, 169 * 1000.0 / 370, 32 * 100.0 / 37, 32 * 1000.0 / 370},
		{1, 1, 4, 0, 0, 4.0 / 5, 4.0 / 5},
	} {
		p := middleWindow(c.h, c.w, c.size)
		for i, v := range []struct{ got, want float64 }{{float64(p.top), c.top}, {float64(p.left), c.left}, {float64(p.height), c.height}, {float64(p.width), c.width}} {
			require.InDelta(t, v.want, v.got/augment.Unit, 1e-4, "%d of %v", i, c)
		}
	}
}

// What is kept is enough for the image, and has room.
func TestCutFor(t *testing.T) {
	shape := [3]int{24, 24, 3}
	for _, s := range [][2]int{{1, 1}, {30, 40}, {500, 375}, {3, 9000}, {9000, 3}, {1 << 13, 1 << 13}, {1, 1 << 26}} {
		for i := range uint32(50) {
			p, around := randomWindow([2]uint32{}, 0, i, s[0], s[1]), i%2 == 0
			if around {
				p = middleWindow(s[0], s[1], 24)
			}
			c := cutFor(p, s[0], s[1], shape, around, true)
			require.NoError(t, c.box.Check(keptPixels(shape)), "%v: %+v", s, c)
			require.True(t, c.box.Flip)
			require.Equal(t, [2]int{(c.bottom - c.top + c.factor - 1) / c.factor, (c.right - c.left + c.factor - 1) / c.factor}, [2]int{c.box.Rows, c.box.Columns})
			require.True(t, c.top >= 0 && c.left >= 0 && c.bottom <= s[0] && c.right <= s[1], "%v: %+v", s, c)
			require.InDelta(t, float64(p.height)/float64(c.factor), c.box.Height, 1)
			if c.factor > 1 && s[0] > 3 && s[1] > 3 { // no more than it takes: one less would not have room
				f := c.factor - 1
				require.Greater(t, ((c.bottom-c.top-1)/f+1)*((c.right-c.left-1)/f+1), keptPixels(shape))
			}
			if !around {
				require.Equal(t, p.height/augment.Unit, int64(c.bottom-c.top))
				require.Zero(t, c.box.Top)
			}
		}
	}
}

// What is kept of a picture is the same whether only a part of it is decoded or, by image/jpeg, all of it.
func TestPartsAreThoseOfWholePictures(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		put(t, jpegBytes(t, noisy(100+31*i, 260-17*i, i)), dir, "train", "all", fmt.Sprintf("%02d.jpg", i))
	}
	put(t, jpegBytes(t, noisy(30, 30, 1)), dir, "val", "all", "0.jpg")
	ds := openAlbum(t, dir, 32).Train
	for _, a := range []Augment{{}, cropped} {
		l := loader(t, ds, LoaderConfig{Batch: 12, Seed: 5, Augment: a, Raw: true})
		for epoch := range 4 {
			it := l.Epoch(epoch, 0)
			require.True(t, it.Next(bg))
			b, room := it.Batch(), ds.PicturePixels()*3
			for i := range b.N {
				file, err := os.Open(ds.Files.Path(b.Index[i]))
				require.NoError(t, err)
				m, err := jpeg.Decode(file)
				require.NoError(t, errors.Join(err, file.Close()))
				c := l.cutOf(m.Bounds().Dy(), m.Bounds().Dx(), uint32(epoch), uint32(b.Index[i]))
				want := make([]byte, c.box.Rows*c.box.Columns*3)
				new(pictureReader).keep(want, m, c)
				require.Equal(t, want, b.Pixels[i*room:][:len(want)], "picture %d in epoch %d", b.Index[i], epoch)
			}
			require.NoError(t, it.Close())
		}
	}
}

// How many pictures of a usual size a core decodes and keeps a second, and a loader on all CPUs.
func BenchmarkPictures(b *testing.B) {
	dir := b.TempDir()
	for i := range 64 {
		put(b, jpegBytes(b, noisy(375, 500, i)), dir, "train", "all", fmt.Sprint(i, ".jpg"))
	}
	put(b, jpegBytes(b, noisy(375, 500, 0)), dir, "val", "all", "0.jpg")
	s, err := Open(bg, FolderName, Options{Dir: dir})
	require.NoError(b, err)
	rate := func(b *testing.B, n int) { b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s") }
	cfg := LoaderConfig{Batch: 32, Shuffle: true, Augment: cropped, Raw: true}
	b.Run("decode", func(b *testing.B) {
		var p pictureReader
		for i := range b.N {
			_, err := p.read(s.Train.Files.Path(i%64), wholePicture)
			require.NoError(b, err)
		}
		rate(b, b.N)
	})
	b.Run("decode and keep", func(b *testing.B) {
		cfg := cfg
		cfg.Batch = 1
		l := loader(b, s.Train, cfg)
		var p pictures
		slot := l.pictureSlot(1)
		for i := range b.N {
			l.begin(&slot.batch, []int32{int32(i % 64)}, 0, 0)
			l.fillPart(slot, &p, 0, 0)
			require.NoError(b, slot.fault.err)
		}
		rate(b, b.N)
	})
	for _, raw := range []bool{true, false} {
		b.Run(fmt.Sprint("loader, raw ", raw), func(b *testing.B) {
			cfg.Raw = raw
			l := loader(b, s.Train, cfg)
			n := 0
			for epoch := range b.N {
				it := l.Epoch(epoch, 0)
				for it.Next(bg) {
					n += it.Batch().N
				}
				require.NoError(b, errors.Join(it.Err(), it.Close()))
			}
			rate(b, n)
		})
	}
}
