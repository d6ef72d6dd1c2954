package data

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two files that Pillow 13 has written: a PNG of 3×2 pixels with orientation 6, and a JPEG with a maker and orientation 8.
const (
	pillowPNG  = `iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAGmVYSWZNTQAqAAAACAABARIAAwAAAAEABgAAAAAAANZnS2kAAAAWSURBVHicY9SAAYYFCxacOHHiw4cPADWYCHI5CujHAAAAAElFTkSuQmCC`
	pillowJPEG = `/9j/4AAQSkZJRgABAQAAAQABAAD/4QA0RXhpZgAATU0AKgAAAAgAAgEPAAIAAAAGAAAAJgESAAMAAAABAAgAAAAAAABNYWtlcgD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAcEAABAwUAAAAAAAAAAAAAAAAAAQMEAhMjMVL/xAAUAQEAAAAAAAAAAAAAAAAAAAAA/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8AsRo7FijC3rlAAB//2Q==`
)

// shown is how Pillow's ImageOps.exif_transpose shows a picture of the rows 1 2 3, 4 5 6 with each orientation.
var shown = map[int][]byte{
	1: {1, 2, 3, 4, 5, 6}, 2: {3, 2, 1, 6, 5, 4}, 3: {6, 5, 4, 3, 2, 1}, 4: {4, 5, 6, 1, 2, 3}, // 3×2
	5: {1, 4, 2, 5, 3, 6}, 6: {4, 1, 5, 2, 6, 3}, 7: {6, 3, 5, 2, 4, 1}, 8: {3, 6, 2, 5, 1, 4}, // 2×3
}

// exifWith is EXIF data that says one thing: a tag of a type, its count and its value.
func exifWith(order binary.AppendByteOrder, tag, kind uint16, count uint32, value uint16) []byte {
	mark := "II"
	if order.String() == "BigEndian" {
		mark = "MM"
	}
	b := order.AppendUint16([]byte(mark), 42)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, tag)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint32(b, count)
	b = order.AppendUint16(b, value)
	return append(b, 0, 0, 0, 0, 0, 0)
}

// withEXIF puts EXIF data into a JPEG, behind its first two bytes, or into a PNG, behind its header.
func withEXIF(file, exif []byte) []byte {
	if file[0] == 0xff {
		segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+6+len(exif)))
		return slices.Concat(file[:2], segment, []byte("Exif\x00\x00"), exif, file[2:])
	}
	const header = 8 + 12 + 13
	chunk := append([]byte("eXIf"), exif...)
	return slices.Concat(file[:header], binary.BigEndian.AppendUint32(nil, uint32(len(exif))), chunk, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk)), file[header:])
}

func TestOrientation(t *testing.T) {
	for text, want := range map[string]int{pillowPNG: 6, pillowJPEG: 8} {
		file, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		require.Equal(t, want, orientation(file))
		for n := range file { // however little there is of it
			o := orientation(file[:n])
			require.True(t, o == upright || o == want)
		}
	}
	jpeg, png := jpegBytes(t, scene(4, 5, 1)), pngBytes(t, scene(4, 5, 1))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, file := range [][]byte{jpeg, png} {
			require.Equal(t, upright, orientation(file))
			for o := range 10 {
				want := o
				if o == 0 || o == 9 {
					want = upright
				}
				require.Equal(t, want, orientation(withEXIF(file, exifWith(order, 0x0112, 3, 1, uint16(o)))))
			}
			for _, none := range [][]byte{exifWith(order, 0x0113, 3, 1, 6), exifWith(order, 0x0112, 4, 1, 6), exifWith(order, 0x0112, 3, 2, 6), {}, []byte("II*\x00"),
				exifWith(order, 0x0112, 3, 1, 6)[:20], append([]byte("XX"), exifWith(order, 0x0112, 3, 1, 6)[2:]...)} {
				require.Equal(t, upright, orientation(withEXIF(file, none)))
			}
		}
	}
	far := exifWith(binary.LittleEndian, 0x0112, 3, 1, 6)
	copy(far[4:], "\xff\xff\xff\xff")
	require.Equal(t, upright, orientation(withEXIF(jpeg, far)))
	require.Equal(t, upright, orientation([]byte("\xff\xd8\xff\xff\xff\xd9")))
	for _, file := range []string{"", "\xff", "\xff\xd8", "\xff\xd8\xff\xe1", "\xff\xd8\xff\xe1\x00\x00", "\xff\xd8\xff\xd0\xff", pngSignature, pngSignature + "\xff\xff\xff\xffeXIf\x00\x00\x00\x00"} {
		require.Equal(t, upright, orientation([]byte(file)), "%q", file)
	}
	// Behind the pixels of a PNG, where the standard allows it, but not behind those of a JPEG.
	exif := exifWith(binary.BigEndian, 0x0112, 3, 1, 6)
	chunk := withEXIF(png, exif)[33 : 33+12+len(exif)]
	require.Equal(t, 6, orientation(slices.Concat(png[:len(png)-12], chunk, png[len(png)-12:])))
	segment := withEXIF(jpeg, exif)[2 : 2+10+len(exif)]
	require.Equal(t, upright, orientation(slices.Concat(jpeg[:len(jpeg)-2], segment, jpeg[len(jpeg)-2:])))
}

// Pictures are turned as Pillow turns them.
func TestTurn(t *testing.T) {
	m := paint(image.NewGray(image.Rect(0, 0, 3, 2)), func(x, y int) color.Color { return color.Gray{uint8(1 + x + 3*y)} })
	var p pictureReader
	for o, want := range shown {
		got := p.turn(m, o)
		width, height := 3, 2
		if o >= 5 {
			width, height = 2, 3
		}
		require.Equal(t, image.Rect(0, 0, width, height), got.Bounds(), "orientation %d", o)
		for i, v := range whole(t, got) {
			require.Equal(t, want[i/3], v, "orientation %d", o)
		}
		r, _, _, a := got.At(1, 0).RGBA()
		require.Equal(t, [2]uint32{uint32(want[1]) * 0x101, 0xffff}, [2]uint32{r, a})
		require.Zero(t, color.GrayModel.Convert(got.At(-1, 0)))
	}
}

// A picture that lies on its side gives the images of one that stands, in training and tests, where that is asked for; else it lies.
func TestLoaderTurnsPictures(t *testing.T) {
	var p pictureReader
	standing := paint(image.NewRGBA(image.Rect(0, 0, 50, 70)), func(x, y int) color.Color { return color.RGBA{uint8(5 * x), uint8(3 * y), uint8(x * y), 255} })
	lying := p.turn(standing, 8) // which 6 turns back
	dirs := [3]string{t.TempDir(), t.TempDir(), t.TempDir()}
	marked := withEXIF(pngBytes(t, lying), exifWith(binary.LittleEndian, 0x0112, 3, 1, 6))
	for i, raw := range [][]byte{pngBytes(t, standing), pngBytes(t, lying), marked} {
		for _, half := range []string{"train", "val"} {
			put(t, raw, dirs[i], half, "all", "a.png")
		}
	}
	for _, a := range []Augment{{}, cropped} {
		for _, raw := range []bool{true, false} {
			images := func(dir string, turn bool) string {
				it := loader(t, openAlbum(t, dir, 16).Train, LoaderConfig{Batch: 1, Seed: 4, Augment: a, Raw: raw, EXIFOrientation: turn}).Epoch(0, 0)
				defer it.Close()
				require.True(t, it.Next(bg))
				b := it.Batch()
				return fmt.Sprint(b.Pixels, b.Draws, b.Images)
			}
			require.Equal(t, images(dirs[0], false), images(dirs[2], true))
			require.Equal(t, images(dirs[0], true), images(dirs[2], true))
			require.Equal(t, images(dirs[1], false), images(dirs[2], false))
			require.NotEqual(t, images(dirs[0], false), images(dirs[1], true))
		}
	}
	check := PictureCheck{}
	for _, err := range check.All(bg, openAlbum(t, dirs[2], 16).Train) {
		require.NoError(t, err)
	}
	for _, err := range check.All(bg, openAlbum(t, dirs[1], 16).Train) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, check.Turned)
	want, err := Normalize{}.Picture(put(t, pngBytes(t, standing), t.TempDir(), "a.png"), 16)
	require.NoError(t, err)
	got, err := LoaderConfig{EXIFOrientation: true}.Picture(put(t, marked, t.TempDir(), "a.png"), 16)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func FuzzOrientation(f *testing.F) {
	for _, text := range []string{pillowPNG, pillowJPEG} {
		file, err := base64.StdEncoding.DecodeString(text)
		require.NoError(f, err)
		f.Add(file)
	}
	f.Add(exifWith(binary.LittleEndian, 0x0112, 3, 1, 6))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, o := range []int{orientation(b), orientationOfTIFF(b)} {
			require.True(t, o >= 1 && o <= 8)
		}
	})
}
