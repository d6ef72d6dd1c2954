package data

import "image"

// readYCbCr is readBytes of a JPEG in colour.
//
// Most JPEGs have colour at half the resolution. Go's decoder repeats it; libjpeg, and with it the programs that published networks were
// trained with, interpolates ("fancy upsampling", h2v1 and h2v2), and so is it done here, to the same bytes.
func (p *pictureReader) readYCbCr(dst []byte, m *image.YCbCr, x0, y int) {
	n := len(dst) / 3
	luma := m.Y[m.YOffset(x0, y):][:n]
	p.blue, p.red = room(p.blue, n), room(p.red, n)
	for _, c := range []struct{ to, from []byte }{{p.blue, m.Cb}, {p.red, m.Cr}} {
		switch {
		case m.Rect.Min == (image.Point{}) && m.SubsampleRatio == image.YCbCrSubsampleRatio420:
			far := y/2 + y%2*2 - 1 // the row of colour on the other side
			p.halves(c.to, line(c.from, m, y/2), line(c.from, m, max(0, min(far, (m.Rect.Dy()-1)/2))), x0, 8, 7, 4)
		case m.Rect.Min == (image.Point{}) && m.SubsampleRatio == image.YCbCrSubsampleRatio422:
			p.halves(c.to, line(c.from, m, y), nil, x0, 1, 2, 2)
		default:
			for x := range c.to {
				c.to[x] = c.from[m.COffset(x0+x, y)]
			}
		}
	}
	blue, red := p.blue[:len(luma)], p.red[:len(luma)]
	for _, v := range luma {
		out := dst[:3]
		y, b, r := int32(v)*0x10101, int32(blue[0])-128, int32(red[0])-128
		out[0], out[1], out[2] = upper(y+redOfRed*r), upper(y-greenOfBlue*b-greenOfRed*r), upper(y+blueOfBlue*b)
		dst, blue, red = dst[3:], blue[1:], red[1:]
	}
}

// What differences from luma add to colours (JFIF 1.02), in 1/65536, with luma in 1/65536 and 1/256 and 1 more: the numbers of
// color.YCbCrToRGB, without the call.
const redOfRed, greenOfBlue, greenOfRed, blueOfBlue = 91881, 22554, 46802, 116130

// upper is the third byte of a number, 0 of one below 0, and 255 of one with more bytes.
func upper(v int32) byte {
	if uint32(v) >= 1<<24 {
		return byte(^(v >> 31))
	}
	return byte(v >> 16)
}

// line is row y of a picture's colour that has half as many columns, rounded up.
func line(colour []byte, m *image.YCbCr, y int) []byte {
	return colour[y*m.CStride:][:(m.Rect.Dx()+1)/2]
}

// halves writes columns from x0 on of a row of twice as many: three parts of the nearest and one of the next, in both directions, or
// where far is nil in one. Sums are rounded with even and odd, for even and odd columns, before they are shifted.
func (p *pictureReader) halves(to, near, far []byte, x0 int, even, odd, shift uint32) {
	// What every column gives, from the one before the first needed to the one behind the last; beyond the edges it is as on them.
	first := x0/2 - 1
	n := (x0+len(to)-1)/2 + 2 - first
	if cap(p.columns) < n {
		p.columns = make([]uint32, n)
	}
	columns := p.columns[:n]
	left, right := max(first, 0), min(first+n, len(near))
	inside := columns[left-first : right-first]
	near = near[left:right]
	if far == nil {
		for i, v := range near {
			inside[i] = uint32(v)
		}
	} else {
		far = far[left:right]
		for i, v := range near {
			inside[i] = 3*uint32(v) + uint32(far[i])
		}
	}
	for i := range left - first {
		columns[i] = inside[0]
	}
	for i := right - first; i < n; i++ {
		columns[i] = inside[len(inside)-1]
	}
	shift &= 31
	if x0%2 == 1 {
		to[0] = byte((3*columns[1] + columns[2] + odd) >> shift)
		to, columns = to[1:], columns[1:]
	}
	for ; len(to) > 1 && len(columns) > 2; to, columns = to[2:], columns[1:] {
		middle := 3 * columns[1]
		to[0], to[1] = byte((middle+columns[0]+even)>>shift), byte((middle+columns[2]+odd)>>shift)
	}
	if len(to) == 1 {
		to[0] = byte((3*columns[1] + columns[0] + even) >> shift)
	}
}

func room(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
