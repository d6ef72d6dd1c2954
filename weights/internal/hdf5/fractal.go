package hdf5

import (
	"fmt"
	"math/bits"
)

// fractalHeap is a heap of objects of any size, in blocks whose sizes double from row to row.
type fractalHeap struct {
	f                   *File
	what                string
	at                  int64
	idSize              int
	checked             bool // direct blocks have checksums
	offsetSize, lenSize int  // bytes of an object's place and length in its ID
	width               int64
	start, maxDirect    int64 // bytes of the smallest and the largest direct block
	maxBits             int   // the heap's address space is 2^maxBits bytes
	root                int64
	rootRows            int64
	huge                int64
	hugeObjects         map[int64]block
	blocks              map[int64]*cursor // direct blocks read, by place in the file
}

// fractalHeap reads the header of a fractal heap.
func (f *File) fractalHeap(at int64, what string) (*fractalHeap, error) {
	h := &fractalHeap{f: f, at: at, what: "the fractal heap of " + what, blocks: map[int64]*cursor{}}
	c, err := f.load(at, int64(4+1+2+2+1+4+12*f.lengthSize+3*f.offsetSize+4*2+4), h.what)
	if err != nil {
		return nil, err
	}
	c.signature("FRHP")
	c.version(0)
	h.idSize = int(c.u16())
	place := c.place()
	if n := c.u16(); n != 0 {
		c.fail(place, "objects without filters", "%d bytes that describe filters, which are not supported here", n)
	}
	h.checked = c.u8()&2 != 0
	maxManaged := c.u32()
	c.length()
	h.huge = c.address()
	c.length()
	c.address() // free space
	for range 8 {
		c.length()
	}
	place = c.place()
	h.width, h.start, h.maxDirect, h.maxBits = int64(c.u16()), c.length(), c.length(), int(c.u16())
	c.u16()
	h.root, h.rootRows = c.address(), int64(c.u16())
	c.checksum()
	if c.err == nil && (!powerOfTwo(h.width) || !powerOfTwo(h.start) || !powerOfTwo(h.maxDirect) || h.maxDirect < h.start ||
		h.maxDirect > 1<<31 || h.maxBits > 62 || h.idSize < 2 || h.rootRows > 64) {
		c.fail(place, "widths and sizes of blocks that are powers of two", "width %d, blocks of %d to %d bytes, %d bits of addresses, %d rows",
			h.width, h.start, h.maxDirect, h.maxBits, h.rootRows)
	}
	h.offsetSize = (h.maxBits + 7) / 8
	h.lenSize = min((bits.Len64(uint64(h.maxDirect))-1+7)/8, encoded(uint64(maxManaged)))
	return h, c.err
}

func powerOfTwo(n int64) bool { return n > 0 && n&(n-1) == 0 }

// object returns the object of a heap ID. The bytes are shared.
func (h *fractalHeap) object(id *cursor) (*cursor, error) {
	id.buf = id.buf[:min(len(id.buf), id.pos+h.idSize)]
	head := id.u8()
	if id.err == nil && head>>6 != 0 {
		id.fail(id.at, "version 0 of a heap ID", "version %d", head>>6)
	}
	switch head >> 4 & 3 {
	case 0:
		at, n := id.number(h.offsetSize), id.number(h.lenSize)
		if id.err != nil {
			return nil, id.err
		}
		return h.managed(at, n, id.at)
	case 1:
		return h.hugeObject(id)
	case 2:
		n := int(head&15) + 1
		if h.idSize > 18 { // longer ones have a longer length
			n = int(head&15)<<8 + int(id.u8()) + 1
		}
		c := &cursor{f: h.f, at: id.place(), buf: id.take(n), what: h.what}
		return c, id.err
	}
	id.fail(id.at, "a managed, huge or tiny object", "type 3")
	return nil, id.err
}

// managed finds the n bytes at an address of the heap.
func (h *fractalHeap) managed(at, n, asked int64) (*cursor, error) {
	outside := func() (*cursor, error) {
		return nil, h.f.fail(asked, "an object within a block of "+h.what, "%d bytes at %d, which no block holds", n, at)
	}
	if h.root == nowhere || at >= 1<<h.maxBits {
		return outside()
	}
	place, size, begin := h.root, h.start, int64(0) // the block, its bytes, and its first address in the heap
	for rows := h.rootRows; rows > 0; {             // place is an indirect block of so many rows
		entry, rowSize, row, err := h.entry(at-begin, rows)
		if err != nil {
			return outside()
		}
		direct := h.directRows()
		what := "an indirect block of " + h.what
		head := int64(4 + 1 + h.f.offsetSize + h.offsetSize)
		c, ok := h.blocks[place]
		if !ok {
			if c, err = h.f.load(place, head+rows*h.width*int64(h.f.offsetSize)+4, what); err != nil {
				return nil, err
			}
			c.signature("FHIB")
			c.version(0)
			if owner := c.address(); c.err == nil && owner != h.at {
				c.fail(place, fmt.Sprintf("a block of the heap at %d", h.at), "one of %d", owner)
			}
			c.pos = len(c.buf) - 4
			c.checksum()
			if c.err != nil {
				return nil, c.err
			}
			h.blocks[place] = c
		}
		if int64(len(c.buf)) < head+(entry+1)*int64(h.f.offsetSize) {
			return outside()
		}
		child := *c
		child.pos = int(head + entry*int64(h.f.offsetSize))
		next := child.address()
		if child.err != nil {
			return nil, child.err
		}
		if next == nowhere {
			return outside()
		}
		begin += h.before(row) + (entry-row*h.width)*rowSize
		place, size = next, rowSize
		if row < direct {
			break
		}
		// An indirect block stands for as many bytes as its rows do together, so each is smaller than its parent's.
		fewer := int64(bits.Len64(uint64(rowSize))-bits.Len64(uint64(h.start*h.width))) + 1
		if fewer < 1 || fewer >= rows {
			return outside()
		}
		rows = fewer
	}
	return h.direct(place, size, at-begin, n, outside)
}

// direct returns n bytes at an offset of a direct block, which counts the block's own head.
func (h *fractalHeap) direct(place, size, at, n int64, outside func() (*cursor, error)) (*cursor, error) {
	c, ok := h.blocks[place]
	if !ok {
		var err error
		if c, err = h.f.load(place, size, "a block of "+h.what); err != nil {
			return nil, err
		}
		c.signature("FHDB")
		c.version(0)
		if owner := c.address(); c.err == nil && owner != h.at {
			c.fail(place, fmt.Sprintf("a block of the heap at %d", h.at), "one of %d", owner)
		}
		c.take(h.offsetSize)
		if h.checked && c.left() >= 4 { // of the whole block, with zeros in the checksum's place
			want := *c
			sum := want.u32()
			copyOf := append([]byte{}, c.buf...)
			copy(copyOf[c.pos:], []byte{0, 0, 0, 0})
			if got := lookup3(copyOf); got != sum && !h.f.unchecked {
				c.fail(c.place(), fmt.Sprintf("the checksum %08x of the block", got), "%08x (the file is damaged)", sum)
			}
		}
		if c.err != nil {
			return nil, c.err
		}
		h.blocks[place] = c
	}
	if at < 0 || n < 0 || at > int64(len(c.buf))-n {
		return outside()
	}
	return &cursor{f: h.f, at: place + at, buf: c.buf[at : at+n : at+n], what: h.what}, nil
}

// directRows is the number of rows of direct blocks in an indirect block.
func (h *fractalHeap) directRows() int64 {
	return int64(bits.Len64(uint64(h.maxDirect))-bits.Len64(uint64(h.start))) + 2
}

// before is the number of bytes in the rows in front of a row: the first two have the smallest blocks, then they double.
func (h *fractalHeap) before(row int64) int64 {
	if row == 0 {
		return 0
	}
	return h.width * h.start << (row - 1)
}

// entry finds the block that holds an offset, among rows of blocks.
func (h *fractalHeap) entry(at, rows int64) (entry, rowSize, row int64, err error) {
	for row = range rows {
		if row > 0 && h.width*h.start > 1<<62>>row {
			break
		}
		rowSize = h.start << max(0, row-1)
		if begin := h.before(row); at < begin+h.width*rowSize {
			return row*h.width + (at-begin)/rowSize, rowSize, row, nil
		}
	}
	return 0, 0, 0, fmt.Errorf("outside")
}

// hugeObject finds an object that stands outside the heap's blocks.
func (h *fractalHeap) hugeObject(id *cursor) (*cursor, error) {
	f := h.f
	if h.idSize >= 1+f.offsetSize+f.lengthSize {
		at, n := id.address(), id.length()
		if id.err != nil {
			return nil, id.err
		}
		return f.load(at, n, "an object of "+h.what)
	}
	key := id.number(min(f.lengthSize, h.idSize-1))
	if id.err != nil {
		return nil, id.err
	}
	if h.hugeObjects == nil && h.huge != nowhere {
		h.hugeObjects = map[int64]block{}
		err := f.records(h.huge, 1, h.what, func(r *cursor) error {
			at, n := r.address(), r.length()
			h.hugeObjects[r.length()] = block{at, n}
			return r.err
		})
		if err != nil {
			return nil, err
		}
	}
	b, ok := h.hugeObjects[key]
	if !ok {
		return nil, f.fail(id.at, "a huge object of "+h.what, "number %d, which is not there", key)
	}
	return f.load(b.at, b.size, "an object of "+h.what)
}
