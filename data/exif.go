package data

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// Cameras write pictures as their sensors lie, and how they were held beside it: tag 0x0112, Orientation, of what EXIF keeps in a JPEG's
// segment APP1 or a PNG's chunk eXIf (CIPA DC-008, "Exchangeable image file format for digital still cameras", section 4.6.5;
// PNG Specification, third edition, section 11.3.3.5).

// upright is the orientation of a picture whose rows are as they are shown.
const upright = 1

// orientation is what the EXIF data of a file says, 1 to 8: upright where there is none, or none that can be read.
func orientation(file []byte) int {
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xd8")):
		return orientationOfTIFF(exifOfJPEG(file))
	case bytes.HasPrefix(file, []byte(pngSignature)):
		return orientationOfTIFF(exifOfPNG(file))
	}
	return upright
}

const pngSignature = "\x89PNG\r\n\x1a\n"

// exifOfJPEG is the first segment of EXIF data before the pixels.
func exifOfJPEG(file []byte) []byte {
	const (
		app1     = 0xe1
		temp     = 0x01
		restart0 = 0xd0
		end      = 0xd9
		scan     = 0xda
	)
	for at := 2; at+1 < len(file) && file[at] == 0xff; {
		marker := file[at+1]
		switch {
		case marker == 0xff: // fills
			at++
			continue
		case marker == end || marker == scan:
			return nil
		case marker == temp || marker >= restart0 && marker < end: // alone
			at += 2
			continue
		case at+4 > len(file):
			return nil
		}
		size := int(binary.BigEndian.Uint16(file[at+2:])) // with itself
		if size < 2 || size > len(file)-at-2 {
			return nil
		}
		segment := file[at+4 : at+2+size]
		if exif, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && marker == app1 {
			return exif
		}
		at += 2 + size
	}
	return nil
}

// exifOfPNG is the chunk of EXIF data, before or after the pixels.
func exifOfPNG(file []byte) []byte {
	const around = 12 // size, type, checksum
	for rest := file[len(pngSignature):]; len(rest) >= around; {
		size := uint64(binary.BigEndian.Uint32(rest))
		if size > uint64(len(rest)-around) {
			return nil
		}
		if string(rest[4:8]) == "eXIf" {
			return rest[8 : 8+size]
		}
		rest = rest[around+size:]
	}
	return nil
}

// orientationOfTIFF looks for the tag in the first directory of EXIF data, which has the form of a TIFF file.
func orientationOfTIFF(exif []byte) int {
	const header, entrySize, tag, short = 8, 12, 0x0112, 3
	if len(exif) < header {
		return upright
	}
	var order binary.ByteOrder
	switch string(exif[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	first := uint64(order.Uint32(exif[4:]))
	if first+2 > uint64(len(exif)) {
		return upright
	}
	n, entries := int(order.Uint16(exif[first:])), exif[first+2:]
	for ; n > 0 && len(entries) >= entrySize; n, entries = n-1, entries[entrySize:] {
		if order.Uint16(entries) != tag {
			continue
		}
		o := int(order.Uint16(entries[8:]))
		if order.Uint16(entries[2:]) == short && order.Uint32(entries[4:]) == 1 && o >= upright && o <= 8 {
			return o
		}
		return upright
	}
	return upright
}

// turn returns the picture as an orientation says that it is shown.
func (p *pictureReader) turn(m image.Image, orientation int) image.Image {
	if orientation == upright {
		return m
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	t := &rgb{width: w, height: h, pixels: make([]byte, w*h*3)}
	swapped := orientation >= 5 // rows become columns
	if swapped {
		t.width, t.height = h, w
	}
	p.row = room(p.row, w*3)
	for y := range h {
		p.readBytes(p.row, m, b.Min.X, b.Min.Y+y)
		// Where the row's first pixel is shown, and how far from each other its pixels are.
		first, step := y*t.width, 1
		switch orientation {
		case 2: // mirrored
			first, step = y*t.width+w-1, -1
		case 3: // upside down
			first, step = (h-1-y)*t.width+w-1, -1
		case 4: // upside down and mirrored
			first = (h - 1 - y) * t.width
		case 5: // mirrored along the diagonal
			first, step = y, t.width
		case 6: // the first row is on the right
			first, step = h-1-y, t.width
		case 7: // mirrored along the other diagonal
			first, step = (w-1)*t.width+h-1-y, -t.width
		case 8: // the first row is on the left, from the bottom up
			first, step = (w-1)*t.width+y, -t.width
		}
		for x := range w {
			copy(t.pixels[3*(first+x*step):][:3], p.row[3*x:])
		}
	}
	return t
}

// rgb is a picture of three bytes a pixel, row by row.
type rgb struct {
	width, height int
	pixels        []byte
}

func (r *rgb) ColorModel() color.Model { return color.RGBAModel }
func (r *rgb) Bounds() image.Rectangle { return image.Rect(0, 0, r.width, r.height) }
func (r *rgb) At(x, y int) color.Color {
	if !(image.Point{X: x, Y: y}).In(r.Bounds()) {
		return color.RGBA{}
	}
	p := r.pixels[3*(y*r.width+x):]
	return color.RGBA{p[0], p[1], p[2], 255}
}
