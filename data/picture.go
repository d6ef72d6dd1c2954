package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// pictureReader reads pictures and keeps parts of them as bytes of red, green, blue. It is for one goroutine; the zero value is ready.
type pictureReader struct {
	file bytes.Buffer
	row  []byte
	sums []uint32

	blue, red []byte // differences from luma of a row of a JPEG

	exif bool // pictures are turned as EXIF says
}

// read decodes a file. Errors are *ImageError.
func (p *pictureReader) read(path string) (image.Image, error) {
	if err := p.load(path); err != nil {
		return nil, err
	}
	m, err := decodeImage(bytes.NewReader(p.file.Bytes()))
	if err != nil {
		return nil, &ImageError{path, err, true}
	}
	if p.exif {
		m = p.turn(m, orientation(p.file.Bytes()))
	}
	return m, nil
}

// load takes a file into memory.
func (p *pictureReader) load(path string) error {
	fail := func(err error) error { return &ImageError{Path: path, Err: pathCause(err)} }
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	if err := checkFile(info); err != nil {
		return &ImageError{path, err, true}
	}
	p.file.Reset()
	if _, err := io.Copy(&p.file, io.LimitReader(f, maxImageFile)); err != nil {
		return fail(err)
	}
	return nil
}

// checkFile refuses what is no file of a picture by its looks.
func checkFile(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("is a folder; name the pictures in it one by one, or as FOLDER/*.jpg")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() > maxImageFile:
		return fmt.Errorf("the file has %s bytes; at most %s are read", thousands.Format(info.Size()), thousands.Format(maxImageFile))
	}
	return nil
}

// keep writes what a cut keeps of a picture: bytes of shape (box.Rows, box.Columns, 3).
func (p *pictureReader) keep(dst []byte, m image.Image, c cut) {
	at, n, width := m.Bounds().Min, c.right-c.left, c.box.Columns*3
	if c.factor == 1 {
		for y := c.top; y < c.bottom; y++ {
			p.readBytes(dst[(y-c.top)*width:(y-c.top+1)*width], m, at.X+c.left, at.Y+y)
		}
		return
	}
	p.row = room(p.row, n*3)
	if cap(p.sums) < width {
		p.sums = make([]uint32, width)
	}
	row, sums := p.row, p.sums[:width]
	for top := c.top; top < c.bottom; top += c.factor {
		clear(sums)
		bottom := min(top+c.factor, c.bottom)
		for y := top; y < bottom; y++ {
			p.readBytes(row, m, at.X+c.left, at.Y+y)
			for x := range c.box.Columns {
				s := sums[3*x : 3*x+3]
				for block := row[3*x*c.factor : 3*min((x+1)*c.factor, n)]; len(block) >= 3; block = block[3:] {
					s[0], s[1], s[2] = s[0]+uint32(block[0]), s[1]+uint32(block[1]), s[2]+uint32(block[2])
				}
			}
		}
		out := dst[(top-c.top)/c.factor*width:][:width]
		for x := range c.box.Columns {
			count := uint32((bottom - top) * (min((x+1)*c.factor, n) - x*c.factor))
			for k := range 3 {
				out[3*x+k] = byte((sums[3*x+k] + count/2) / count)
			}
		}
	}
}

// readBytes writes pixels of row y from column x0 on as red, green, blue, over white.
func (p *pictureReader) readBytes(dst []byte, m image.Image, x0, y int) {
	n := len(dst) / 3
	switch m := m.(type) {
	case *image.YCbCr:
		p.readYCbCr(dst, m, x0, y)
	case *rgb:
		copy(dst, m.pixels[3*(y*m.width+x0):])
	case *image.Gray:
		from := m.Pix[m.PixOffset(x0, y):][:n]
		for x, v := range from {
			dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
		}
	case *image.RGBA:
		from := m.Pix[m.PixOffset(x0, y):][:4*n]
		for x := range n { // already multiplied by alpha
			white := 255 - from[4*x+3]
			dst[3*x], dst[3*x+1], dst[3*x+2] = from[4*x]+white, from[4*x+1]+white, from[4*x+2]+white
		}
	case *image.CMYK:
		from := m.Pix[m.PixOffset(x0, y):][:4*n]
		for x := range n {
			dst[3*x], dst[3*x+1], dst[3*x+2] = color.CMYKToRGB(from[4*x], from[4*x+1], from[4*x+2], from[4*x+3])
		}
	default:
		for x := range n {
			r, g, b, a := m.At(x0+x, y).RGBA() // 16 bits, already multiplied by alpha
			white := 0xffff - a
			dst[3*x], dst[3*x+1], dst[3*x+2] = byte((r+white+128)/257), byte((g+white+128)/257), byte((b+white+128)/257)
		}
	}
}
