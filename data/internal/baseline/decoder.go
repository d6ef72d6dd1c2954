// Package baseline decodes parts of baseline JPEGs, such as most photographs are, to the very bytes that image/jpeg makes of them, in about
// half of its time. Training takes a random part of each picture, and the host's time for decoding is what bounds it.
//
// What it gains: the codes of a scan are read from 64 bits at a time, and most of them, with the number behind, are found in one look at a
// table; blocks outside of the part are read over, and not transformed; rows of coefficients that are all 0 are not transformed either; and
// the memory of one picture serves the next.
//
// It knows sequential Huffman-coded JPEGs of 8 bits, grey or in colour with chroma of full or half resolution, in one scan, without a fault.
// Of any other file it says no more than that, and image/jpeg is the one to decode it, or to say what is wrong with it. So every byte of a
// scan is read, whatever the part is: a file that is damaged somewhere is damaged for every part.
//
// ITU-T T.81, "Digital compression and coding of continuous-tone still images", 1992, is what sections are of below.
package baseline

import (
	"encoding/binary"
	"image"
)

// Decoder has the memory that pictures are decoded in. The zero value is ready; it is for one goroutine.
type Decoder struct {
	quant [4]*[64]int32 // by number, in the order of the file
	room  [4][64]int32
	huff  [2][2]table // by class (0: DC, 1: AC) and number

	width, height int
	comps         []component
	restart       int // MCUs between restart markers; 0: none
	jfif          bool

	scan   []byte // the codes without stuffing, segment after segment
	ends   []int  // of segments
	planes [3][]byte
}

// component is a component of a frame.
type component struct {
	id     byte
	h, v   int // blocks of an MCU
	quant  int
	dc, ac *table
	pix    []byte
	stride int
}

// The markers that it knows (table B.1).
const (
	markSOF0, markDHT, markRST0, markSOI, markEOI, markSOS, markDQT, markDRI = 0xc0, 0xc4, 0xd0, 0xd8, 0xd9, 0xda, 0xdb, 0xdd
	markAPP0, markAPP14, markAPP15, markCOM                                  = 0xe0, 0xee, 0xef, 0xfe
)

// Decode decodes at least the part of a file's picture that part names for its width and height, and what lies within two pixels of it, which
// interpolation of chroma needs. The image has the picture's bounds, and is an *image.YCbCr or an *image.Gray of the decoder's memory: what
// lies outside of the part in it is not defined, and it is valid until the next call. It is nil where the file is none that the package knows,
// or part is empty.
func (d *Decoder) Decode(file []byte, part func(width, height int) image.Rectangle) image.Image {
	rest, ok := d.header(file)
	if !ok {
		return nil
	}
	wanted := part(d.width, d.height).Intersect(image.Rect(0, 0, d.width, d.height))
	if wanted.Empty() || !d.unstuff(rest) {
		return nil
	}
	wanted = wanted.Inset(-2)
	m := d.picture()
	if !d.blocks(wanted) {
		return nil
	}
	return m
}

// header reads all up to the codes of the scan, and returns what follows.
func (d *Decoder) header(file []byte) (rest []byte, ok bool) {
	if len(file) < 2 || file[0] != 0xff || file[1] != markSOI {
		return nil, false
	}
	d.quant, d.comps, d.restart, d.jfif = [4]*[64]int32{}, d.comps[:0], 0, false
	for i := range d.huff {
		for k := range d.huff[i] {
			d.huff[i][k].known = false
		}
	}
	for rest = file[2:]; ; {
		if len(rest) < 4 || rest[0] != 0xff {
			return nil, false
		}
		marker, size := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if size < 2 || size > len(rest)-2 {
			return nil, false
		}
		segment := rest[4 : 2+size]
		rest = rest[2+size:]
		switch {
		case marker == markSOF0:
			ok = d.frame(segment)
		case marker == markDHT:
			ok = d.huffman(segment)
		case marker == markDQT:
			ok = d.quantization(segment)
		case marker == markDRI:
			ok = len(segment) == 2
			if ok {
				d.restart = int(binary.BigEndian.Uint16(segment))
			}
		case marker == markSOS:
			return rest, d.scanHeader(segment)
		case marker == markAPP14: // Adobe's, which may say that there is no YCbCr in the file
			ok = len(segment) < 12 || string(segment[:5]) != "Adobe"
		case marker == markAPP0:
			ok = true
			if len(segment) >= 5 {
				d.jfif = string(segment[:5]) == "JFIF\x00"
			}
		default:
			ok = marker > markAPP0 && marker <= markAPP15 || marker == markCOM
		}
		if !ok {
			return nil, false
		}
	}
}

// frame reads the frame's header (section B.2.2).
func (d *Decoder) frame(s []byte) bool {
	if len(d.comps) > 0 || len(s) < 6 || s[0] != 8 {
		return false
	}
	n := int(s[5])
	d.height, d.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if d.width == 0 || d.height == 0 || n != 1 && n != 3 || len(s) != 6+3*n {
		return false
	}
	for i := range n {
		c := component{id: s[6+3*i], h: int(s[7+3*i] >> 4), v: int(s[7+3*i] & 15), quant: int(s[8+3*i])}
		for _, other := range d.comps {
			if c.id == other.id {
				return false
			}
		}
		switch {
		case c.quant > 3 || n == 3 && i == 0 && (c.h < 1 || c.h > 2 || c.v < 1 || c.v > 2) || n == 3 && i > 0 && (c.h != 1 || c.v != 1):
			return false
		case n == 1 && (c.h < 1 || c.h > 4 || c.h == 3 || c.v < 1 || c.v > 4 || c.v == 3):
			return false
		case n == 1: // a scan of one component is of blocks (section A.2.2)
			c.h, c.v = 1, 1
		}
		d.comps = append(d.comps, c)
	}
	return true
}

// quantization reads tables of quantization (section B.2.4.1).
func (d *Decoder) quantization(s []byte) bool {
	for len(s) > 0 {
		wide, number := int(s[0]>>4), s[0]&15
		if wide > 1 || number > 3 || len(s) < 1+64*(1+wide) {
			return false
		}
		t := &d.room[number]
		for i := range t {
			t[i] = int32(s[1+i])
			if wide == 1 {
				t[i] = int32(binary.BigEndian.Uint16(s[1+2*i:]))
			}
		}
		d.quant[number] = t
		s = s[1+64*(1+wide):]
	}
	return true
}

// scanHeader reads the header of the scan, which has all components (section B.2.3).
func (d *Decoder) scanHeader(s []byte) bool {
	n := len(d.comps)
	if n == 3 && !d.jfif && d.comps[0].id == 'R' && d.comps[1].id == 'G' && d.comps[2].id == 'B' { // what they say
		return false
	}
	if n == 0 || len(s) != 4+2*n || int(s[0]) != n {
		return false
	}
	for i := range d.comps {
		c := &d.comps[i]
		dc, ac := s[2+2*i]>>4, s[2+2*i]&15
		if s[1+2*i] != c.id || dc > 1 || ac > 1 || d.quant[c.quant] == nil {
			return false
		}
		c.dc, c.ac = &d.huff[0][dc], &d.huff[1][ac]
		if !c.dc.known || !c.ac.known {
			return false
		}
	}
	return s[1+2*n] == 0 && s[2+2*n] == 63 && s[3+2*n] == 0
}

// mcus is how many MCUs there are in a row, and how many rows.
func (d *Decoder) mcus() (columns, rows int) {
	w, h := 8*d.comps[0].h, 8*d.comps[0].v
	return (d.width + w - 1) / w, (d.height + h - 1) / h
}

// picture makes room for the planes.
func (d *Decoder) picture() image.Image {
	columns, rows := d.mcus()
	for i := range d.comps {
		c := &d.comps[i]
		c.stride = 8 * c.h * columns
		size := c.stride * 8 * c.v * rows
		if cap(d.planes[i]) < size {
			d.planes[i] = make([]byte, size)
		}
		c.pix = d.planes[i][:size]
	}
	bounds := image.Rect(0, 0, d.width, d.height)
	y := &d.comps[0]
	if len(d.comps) == 1 {
		return &image.Gray{Pix: y.pix, Stride: y.stride, Rect: bounds}
	}
	ratio := [2][2]image.YCbCrSubsampleRatio{{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440},
		{image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420}}[y.h-1][y.v-1]
	return &image.YCbCr{Y: y.pix, Cb: d.comps[1].pix, Cr: d.comps[2].pix, YStride: y.stride, CStride: d.comps[1].stride, SubsampleRatio: ratio, Rect: bounds}
}
