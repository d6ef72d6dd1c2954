package data

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // the two formats that DecodeImage knows
	_ "image/png"
	"io"
	"os"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// MaxImagePixels bounds the pictures that DecodeImage accepts, as a small file can claim to unpack to gigabytes.
const MaxImagePixels = 64 << 20

// maxImageFile bounds the file itself.
const maxImageFile = 256 << 20

// ImageError says that a picture cannot be used.
type ImageError struct {
	Path string
	Err  error
	// Damaged says, of a Loader's files, that what is in the file is at fault, and not the way to it.
	Damaged bool
}

func (e *ImageError) Error() string { return fmt.Sprintf("data: picture %s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// LoadImage reads a PNG or JPEG file as one image of the given shape (height, width, 1 or 3 channels): H×W×C bytes, NHWC,
// for Normalize.Apply. The picture is resized to the shape whatever its proportions, as networks do that were trained
// on whole pictures of one size. Transparent parts become white, grey becomes three equal channels, colour becomes grey
// by the luma weights of ITU-R BT.601. Orientation marks (EXIF) are ignored, as Keras and torchvision do. Errors are *ImageError.
func LoadImage(path string, shape [3]int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &ImageError{Path: path, Err: pathCause(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &ImageError{Path: path, Err: pathCause(err)}
	}
	if err := checkFile(info); err != nil {
		return nil, &ImageError{Path: path, Err: err}
	}
	pixels, err := DecodeImage(f, shape)
	if err != nil {
		return nil, &ImageError{Path: path, Err: err}
	}
	return pixels, nil
}

// DecodeImage is LoadImage for an open file. Its errors do not name the file.
func DecodeImage(r io.ReadSeeker, shape [3]int) ([]byte, error) {
	h, w, c := shape[0], shape[1], shape[2]
	if h < 1 || w < 1 || h > 1<<14 || w > 1<<14 || (c != 1 && c != 3) {
		return nil, fmt.Errorf("cannot be made %d×%d×%d; expected sides of 1 … 16384 and 1 or 3 channels", h, w, c)
	}
	m, err := decodeImage(r)
	if err != nil {
		return nil, err
	}
	return fitImage(m, h, w, c), nil
}

// decodeImage decodes a picture, whose size it looks at first.
func decodeImage(r io.ReadSeeker) (image.Image, error) {
	config, format, err := image.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return nil, imageFault(err)
	}
	if config.Width < 1 || config.Height < 1 || int64(config.Width)*int64(config.Height) > MaxImagePixels {
		return nil, fmt.Errorf("is a %s of %d×%d pixels; expected 1 … %s in all", format, config.Width, config.Height, thousands.Format(MaxImagePixels))
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, _, err := image.Decode(bufio.NewReader(r))
	if err != nil {
		return nil, imageFault(err)
	}
	return m, nil
}

func imageFault(err error) error {
	if errors.Is(err, image.ErrFormat) {
		return errors.New("is neither PNG nor JPEG")
	}
	if isEnd(err) {
		return fmt.Errorf("truncated: %w", err)
	}
	return err
}

// fitImage resizes m to h×w and reduces it to c channels.
func fitImage(m image.Image, h, w, c int) []byte {
	b := m.Bounds()
	sw, sh := b.Dx(), b.Dy()
	horizontal, vertical := newFilter(sw, w), newFilter(sh, h)
	// One source row at a time: to float, resized in width, then added to the output rows that it takes part in. That
	// needs memory for the output only, not for a float copy of the picture.
	row := make([]float32, sw*3)
	narrow := make([]float32, w*3)
	sum := make([]float32, h*w*3)
	first := 0 // output rows before this one are complete
	for y := range sh {
		used := false
		for first < h && vertical[first].start+len(vertical[first].weights) <= y {
			first++
		}
		for o := first; o < h && vertical[o].start <= y; o++ {
			k := y - vertical[o].start
			if k >= len(vertical[o].weights) {
				continue
			}
			if !used {
				used = true
				readRow(row, m, b.Min.X, b.Min.Y+y)
				horizontal.apply(narrow, row)
			}
			weight := vertical[o].weights[k]
			out := sum[o*w*3 : (o+1)*w*3]
			for i, v := range narrow {
				out[i] += weight * v
			}
		}
	}
	out := make([]byte, h*w*c)
	for i := range h * w {
		p := sum[3*i : 3*i+3]
		if c == 3 {
			out[3*i], out[3*i+1], out[3*i+2] = toByte(p[0]), toByte(p[1]), toByte(p[2])
		} else {
			out[i] = toByte(0.299*p[0] + 0.587*p[1] + 0.114*p[2])
		}
	}
	return out
}

func toByte(v float32) byte { return byte(min(255, max(0, v+0.5))) }

// readRow writes one row as red, green, blue on the scale 0–255, over white.
func readRow(dst []float32, m image.Image, x0, y int) {
	switch m := m.(type) {
	case *image.NRGBA:
		at := m.PixOffset(x0, y)
		for x := range len(dst) / 3 {
			p := m.Pix[at+4*x : at+4*x+4]
			a := float32(p[3]) / 255
			for k := range 3 {
				dst[3*x+k] = float32(p[k])*a + 255*(1-a)
			}
		}
	case *image.Gray:
		at := m.PixOffset(x0, y)
		for x := range len(dst) / 3 {
			v := float32(m.Pix[at+x])
			dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
		}
	case *image.YCbCr:
		for x := range len(dst) / 3 {
			p := m.YCbCrAt(x0+x, y)
			r, g, b := color.YCbCrToRGB(p.Y, p.Cb, p.Cr)
			dst[3*x], dst[3*x+1], dst[3*x+2] = float32(r), float32(g), float32(b)
		}
	default:
		for x := range len(dst) / 3 {
			r, g, b, a := m.At(x0+x, y).RGBA() // 16 bits, already multiplied by alpha
			white := 0xffff - a
			dst[3*x], dst[3*x+1], dst[3*x+2] = float32(r+white)/257, float32(g+white)/257, float32(b+white)/257
		}
	}
}
