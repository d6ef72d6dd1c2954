package baseline

import (
	"bytes"
	"encoding/binary"
	"image"
)

// most is more than the codes of a block take in bytes: 64 codes of 16 bits with 15 more each. So much is behind a scan, that nobody has to
// look where it ends.
const most = 64*31/8 + 32

// unstuff takes the bytes of the scan's codes over, without the zeros behind 0xff, and notes where its segments end. Behind the scan is the
// end of the picture, as it should be.
func (d *Decoder) unstuff(file []byte) bool {
	d.scan, d.ends = d.scan[:0], d.ends[:0]
	for next := byte(markRST0); ; {
		at := bytes.IndexByte(file, 0xff)
		if at < 0 || at+1 >= len(file) {
			return false
		}
		switch marker := file[at+1]; {
		case marker == 0:
			d.scan = append(d.scan, file[:at+1]...)
		case marker == markEOI:
			d.scan = append(d.scan, file[:at]...)
			d.ends = append(d.ends, len(d.scan))
			var behind [most]byte
			d.scan = append(d.scan, behind[:]...)
			return true
		case marker == next && d.restart > 0:
			d.scan = append(d.scan, file[:at]...)
			d.ends = append(d.ends, len(d.scan))
			next = markRST0 | (next+1)&7
		default:
			return false
		}
		file = file[at+2:]
	}
}

// reader reads bits: the first n of held are the next.
type reader struct {
	from []byte
	at   int // of the byte behind those that are held
	held uint64
	n    uint
}

// fill makes n at least 56.
func (r *reader) fill() {
	r.held |= binary.BigEndian.Uint64(r.from[r.at:]) >> r.n
	r.at += int((63 - r.n) >> 3)
	r.n |= 56
}

func (r *reader) skip(n uint) {
	r.held <<= n
	r.n -= n
}

// position is how many bits were read.
func (r *reader) position() int { return 8*r.at - int(r.n) }

// blocks reads all blocks of the scan, and transforms those that a part of the picture needs.
func (d *Decoder) blocks(wanted image.Rectangle) bool {
	columns, rows := d.mcus()
	if n := columns * rows; d.restart > 0 && len(d.ends) != (n-1)/d.restart+1 || d.restart == 0 && len(d.ends) != 1 {
		return false
	}
	w, h := 8*d.comps[0].h, 8*d.comps[0].v
	r, segment, before := reader{from: d.scan}, 0, [3]int32{}
	var b [64]int32
	for my := range rows {
		for mx := range columns {
			if done := my*columns + mx; d.restart > 0 && done > 0 && done%d.restart == 0 {
				if !r.ended(d.ends[segment]) {
					return false
				}
				r, before = reader{from: d.scan, at: d.ends[segment]}, [3]int32{}
				segment++
			}
			needed := image.Rect(mx*w, my*h, (mx+1)*w, (my+1)*h).Overlaps(wanted)
			for i := range d.comps {
				c := &d.comps[i]
				for y := range c.v {
					for x := range c.h {
						if r.position() > 8*d.ends[segment] {
							return false
						}
						if !needed {
							if !r.over(c, &before[i]) {
								return false
							}
							continue
						}
						used, ok := r.block(&b, c, d.quant[c.quant], &before[i])
						if !ok {
							return false
						}
						transform(c.pix[8*((my*c.v+y)*c.stride+mx*c.h+x):], c.stride, &b, used)
					}
				}
			}
		}
	}
	return r.ended(d.ends[segment])
}

// ended says whether the codes of a segment reach to its end: all of its bytes belong to them.
func (r *reader) ended(end int) bool {
	left := 8*end - r.position()
	return left >= 0 && left < 8
}

// difference reads the difference of a block's mean from the one before.
func (r *reader) difference(t *table) (int32, bool) {
	r.fill()
	e := t.look[r.held>>(64-lookBits)]
	if e == 0 {
		if e = t.long(uint32(r.held >> 48)); e == 0 {
			return 0, false
		}
	}
	r.skip(e.length())
	size := e.size()
	if size == 0 {
		return 0, true
	}
	v := extend(uint32(r.held>>(64-size)), size)
	r.skip(size)
	return v, true
}

// order is where the coefficients of a file are in a block: row by row (figure A.6). The zigzag is followed, and what lies behind its end
// stays there.
var order = func() (o [64 + 16]uint8) {
	row, column, up := 0, 0, true
	for i := range 64 {
		o[i] = uint8(8*row + column)
		switch {
		case up && column == 7:
			row, up = row+1, false
		case up && row == 0:
			column, up = column+1, false
		case up:
			row, column = row-1, column+1
		case row == 7:
			column, up = column+1, true
		case column == 0:
			row, up = row+1, true
		default:
			row, column = row+1, column-1
		}
	}
	return o
}()

// block reads a block's coefficients, times their steps of quantization. used has a bit for every row in which there are some.
func (r *reader) block(b *[64]int32, c *component, q *[64]int32, before *int32) (used uint8, ok bool) {
	v, ok := r.difference(c.dc)
	if !ok {
		return 0, false
	}
	*before += v
	*b = [64]int32{0: *before * q[0]}
	used = 1
	t := c.ac
	for k := 1; k < 64; k++ {
		if r.n < 32 {
			r.fill()
		}
		e := t.look[r.held>>(64-lookBits)]
		if e&whole != 0 {
			r.skip(e.length() + e.size())
			k += e.zeros()
			v = e.number()
		} else {
			if e == 0 {
				if e = t.long(uint32(r.held >> 48)); e == 0 {
					return 0, false
				}
			}
			r.skip(e.length())
			size := e.size()
			if size == 0 {
				switch e.zeros() {
				case 0: // the others are 0
					return used, true
				case 15:
					k += 15
					continue
				}
				return 0, false
			}
			k += e.zeros()
			v = extend(uint32(r.held>>(64-size)), size)
			r.skip(size)
		}
		if k > 63 {
			return 0, false
		}
		at := order[k] & 63
		b[at] = v * q[k]
		used |= 1 << (at >> 3)
	}
	return used, true
}

// over reads over a block.
func (r *reader) over(c *component, before *int32) bool {
	v, ok := r.difference(c.dc)
	*before += v
	if !ok {
		return false
	}
	t := c.ac
	for k := 1; k < 64; k++ {
		if r.n < 32 {
			r.fill()
		}
		e := t.look[r.held>>(64-lookBits)]
		if e == 0 {
			if e = t.long(uint32(r.held >> 48)); e == 0 {
				return false
			}
		}
		r.skip(e.length() + e.size())
		k += e.zeros()
		if e.size() == 0 {
			switch e.zeros() {
			case 0:
				return true
			case 15:
				continue
			}
			return false
		}
		if k > 63 {
			return false
		}
	}
	return true
}
