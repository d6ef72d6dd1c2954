package baseline

// table decodes Huffman codes (section C), with what follows them.
type table struct {
	known bool
	// look tells of every lookBits bits what they begin with; 0: with a code that is longer.
	look [1 << lookBits]entry
	// Codes of a length lie below limit, left-aligned in 16 bits; those of i+1 bits have the values from value[i] on.
	limit  [17]uint32
	offset [17]int32
	values [256]byte
}

const lookBits = 10

// entry is a code: in bits 0–4 its length, in 5–8 how many bits of a number follow, in 9–12 how many zeros come before that. With bit 13 the
// number is in the upper half, as it is whole in what was looked at.
type entry uint32

const whole = 1 << 13

func (e entry) length() uint { return uint(e & 31) }
func (e entry) size() uint   { return uint(e >> 5 & 15) }
func (e entry) zeros() int   { return int(e >> 9 & 15) }
func (e entry) number() int32 {
	return int32(e) >> 16
}

// entryOf is the entry of a value: four bits of zeros and four of size.
func entryOf(length uint, value byte) entry {
	return entry(length) | entry(value&15)<<5 | entry(value>>4)<<9
}

// extend is the number that size bits stand for (section F.2.2.1).
func extend(bits uint32, size uint) int32 {
	// Those that begin with 0 are negative.
	v := int32(bits)
	return v + (v>>(size-1)-1)&(-1<<size+1)
}

// huffman reads tables (section B.2.4.2).
func (d *Decoder) huffman(s []byte) bool {
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 1 {
			return false
		}
		counts, n := s[1:17], 0
		for _, c := range counts {
			n += int(c)
		}
		if n == 0 || n > 256 || len(s) < 17+n {
			return false
		}
		if !d.huff[s[0]>>4][s[0]&15].set(counts, s[17:17+n], s[0]>>4 == 0) {
			return false
		}
		s = s[17+n:]
	}
	return true
}

// set makes the table of so many codes of each length, and their values; those of DC are sizes alone.
func (t *table) set(counts, values []byte, dc bool) bool {
	clear(t.look[:])
	copy(t.values[:], values)
	code, k := uint32(0), 0
	for i, n := range counts {
		length := uint(i + 1)
		t.offset[length] = int32(k) - int32(code)
		for range n {
			value := values[k]
			if dc && value > 15 || code >= 1<<length { // a size that baseline does not have, or more codes than there are
				return false
			}
			if length <= lookBits {
				t.fill(code, length, value)
			}
			code, k = code+1, k+1
		}
		t.limit[length] = code << (16 - length)
		code <<= 1
	}
	t.known = true
	return true
}

// fill enters all that begins with a code.
func (t *table) fill(code uint32, length uint, value byte) {
	e := entryOf(length, value)
	size, free := e.size(), lookBits-length
	for rest := range uint32(1) << free {
		x := e
		if size > 0 && size <= free {
			x |= whole | entry(extend(rest>>(free-size), size))<<16
		}
		t.look[code<<free|rest] = x
	}
}

// long is the entry of a code of more than lookBits bits that 16 bits begin with; 0: there is none.
func (t *table) long(bits uint32) entry {
	for length := uint(lookBits + 1); length <= 16; length++ {
		if bits < t.limit[length] {
			return entryOf(length, t.values[byte(int32(bits>>(16-length))+t.offset[length])])
		}
	}
	return 0
}
