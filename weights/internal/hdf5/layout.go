package hdf5

import "fmt"

// Classes of layouts.
const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
)

// Kinds of indexes of chunks.
const (
	indexTree     = 0 // B-tree of version 1
	indexSingle   = 1
	indexImplicit = 2
	indexFixed    = 3
)

// layout says where a dataset's elements are.
type layout struct {
	place   int64 // of the message
	class   uint8
	compact []byte
	at      int64 // of the data or of the index, or nowhere
	size    int64 // of contiguous data; -1 where it is not told
	// Of chunks:
	chunk      []int64 // shape in elements, and the bytes of an element
	index      uint8
	wholeEdges bool   // chunks that stick out are not filtered
	single     int64  // stored bytes of a single filtered chunk, or 0
	mask       uint32 // its filters that were left out
	pageBits   uint8  // of a fixed array
}

// layout decodes a data layout message.
func (c *cursor) layout() layout {
	l := layout{place: c.place(), at: nowhere, size: -1}
	switch version := c.version(1, 2, 3, 4); version {
	case 1, 2:
		c.oldLayout(&l)
	default:
		l.class = c.u8()
		switch l.class {
		case layoutCompact:
			l.compact = c.take(int(c.u16()))
		case layoutContiguous:
			l.at, l.size = c.address(), c.length()
		case layoutChunked:
			if version == 3 {
				n := c.u8()
				l.at = c.address()
				c.chunkShape(&l, int(n), 4)
			} else {
				c.newChunks(&l)
			}
		default:
			c.fail(l.place, "compact, contiguous or chunked data", "layout class %d (3 is virtual: data in other files), which is not supported", l.class)
		}
	}
	return l
}

// oldLayout decodes versions 1 and 2.
func (c *cursor) oldLayout(l *layout) {
	n := int(c.u8())
	l.class = c.u8()
	c.take(5)
	switch l.class {
	case layoutCompact:
		c.take(4 * n)
		l.compact = c.take(int(c.u32()))
	case layoutContiguous:
		l.at = c.address()
	case layoutChunked:
		l.at = c.address()
		c.chunkShape(l, n, 4)
	default:
		c.fail(l.place, "compact, contiguous or chunked data", "layout class %d", l.class)
	}
}

// chunkShape reads n numbers of width bytes: the chunk's axes and the bytes of an element.
func (c *cursor) chunkShape(l *layout, n, width int) {
	at := c.place()
	if n < 2 || n > maxRank+1 {
		c.fail(at, "chunks of 1 to 32 axes", "%d", n-1)
		return
	}
	bytes := int64(1)
	for range n {
		d := c.number(width)
		if c.err == nil && (d < 1 || bytes > (1<<32)/d) {
			c.fail(at, "chunks of 1 to 2³² bytes", "axes %v and %d", l.chunk, d)
		}
		if c.err != nil {
			return
		}
		bytes *= d
		l.chunk = append(l.chunk, d)
	}
}

// newChunks decodes the chunks of version 4.
func (c *cursor) newChunks(l *layout) {
	flags, n, width := c.u8(), int(c.u8()), int(c.u8())
	if width < 1 || width > 8 {
		c.fail(c.place()-1, "sizes of 1 to 8 bytes", "%d", width)
		return
	}
	c.chunkShape(l, n, width)
	l.wholeEdges = flags&1 != 0
	at := c.place()
	switch l.index = c.u8(); l.index {
	case indexSingle:
		if flags&2 != 0 {
			l.single, l.mask = c.length(), c.u32()
		}
	case indexImplicit:
	case indexFixed:
		l.pageBits = c.u8()
	default:
		name := map[uint8]string{4: "an extensible array", 5: "a B-tree of version 2"}[l.index]
		c.fail(at, "a single chunk, an implicit index or a fixed array", "index type %d (%s, of a dataset that can grow), which is not supported", l.index, name)
	}
	l.at = c.address()
}

// fillValue decodes a fill value message; nil is zeros.
func (c *cursor) fillValue() []byte {
	switch version := c.version(1, 2, 3); version {
	case 3:
		if flags := c.u8(); flags&(1<<5) == 0 {
			return nil
		}
	default:
		c.take(2)
		if defined := c.u8(); version == 2 && defined == 0 {
			return nil
		}
	}
	at := c.place()
	n := c.u32()
	if int64(n) > int64(c.left()) {
		c.fail(at, fmt.Sprintf("a fill value of at most %d bytes", c.left()), "%d", n)
		return nil
	}
	return c.take(int(n))
}
