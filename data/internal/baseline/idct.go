package baseline

// The inverse cosine transform of Loeffler, Ligtenberg and Moschytz, "Practical Fast 1-D DCT Algorithms with 11 Multiplications", 1989, in
// whole numbers of 32 bits, which are shifted, and so rounded, where Go's image/jpeg does it: results are the same to the bit, whatever the
// coefficients. Cosines and sines of n·π/16 are in units of 2⁻ᵏ.
const (
	cos1k12, sin1k12         = 4017, 799     // k = 12
	cos3k12, sin3k12         = 3406, 2276    //
	halfCos6k12, halfSin6k12 = 1108, 2676    // over √2
	halfCos6k18, halfSin6k18 = 70936, 171254 // over √2, k = 18
	half, halfFine           = 181, 11585    // 1/√2, k = 8 and 14
)

// rotated turns a point by an angle whose cosine and sine are given.
func rotated(x, y, cos, sin int32) (int32, int32) { return x*cos - y*sin, x*sin + y*cos }

// transform makes 8×8 pixels of a block's coefficients, of which those in rows without a bit in used are 0.
func transform(to []byte, stride int, b *[64]int32, used uint8) {
	for i := range 8 {
		if used>>i&1 != 0 {
			row((*[8]int32)(b[8*i : 8*i+8]))
		}
	}
	if used == 1 { // all rows are alike
		var line [8]byte
		for i := range line {
			line[i] = pixel((b[i] + 1<<19) >> 2 >> 18)
		}
		for y := range 8 {
			copy(to[y*stride:y*stride+8], line[:])
		}
		return
	}
	for i := range 8 {
		column(b, i)
	}
	for y := range 8 {
		line, from := to[y*stride:y*stride+8], b[8*y:8*y+8]
		for i := range line {
			line[i] = pixel(from[i])
		}
	}
}

// pixel moves a number by 128 into the range of bytes, and cuts off what is outside.
func pixel(v int32) byte {
	v += 128
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// row transforms a row in place.
func row(x *[8]int32) {
	// The even half.
	a, b := x[0]<<17+x[4]<<17, x[0]<<17-x[4]<<17
	c, d := rotated(x[2], x[6], halfCos6k18, halfSin6k18)
	e0, e3, e1, e2 := a+d, a-d, b+c, b-c
	// The odd half.
	p, q := x[1]<<7+x[7]<<7, x[1]<<7-x[7]<<7
	s, t := x[5]*half, x[3]*half
	o0, o2, o1, o3 := p+t, p-t, q+s, q-s
	o1, o0 = rotated(o1>>2, o0>>2, cos3k12, sin3k12)
	o2, o3 = rotated(o2>>2, o3>>2, cos1k12, sin1k12)
	*x = [8]int32{e0 + o0, e1 + o3, e2 + o2, e3 + o1, e3 - o1, e2 - o2, e1 - o3, e0 - o0}
}

// column transforms column i in place, behind the rows; its sums are rounded to whole numbers in the end.
func column(x *[64]int32, i int) {
	first := x[i] + 1<<19 // a half, which all sums have a part of
	// The even half.
	a, b := (first+x[32+i])>>2, (first-x[32+i])>>2
	c, d := rotated(x[16+i]>>13, x[48+i]>>13, halfCos6k12, halfSin6k12)
	e0, e3, e1, e2 := a+d, a-d, b+c, b-c
	// The odd half.
	p, q := x[8+i]+x[56+i], x[8+i]-x[56+i]
	s, t := x[40+i]>>13*halfFine, x[24+i]>>13*halfFine
	o0, o2, o1, o3 := p+t, p-t, q+s, q-s
	o1, o0 = rotated(o1>>14, o0>>14, cos3k12, sin3k12)
	o2, o3 = rotated(o2>>14, o3>>14, cos1k12, sin1k12)
	x[i], x[8+i], x[16+i], x[24+i] = (e0+o0)>>18, (e1+o3)>>18, (e2+o2)>>18, (e3+o1)>>18
	x[32+i], x[40+i], x[48+i], x[56+i] = (e3-o1)>>18, (e2-o2)>>18, (e1-o3)>>18, (e0-o0)>>18
}
