package hdf5

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// cursor decodes a piece of the file. It keeps the first mistake; after it, every number reads as zero.
type cursor struct {
	f    *File
	at   int64  // where buf begins in the file
	buf  []byte // the piece
	pos  int    // what was decoded so far
	what string // what the piece is, for messages
	err  error
}

// place is the file position of the next byte.
func (c *cursor) place() int64 { return c.at + int64(c.pos) }

// left is the number of bytes that follow.
func (c *cursor) left() int { return len(c.buf) - c.pos }

// fail keeps a mistake at the given place.
func (c *cursor) fail(at int64, expected, found string, args ...any) {
	if c.err == nil {
		c.err = c.f.fail(at, expected+" in "+c.what, found, args...)
	}
}

// take returns the next n bytes, or nil after a mistake. The bytes are shared.
func (c *cursor) take(n int) []byte {
	if c.err == nil && (n < 0 || n > c.left()) {
		c.fail(c.place(), fmt.Sprintf("%d more bytes", n), "%d", c.left())
	}
	if c.err != nil {
		return nil
	}
	c.pos += n
	return c.buf[c.pos-n : c.pos : c.pos]
}

// uint decodes an unsigned little-endian number of n ≤ 8 bytes.
func (c *cursor) uint(n int) uint64 {
	var wide [8]byte
	copy(wide[:], c.take(n))
	return binary.LittleEndian.Uint64(wide[:])
}

func (c *cursor) u8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }

// length decodes a number of the file's size of lengths; it must fit an int64.
func (c *cursor) length() int64 { return c.number(c.f.lengthSize) }

// number is uint for what must fit an int64.
func (c *cursor) number(n int) int64 {
	at := c.place()
	v := c.uint(n)
	if v > math.MaxInt64 {
		c.fail(at, "a number below 2⁶³", "%d", v)
		return 0
	}
	return int64(v)
}

// nowhere is the address of what does not exist.
const nowhere = -1

// address decodes an address and returns the place in the file, or nowhere for the undefined address (all bits set).
func (c *cursor) address() int64 {
	at := c.place()
	v := c.uint(c.f.offsetSize)
	if v == math.MaxUint64>>(64-8*c.f.offsetSize) {
		return nowhere
	}
	if c.err != nil {
		return nowhere
	}
	if v > uint64(c.f.size) || int64(v)+c.f.base > c.f.size {
		c.fail(at, fmt.Sprintf("an address within the file's %d bytes", c.f.size), "%d", v)
		return nowhere
	}
	return int64(v) + c.f.base
}

// signature checks the four letters that most structures begin with.
func (c *cursor) signature(want string) {
	at := c.place()
	if got := c.take(len(want)); c.err == nil && string(got) != want {
		c.fail(at, fmt.Sprintf("the signature %q", want), "%q", got)
	}
}

// version reads a version byte, which must be one of those known.
func (c *cursor) version(known ...uint8) uint8 {
	at := c.place()
	v := c.u8()
	if c.err != nil {
		return v
	}
	names := make([]string, len(known))
	for i, k := range known {
		if k == v {
			return v
		}
		names[i] = fmt.Sprint(k)
	}
	c.fail(at, "version "+strings.Join(names, " or "), "version %d", v)
	return v
}

// checksum checks the Jenkins checksum that follows the bytes decoded so far.
func (c *cursor) checksum() {
	done, at := c.buf[:c.pos], c.place()
	want := c.u32()
	if c.err != nil || c.f.unchecked {
		return
	}
	if got := lookup3(done); got != want {
		c.fail(at, fmt.Sprintf("the checksum %08x of the %d bytes before", got, len(done)), "%08x (the file is damaged)", want)
	}
}

// lookup3 is Bob Jenkins's hash of 2006 with the initial value 0, the checksum of HDF5's metadata.
func lookup3(p []byte) uint32 {
	a := 0xdeadbeef + uint32(len(p))
	b, c := a, a
	rot := func(x uint32, k uint) uint32 { return x<<k | x>>(32-k) }
	for len(p) > 12 {
		a += binary.LittleEndian.Uint32(p)
		b += binary.LittleEndian.Uint32(p[4:])
		c += binary.LittleEndian.Uint32(p[8:])
		a = (a - c) ^ rot(c, 4)
		c += b
		b = (b - a) ^ rot(a, 6)
		a += c
		c = (c - b) ^ rot(b, 8)
		b += a
		a = (a - c) ^ rot(c, 16)
		c += b
		b = (b - a) ^ rot(a, 19)
		a += c
		c = (c - b) ^ rot(b, 4)
		b += a
		p = p[12:]
	}
	if len(p) == 0 {
		return c
	}
	var tail [12]byte
	copy(tail[:], p)
	a += binary.LittleEndian.Uint32(tail[:])
	b += binary.LittleEndian.Uint32(tail[4:])
	c += binary.LittleEndian.Uint32(tail[8:])
	c = (c ^ b) - rot(b, 14)
	a = (a ^ c) - rot(c, 11)
	b = (b ^ a) - rot(a, 25)
	c = (c ^ b) - rot(b, 16)
	a = (a ^ c) - rot(c, 4)
	b = (b ^ a) - rot(a, 14)
	c = (c ^ b) - rot(b, 24)
	return c
}
