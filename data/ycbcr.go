package data

import (
	"image"
	"image/color"
)

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
			halves(c.to, line(c.from, m, y/2), line(c.from, m, max(0, min(far, (m.Rect.Dy()-1)/2))), x0, 8, 7, 4)
		case m.Rect.Min == (image.Point{}) && m.SubsampleRatio == image.YCbCrSubsampleRatio422:
			halves(c.to, line(c.from, m, y), nil, x0, 1, 2, 2)
		default:
			for x := range c.to {
				c.to[x] = c.from[m.COffset(x0+x, y)]
			}
		}
	}
	blue, red := p.blue[:len(luma)], p.red[:len(luma)]
	for x, v := range luma {
		dst[3*x], dst[3*x+1], dst[3*x+2] = color.YCbCrToRGB(v, blue[x], red[x])
	}
}

// line is row y of a picture's colour that has half as many columns, rounded up.
func line(colour []byte, m *image.YCbCr, y int) []byte {
	return colour[y*m.CStride:][:(m.Rect.Dx()+1)/2]
}

// halves writes columns from x0 on of a row of twice as many: three parts of the nearest and one of the next, in both directions, or
// where far is nil in one. Sums are rounded with even and odd, for even and odd columns, before they are shifted.
func halves(to, near, far []byte, x0 int, even, odd, shift uint32) {
	at := func(i int) uint32 {
		i = max(0, min(i, len(near)-1))
		if far == nil {
			return uint32(near[i])
		}
		return 3*uint32(near[i]) + uint32(far[i])
	}
	before, this, after := at(x0/2-1), at(x0/2), at(x0/2+1)
	for x := range to {
		if (x0+x)%2 == 0 {
			to[x] = byte((3*this + before + even) >> shift)
			continue
		}
		to[x] = byte((3*this + after + odd) >> shift)
		before, this, after = this, after, at((x0+x)/2+2)
	}
}

func room(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
