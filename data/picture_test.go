package data

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/augment"
)

// noisy is a scene with as much detail as photographs have.
func noisy(h, w, seed int) image.Image {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	return paint(image.NewRGBA(image.Rect(0, 0, w, h)), func(x, y int) color.Color {
		n := uint8(r.IntN(24))
		return color.RGBA{uint8(200*x/w) + n, uint8(200*y/h) + n, uint8(40*seed) + n, 255}
	})
}

// whole keeps all of a picture.
func whole(t *testing.T, m image.Image) []byte {
	h, w := m.Bounds().Dy(), m.Bounds().Dx()
	dst := make([]byte, h*w*3)
	new(pictureReader).keep(dst, m, cut{bottom: h, right: w, factor: 1, box: augment.Box{Rows: h, Columns: w}})
	return dst
}

// Every kind of picture that decoders hand out becomes the red, green, blue of its pixels, over white.
func TestReadBytes(t *testing.T) {
	r := image.Rect(0, 0, 9, 5)
	f := func(x, y int) color.Color { return color.NRGBA{uint8(x * 28), uint8(y * 51), uint8(x*y + 7), 255} }
	clear := func(x, y int) color.Color {
		return color.NRGBA{uint8(x * 28), uint8(y * 51), uint8(x*y + 7), uint8(30 * x)}
	}
	palette := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{250, 128, 7, 255}, color.RGBA{9, 200, 100, 255}}
	pictures := []image.Image{paint(image.NewRGBA(r), f), paint(image.NewRGBA(r), clear), paint(image.NewNRGBA(r), clear), paint(image.NewGray(r), f),
		paint(image.NewGray16(r), f), paint(image.NewNRGBA64(r), clear), paint(image.NewRGBA64(r), f), paint(image.NewPaletted(r, palette), f), paint(image.NewCMYK(r), f)}
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(r, ratio)
		for i := range m.Y {
			m.Y[i] = byte(i * 5)
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = byte(i*31), byte(255-i*17)
		}
		pictures = append(pictures, m)
	}
	var p pictureReader
	for _, m := range pictures {
		for x0 := range 4 {
			for y := range 5 {
				got := make([]byte, (9-x0)*3)
				p.readBytes(got, m, x0, y)
				for x := x0; x < 9; x++ {
					cr, cg, cb, ca := m.At(x, y).RGBA()
					for k, v := range []uint32{cr, cg, cb} {
						require.InDelta(t, float64(v+0xffff-ca)/257, float64(got[(x-x0)*3+k]), 1, "%T at %d, %d", m, x, y)
					}
				}
			}
		}
	}
}

// cmyk is a JPEG of four inks, as some of ImageNet's are: cyan with some magenta on the left, yellow on the right.
const cmyk = `/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABcA` +
	`AAMBAAAAAAAAAAAAAAAAAAUGBwj/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/AFI7KQfF7GGaxJ//2Q==`

// What a file's name says of its content does not count: PNGs are called JPEG, and JPEGs have four inks.
func TestReadsWhatThereIs(t *testing.T) {
	var p pictureReader
	dir := t.TempDir()
	m, err := p.read(put(t, pngBytes(t, scene(5, 7, 1)), dir, "a.JPEG"), wholePicture)
	require.NoError(t, err)
	require.Equal(t, whole(t, scene(5, 7, 1)), whole(t, m))
	inks, err := base64.StdEncoding.DecodeString(cmyk)
	require.NoError(t, err)
	m, err = p.read(put(t, inks, dir, "b.jpg"), wholePicture)
	require.NoError(t, err)
	require.IsType(t, &image.CMYK{}, m)
	got := whole(t, m)
	for i, want := range []byte{49, 190, 216} {
		require.InDelta(t, want, got[3*(2*16+2)+i], 6)
	}
	for i, want := range []byte{255, 255, 5} {
		require.InDelta(t, want, got[3*(2*16+12)+i], 6)
	}
	m, err = p.read(put(t, jpegBytes(t, paint(image.NewGray(image.Rect(0, 0, 8, 8)), func(x, y int) color.Color { return color.Gray{200} })), dir, "c.png"), wholePicture)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{200}, 8*8*3), whole(t, m))
	_, err = p.read(dir, wholePicture)
	require.ErrorContains(t, err, "is a folder; name the pictures in it")
}

// Pixels of a reduced picture are the means of squares, at the edges of what there is.
func TestKeepReduces(t *testing.T) {
	m := noisy(23, 31, 1)
	all := whole(t, m)
	var p pictureReader
	for factor := 1; factor <= 5; factor++ {
		c := cut{top: 2, bottom: 21, left: 3, right: 30, factor: factor}
		c.box.Rows, c.box.Columns = (19-1)/factor+1, (27-1)/factor+1
		got := make([]byte, c.box.Rows*c.box.Columns*3)
		p.keep(got, m, c)
		for y := range c.box.Rows {
			for x := range c.box.Columns {
				for k := range 3 {
					sum, n := 0, 0
					for sy := c.top + y*factor; sy < min(c.bottom, c.top+(y+1)*factor); sy++ {
						for sx := c.left + x*factor; sx < min(c.right, c.left+(x+1)*factor); sx++ {
							sum, n = sum+int(all[(sy*31+sx)*3+k]), n+1
						}
					}
					require.InDelta(t, float64(sum)/float64(n), float64(got[(y*c.box.Columns+x)*3+k]), 0.5+1e-9)
				}
			}
		}
	}
}

// Colour at half the resolution is interpolated as libjpeg does it: the bytes are Pillow 12's of the same file (subsampling=2 and 1).
func TestColourIsInterpolated(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"420",
			"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0dHx8fExciJCIeJBweHx7/" +
				"2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh7/wAARCAAHAAsDASIAAhEBAxEB/8QA" +
				"FgABAQEAAAAAAAAAAAAAAAAAAAME/8QAIhAAAQQBAwUBAAAAAAAAAAAAAgEDBAUGABFRBxIjMUKB/8QAFQEBAQAAAAAAAAAAAAAAAAAAAAX/xAAiEQACAQMC" +
				"BwAAAAAAAAAAAAABAgMABBETMgUSITFBUZH/2gAMAwEAAhEDEQA/AMUO5yvKM6r60K2EVA8ySSpTa9roOCJkiChHygfK+1/K2HTfEjsJByLK1B4nSVwRMNkL" +
				"dd0Tx86aajMktnLDYW8rJFpK+ARuLMp8elFOPw6cdtNkkOgPKdoOW6gd/pNf/9k=",
			"s8oAtsQVvLlGspBRzoFvzXGglUrLmVf1j1DTQCCDIjt0tssMuMQitrJHrY1Uw35uwXeYkGHBg2LViWfFPjV0GT5brL8YusU6tK1Vs5dosn1rrYSMfYOjU3GT" +
				"U297J0xFDEgseXcAfncFinc1GwAAJwIACQQAcrOLbsuUf86Ngcd/gsd3kmkAl24ciV83HgAADwAAABkAXdZiU+lSWdBCdc9Lj8xVjnEljGg0ildTLgAOJwAV" +
				"BwkAac9HWeUsdeZAfM8/kMdQR2gzX2ROgU53s1OqyEW3xmWayNJvn908nNlQcak8cqVW"},
		{"422",
			"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0dHx8fExciJCIeJBweHx7/" +
				"2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh7/wAARCAAHAAsDASEAAhEBAxEB/8QA" +
				"FQABAQAAAAAAAAAAAAAAAAAAAwT/xAAiEAABBAECBwAAAAAAAAAAAAACAQMEBQYRUQAHEiMxQoH/xAAVAQEBAAAAAAAAAAAAAAAAAAADBf/EACERAAEDAwQD" +
				"AAAAAAAAAAAAAAECAxEFITEABBIiE0FS/9oADAMBAAIRAxEAPwCKHc5XlGdV9aFbCKgeZJJUptel0HBEyRBQj3QPVfK/FsOW+JHYSDkWVqDxOkrgiYaIWq6o" +
				"nb34gsVGp0fbM0vatpUOIc7ZuSnIUBHXEToa15i4028IY4BSFeySSDNzaB8jX//Z",
			"r8sFucIbyrJGvopQyoNxzXGgsTzJrk30eVvVHTKDCkhxp9AarckntbQ+q5FHuIVov3ahq0/WnE/3f2XsJzqYBUVrlc4DrtEdu7EuyJJIzXBo1GuktlzYiUff" +
				"ck3bODGjGjN1jmYPkGgjlG1MFAAABBIAACMAMONBMP0yVPcsc98nnsYyjGYbmGkxlVZEMAAAHwAMABIEUd1gQvRGUNc1fM48q8FCjXEniWwqf2QvHgYADwMF" +
				"ABoAP+ZAMvooWfRBbdg9jsw9QGo6WmVVgkx+vEy42zXV3FWx3closdcorNNGeKVAcKJt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := base64.StdEncoding.DecodeString(c.file)
			require.NoError(t, err)
			want, err := base64.StdEncoding.DecodeString(c.want)
			require.NoError(t, err)
			var p pictureReader
			m, err := p.read(put(t, file, t.TempDir(), "a.jpg"), wholePicture)
			require.NoError(t, err)
			got := whole(t, m)
			require.Len(t, got, len(want))
			for i, v := range want {
				require.InDelta(t, v, got[i], 2, "byte %d", i) // their inverse transforms round apart
			}
			for x0 := range 5 {
				row := make([]byte, (11-x0)*3)
				p.readBytes(row, m, x0, 4)
				require.Equal(t, got[(4*11+x0)*3:5*11*3], row)
			}
		})
	}
}

// Colours are those of image/color.
func TestReadYCbCrHasItsColours(t *testing.T) {
	var p pictureReader
	m := image.NewYCbCr(image.Rect(0, 0, 256, 256), image.YCbCrSubsampleRatio444)
	row := make([]byte, 256*3)
	for luma := range 256 {
		for i := range m.Y {
			m.Y[i], m.Cb[i], m.Cr[i] = byte(luma), byte(i%256), byte(i/256)
		}
		for y := luma % 3; y < 256; y += 3 {
			p.readBytes(row, m, 0, y)
			for x := range 256 {
				r, g, b := color.YCbCrToRGB(byte(luma), byte(x), byte(y))
				if [3]byte{r, g, b} != [3]byte(row[3*x:]) {
					t.Fatalf("luma %d, blue %d, red %d: %v, want %v", luma, x, y, row[3*x:3*x+3], [3]byte{r, g, b})
				}
			}
		}
	}
}
