package data

import (
	"bytes"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func pngBytes(t *testing.T, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

func decode(t *testing.T, raw []byte, shape [3]int) []byte {
	p, err := DecodeImage(bytes.NewReader(raw), shape)
	require.NoError(t, err)
	require.Len(t, p, shape[0]*shape[1]*shape[2])
	return p
}

func paint(m interface {
	image.Image
	Set(x, y int, c color.Color)
}, f func(x, y int) color.Color) image.Image {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			m.Set(x, y, f(x, y))
		}
	}
	return m
}

func TestDecodeKeepsPixelsAtTheSameSize(t *testing.T) {
	r := image.Rect(0, 0, 5, 3)
	f := func(x, y int) color.Color { return color.NRGBA{uint8(x * 50), uint8(y * 90), uint8(x*y + 7), 255} }
	var want []byte
	for y := range 3 {
		for x := range 5 {
			want = append(want, byte(x*50), byte(y*90), byte(x*y+7))
		}
	}
	// Each of these takes another way through the decoder: RGBA, NRGBA, 16 bits.
	require.Equal(t, want, decode(t, pngBytes(t, paint(image.NewRGBA(r), f)), [3]int{3, 5, 3}))
	require.Equal(t, want, decode(t, pngBytes(t, paint(image.NewNRGBA(r), f)), [3]int{3, 5, 3}))
	require.Equal(t, want, decode(t, pngBytes(t, paint(image.NewRGBA64(r), f)), [3]int{3, 5, 3}))
}

func TestDecodeColours(t *testing.T) {
	r := image.Rect(0, 0, 4, 4)
	half := paint(image.NewNRGBA(r), func(int, int) color.Color { return color.NRGBA{200, 0, 100, 128} })
	p := decode(t, pngBytes(t, half), [3]int{2, 2, 3})
	require.Equal(t, []byte{227, 127, 177}, p[:3], "over white: v·a + 255·(1-a) with a = 128/255")
	clear := image.NewNRGBA(r)
	require.Equal(t, []byte{255, 255, 255}, decode(t, pngBytes(t, clear), [3]int{1, 1, 3}))
	half64 := paint(image.NewNRGBA64(r), func(int, int) color.Color { return color.NRGBA64{200 * 257, 0, 100 * 257, 128 * 257} })
	require.Equal(t, []byte{227, 127, 177}, decode(t, pngBytes(t, half64), [3]int{1, 1, 3}), "16 bits agree with 8")

	grey := paint(image.NewGray(r), func(x, y int) color.Color { return color.Gray{uint8(16*y + x)} })
	p = decode(t, pngBytes(t, grey), [3]int{4, 4, 3})
	require.Equal(t, []byte{18, 18, 18}, p[(1*4+2)*3:(1*4+2)*3+3])
	require.Equal(t, byte(18), decode(t, pngBytes(t, grey), [3]int{4, 4, 1})[6])

	green := paint(image.NewRGBA(r), func(int, int) color.Color { return color.RGBA{0, 255, 0, 255} })
	require.Equal(t, []byte{150}, decode(t, pngBytes(t, green), [3]int{1, 1, 1}), "BT.601 luma")

	palette := image.NewPaletted(r, color.Palette{color.RGBA{9, 8, 7, 255}})
	require.Equal(t, []byte{9, 8, 7}, decode(t, pngBytes(t, palette), [3]int{1, 1, 3}))

	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, paint(image.NewRGBA(image.Rect(0, 0, 33, 17)), func(int, int) color.Color { return color.RGBA{30, 120, 210, 255} }), nil))
	p = decode(t, b.Bytes(), [3]int{8, 8, 3})
	for i, want := range []byte{30, 120, 210} {
		require.InDelta(t, want, p[i], 3)
	}
}

func TestResize(t *testing.T) {
	// Shrinking by a whole factor by the widened triangle leaves a linear slope linear, away from the border.
	slope := paint(image.NewGray(image.Rect(0, 0, 64, 8)), func(x, y int) color.Color { return color.Gray{uint8(4*x + 1)} })
	p := decode(t, pngBytes(t, slope), [3]int{2, 16, 1})
	for x := 1; x < 15; x++ {
		require.InDelta(t, 4*(4*float64(x)+1.5)+1, p[x], 0.51, "column %d", x)
		require.Equal(t, p[x], p[16+x])
	}
	// A fine checkerboard becomes its mean, not an alias.
	board := paint(image.NewGray(image.Rect(0, 0, 60, 60)), func(x, y int) color.Color { return color.Gray{uint8((x + y) % 2 * 200)} })
	for _, v := range decode(t, pngBytes(t, board), [3]int{10, 10, 1}) {
		require.InDelta(t, 100, v, 1)
	}
	// Enlarging: two pixels 0 and 200 to four: 0, 50, 150, 200 (pixel centres at 1/4 and 3/4).
	pair := paint(image.NewGray(image.Rect(0, 0, 2, 1)), func(x, y int) color.Color { return color.Gray{uint8(200 * x)} })
	require.Equal(t, []byte{0, 50, 150, 200}, decode(t, pngBytes(t, pair), [3]int{1, 4, 1}))
	// A flat picture stays flat whatever the sizes.
	for _, s := range [][2]int{{1, 1}, {3, 7}, {7, 3}, {13, 40}, {224, 1}} {
		flat := paint(image.NewGray(image.Rect(0, 0, 11, 9)), func(x, y int) color.Color { return color.Gray{77} })
		got := decode(t, pngBytes(t, flat), [3]int{s[0], s[1], 3})
		require.Equal(t, bytes.Repeat([]byte{77}, len(got)), got)
	}
}

func TestFilterWeightsAddUpToOne(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 33, 224, 1000} {
		for _, m := range []int{1, 2, 7, 32, 33, 224} {
			start := 0
			for o, tap := range newFilter(n, m) {
				var sum float64
				for _, w := range tap.weights {
					require.GreaterOrEqual(t, w, float32(0))
					sum += float64(w)
				}
				require.InDelta(t, 1, sum, 1e-5)
				require.GreaterOrEqual(t, tap.start, start, "%d to %d, output %d", n, m, o)
				require.LessOrEqual(t, tap.start+len(tap.weights), n)
				start = tap.start
			}
		}
	}
}

func TestDecodeFaults(t *testing.T) {
	good := pngBytes(t, image.NewGray(image.Rect(0, 0, 9, 9)))
	bomb := slices.Clone(good)
	copy(bomb[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536×65536 in the IHDR chunk
	sum := crc32.ChecksumIEEE(bomb[12:29])
	copy(bomb[29:33], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	rgb := [3]int{8, 8, 3}
	for _, c := range []struct {
		name, text string
		raw        []byte
		shape      [3]int
	}{
		{"empty", "neither PNG nor JPEG", nil, rgb},
		{"text", "neither PNG nor JPEG", []byte("hello, this is no picture"), rgb},
		{"truncated", "unexpected EOF", good[:len(good)-20], rgb},
		{"header only", "truncated", good[:20], rgb},
		{"bomb", "65536×65536 pixels", bomb, rgb},
		{"no size", "cannot be made 0×8×3", good, [3]int{0, 8, 3}},
		{"channels", "expected sides of 1 … 16384 and 1 or 3 channels", good, [3]int{8, 8, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeImage(bytes.NewReader(c.raw), c.shape)
			require.ErrorContains(t, err, c.text)
			path := filepath.Join(t.TempDir(), "cat.png")
			require.NoError(t, os.WriteFile(path, c.raw, 0o600))
			_, err = LoadImage(path, c.shape)
			e, ok := errors.AsType[*ImageError](err)
			require.True(t, ok)
			require.Equal(t, path, e.Path)
			require.ErrorContains(t, err, c.text)
		})
	}
	_, err := LoadImage(filepath.Join(t.TempDir(), "no.png"), rgb)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = LoadImage(t.TempDir(), rgb)
	require.ErrorContains(t, err, "is a folder; name the pictures in it")
	path := filepath.Join(t.TempDir(), "a.png")
	require.NoError(t, os.WriteFile(path, good, 0o600))
	_, err = LoadImage(path, rgb)
	require.NoError(t, err)
}
