package baseline

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// scene is a picture of h×w pixels with edges and detail.
func scene(h, w, seed int) image.Image {
	r := rand.New(rand.NewPCG(uint64(seed), 2))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		x, y := i/4%w, i/4/w
		m.Pix[i] = byte(x*(3+seed%5)+y*i%4*7) + byte(r.IntN(1+20*(seed%4)))
		if (x/13+y/9)%3 == 0 {
			m.Pix[i] = byte(60 * (i % 4))
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, quality int) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}))
	return b.Bytes()
}

func all(w, h int) image.Rectangle { return image.Rect(0, 0, w, h) }

// same requires the pixels, and the chroma around them, of a part to be those of image/jpeg.
func same(t testing.TB, want, got image.Image, part image.Rectangle) {
	t.Helper()
	require.Equal(t, want.Bounds(), got.Bounds())
	near := part.Inset(-2).Intersect(want.Bounds())
	switch want := want.(type) {
	case *image.Gray:
		got := got.(*image.Gray)
		for y := near.Min.Y; y < near.Max.Y; y++ {
			require.Equal(t, want.Pix[want.PixOffset(near.Min.X, y):want.PixOffset(near.Max.X, y)], got.Pix[got.PixOffset(near.Min.X, y):got.PixOffset(near.Max.X, y)])
		}
	case *image.YCbCr:
		got := got.(*image.YCbCr)
		require.Equal(t, want.SubsampleRatio, got.SubsampleRatio)
		for y := near.Min.Y; y < near.Max.Y; y++ {
			for x := near.Min.X; x < near.Max.X; x++ {
				require.Equal(t, want.YCbCrAt(x, y), got.YCbCrAt(x, y), "(%d, %d)", x, y)
			}
		}
	default:
		t.Fatalf("%T", want)
	}
}

// TestPixelsOfGo: pictures of all sizes and qualities, and parts of them, have the bytes that image/jpeg makes.
func TestPixelsOfGo(t *testing.T) {
	var d Decoder
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		h, w := 1+r.IntN(70), 1+r.IntN(70)
		m := scene(h, w, i)
		if i%5 == 4 {
			grey := image.NewGray(m.Bounds())
			for k := range grey.Pix {
				grey.Pix[k] = byte(k * k >> 3)
			}
			m = grey
		}
		file := encoded(t, m, []int{1, 10, 50, 75, 90, 100}[i%6])
		want, err := jpeg.Decode(bytes.NewReader(file))
		require.NoError(t, err)
		got := d.Decode(file, all)
		require.NotNil(t, got)
		same(t, want, got, got.Bounds())
		for range 3 {
			y, x := r.IntN(h), r.IntN(w)
			part := image.Rect(x, y, x+1+r.IntN(w-x), y+1+r.IntN(h-y))
			for _, pixels := range [][]byte{d.planes[0], d.planes[1], d.planes[2]} {
				for k := range pixels[:cap(pixels)] {
					pixels[k] = 99
				}
			}
			same(t, want, d.Decode(file, func(width, height int) image.Rectangle {
				require.Equal(t, [2]int{w, h}, [2]int{width, height})
				return part
			}), part)
		}
	}
}

// TestFilesOfOthers: what Pillow (libjpeg-turbo) writes.
func TestFilesOfOthers(t *testing.T) {
	var d Decoder
	files, err := filepath.Glob("testdata/*.jpg")
	require.NoError(t, err)
	require.Len(t, files, 9)
	for _, name := range files {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		got := d.Decode(file, all)
		if base := filepath.Base(name); slices.Contains([]string{"progressive.jpg", "cmyk.jpg", "rgb.jpg"}, base) {
			require.Nil(t, got, base)
			continue
		}
		want, err := jpeg.Decode(bytes.NewReader(file))
		require.NoError(t, err)
		require.NotNil(t, got, name)
		same(t, want, got, want.Bounds())
		part := image.Rect(17, 20, 30, 24)
		same(t, want, d.Decode(file, func(int, int) image.Rectangle { return part }), part)

		// Whatever is missing or wrong, wherever the part is: nothing, or what image/jpeg makes of it.
		corner := func(int, int) image.Rectangle { return image.Rect(0, 0, 1, 1) }
		for n := range file {
			require.Nil(t, d.Decode(file[:n], corner), "%d bytes of %s", n, name)
		}
		r := rand.New(rand.NewPCG(3, uint64(len(file))))
		for range 400 {
			bad := bytes.Clone(file)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			check(t, &d, bad)
		}
	}
	require.Nil(t, d.Decode(encoded(t, scene(5, 5, 1), 50), func(int, int) image.Rectangle { return image.Rectangle{} }))
}

// check decodes what may be no picture.
func check(t testing.TB, d *Decoder, file []byte) {
	small := func(w, h int) image.Rectangle {
		if w*h > 1<<20 {
			return image.Rectangle{}
		}
		return all(w, h)
	}
	got := d.Decode(file, small)
	if got == nil {
		return
	}
	want, err := jpeg.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	same(t, want, got, want.Bounds())
}

// TestTransform compares sums that overflow, and blocks with few coefficients, with those of files.
func TestExtremes(t *testing.T) {
	var d Decoder
	checkers := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range checkers.Pix {
		x, y := i%64, i/64
		switch {
		case y < 16:
			checkers.Pix[i] = 255 * byte((x+y)%2)
		case y < 32:
			checkers.Pix[i] = 255 * byte(x/4%2)
		case y < 48:
			checkers.Pix[i] = 255 * byte(y/4%2)
		default:
			checkers.Set(x, y, color.Gray{byte(x / 8 * 36)})
		}
	}
	for q := 1; q <= 100; q += 9 {
		file := encoded(t, checkers, q)
		for _, step := range []byte{0, 1, 255} { // other steps of quantization than the file was made for
			bad := bytes.Clone(file)
			if at := bytes.Index(bad, []byte{0xff, 0xdb}); step > 0 {
				for i := range 64 {
					bad[at+5+i] = step
				}
			}
			want, err := jpeg.Decode(bytes.NewReader(bad))
			require.NoError(t, err)
			same(t, want, d.Decode(bad, all), want.Bounds())
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.jpg")
	require.NoError(f, err)
	for _, name := range files {
		file, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(file)
	}
	f.Add(encoded(f, scene(9, 11, 1), 30))
	f.Fuzz(func(t *testing.T, file []byte) { check(t, new(Decoder), file) })
}

// What a picture of a usual size costs, next to image/jpeg: all of it, and the middle ninth.
func BenchmarkDecode(b *testing.B) {
	m := image.NewRGBA(image.Rect(0, 0, 500, 375))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix { // with as much detail as photographs have
		m.Pix[i] = byte(i/4%500/3+i%4*40) + byte(r.IntN(24))
	}
	file := encoded(b, m, 90)
	b.Run("image/jpeg", func(b *testing.B) {
		for range b.N {
			_, err := jpeg.Decode(bytes.NewReader(file))
			require.NoError(b, err)
		}
		b.ReportMetric(float64(len(file)), "file-bytes")
	})
	for name, part := range map[string]image.Rectangle{"all": image.Rect(0, 0, 500, 375), "part of 43 %": image.Rect(80, 60, 80+328, 60+246)} {
		b.Run(fmt.Sprint("baseline/", name), func(b *testing.B) {
			var d Decoder
			for range b.N {
				require.NotNil(b, d.Decode(file, func(int, int) image.Rectangle { return part }))
			}
		})
	}
}
