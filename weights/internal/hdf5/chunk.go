package hdf5

import (
	"fmt"
	"strings"
)

// chunk is a stored piece of a dataset.
type chunk struct {
	begin []int64 // its first element's index
	at    int64   // where it is stored
	size  int64   // bytes stored
	mask  uint32  // filters that were left out, one bit each
	pipe  []filter
}

// chunked checks the chunks of a dataset of size bytes and returns what unpacks them.
func (d *Dataset) chunked(size int64, what string) (func([]byte) error, error) {
	f, l := d.o.f, &d.layout
	rank := len(d.space.dims)
	if len(l.chunk) != rank+1 || l.chunk[rank] != int64(d.kind.size) {
		return nil, f.fail(l.place, fmt.Sprintf("chunks of %d axes and elements of %d bytes in %s", rank, d.kind.size, what), "%v", l.chunk)
	}
	whole := int64(1)
	for _, n := range l.chunk {
		whole *= n
	}
	chunks, err := d.chunks(whole, what)
	if err != nil {
		return nil, err
	}
	met := make(map[int64]bool, len(chunks))
	per := d.perAxis()
	stored, packed := int64(0), int64(0)
	for _, c := range chunks {
		number, inside := int64(0), true
		for i, n := range c.begin {
			inside = inside && n%l.chunk[i] == 0 && n < int64(d.space.dims[i])
			number = number*per[i] + n/l.chunk[i]
		}
		if !inside || met[number] {
			return nil, f.fail(c.at, fmt.Sprintf("each chunk of %s once, at multiples of %v below %v", what, l.chunk[:rank], d.space.dims), "one at %v", c.begin)
		}
		met[number] = true
		if err := f.within(c.at, c.size, "a chunk of "+what); err != nil {
			return nil, err
		}
		if most := bound(c.pipe, c.mask, c.size); most < whole {
			return nil, f.fail(c.at, fmt.Sprintf("enough data for a chunk of %d bytes of %s", whole, what), "%d bytes, which unpack to at most %d", c.size, most)
		}
		if stored += c.size; stored > f.size {
			break
		}
		if len(c.pipe) > 0 {
			packed += whole
		}
	}
	if err := d.charge(stored, what); err != nil {
		return nil, err
	}
	absent := max(0, size-int64(len(chunks))*whole) // nobody wrote it
	if err := d.expand(packed+absent, stored, what); err != nil {
		return nil, err
	}
	return func(raw []byte) error {
		if absent > 0 {
			d.filled(raw)
		}
		for _, c := range chunks {
			data, err := d.unpack(c, whole, what)
			if err != nil {
				return err
			}
			d.place(raw, data, c.begin)
		}
		return nil
	}, nil
}

// unpack reads a chunk.
func (d *Dataset) unpack(c chunk, whole int64, what string) ([]byte, error) {
	f := d.o.f
	data := make([]byte, c.size)
	if err := f.readAt(data, c.at); err != nil {
		return nil, err
	}
	data, err := unfilter(c.pipe, c.mask, data, int(whole))
	if err != nil {
		return nil, f.fail(c.at, fmt.Sprintf("%d bytes in the chunk at %v of %s", whole, c.begin, what), "%s", err)
	}
	return data, nil
}

// place copies a chunk's elements to where they belong; what sticks out of the dataset is left out.
func (d *Dataset) place(raw, data []byte, begin []int64) {
	rank, width := len(begin), int64(d.kind.size)
	count := make([]int64, rank) // of the chunk's elements along each axis that lie inside
	for i := range count {
		count[i] = min(d.layout.chunk[i], int64(d.space.dims[i])-begin[i])
	}
	at := make([]int64, rank)
	run := count[rank-1] * width
	for {
		to, from := int64(0), int64(0)
		for i := range rank {
			to = to*int64(d.space.dims[i]) + begin[i] + at[i]
			from = from*d.layout.chunk[i] + at[i]
		}
		copy(raw[to*width:to*width+run], data[from*width:from*width+run])
		i := rank - 2
		for ; i >= 0; i-- {
			if at[i]++; at[i] < count[i] {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// chunks lists the stored chunks, each of which has whole bytes when it is unpacked.
func (d *Dataset) chunks(whole int64, what string) ([]chunk, error) {
	l := &d.layout
	if l.at == nowhere {
		return nil, nil
	}
	switch l.index {
	case indexTree:
		return d.treeChunks(what)
	case indexSingle:
		c := chunk{begin: make([]int64, len(d.space.dims)), at: l.at, size: whole, pipe: d.pipe}
		if l.single > 0 {
			c.size, c.mask = l.single, l.mask
		} else {
			c.pipe = nil
		}
		return []chunk{c}, nil
	case indexImplicit:
		n, err := d.chunkCount(what)
		if err != nil {
			return nil, err
		}
		if n > d.o.f.size/whole {
			return nil, d.o.f.within(l.at, d.o.f.size+1, "the chunks of "+what)
		}
		out := make([]chunk, n)
		for i := range out {
			out[i] = chunk{begin: d.begin(int64(i)), at: l.at + int64(i)*whole, size: whole}
		}
		return out, nil
	}
	return d.fixedChunks(whole, what)
}

// treeChunks reads a B-tree of version 1.
func (d *Dataset) treeChunks(what string) ([]chunk, error) {
	rank := len(d.space.dims)
	var out []chunk
	w := treeWalk{f: d.o.f, kind: chunkTree, keySize: 8 + 8*(rank+1), what: "the B-tree of " + what}
	err := w.walk(d.layout.at, func(k *cursor, at int64) error {
		c := chunk{size: int64(k.u32()), mask: k.u32(), at: at, begin: make([]int64, rank), pipe: d.pipe}
		for i := range c.begin {
			c.begin[i] = k.number(8)
		}
		out = append(out, c)
		return k.err
	})
	return out, err
}

// perAxis is the number of chunks along each axis.
func (d *Dataset) perAxis() []int64 {
	out := make([]int64, len(d.space.dims))
	for i, n := range d.space.dims {
		out[i] = (int64(n)-1)/d.layout.chunk[i] + 1
	}
	return out
}

// chunkCount is the number of chunks that cover the dataset, of which there cannot be more than bytes in the file.
func (d *Dataset) chunkCount(what string) (int64, error) {
	n := int64(1)
	for _, k := range d.perAxis() {
		if n *= k; n > d.o.f.size {
			return 0, d.o.f.fail(d.layout.place, "no more chunks than the file has bytes", "%s with %s chunks", what,
				strings.Trim(strings.ReplaceAll(fmt.Sprint(d.perAxis()), " ", "×"), "[]"))
		}
	}
	return n, nil
}

// begin is the index of the first element of chunk i in row-major order.
func (d *Dataset) begin(i int64) []int64 {
	per := d.perAxis()
	out := make([]int64, len(per))
	for axis := len(per) - 1; axis >= 0; axis-- {
		out[axis] = i % per[axis] * d.layout.chunk[axis]
		i /= per[axis]
	}
	return out
}

// sticksOut says whether a chunk reaches beyond the dataset.
func (d *Dataset) sticksOut(begin []int64) bool {
	for i, n := range begin {
		if n+d.layout.chunk[i] > int64(d.space.dims[i]) {
			return true
		}
	}
	return false
}

// fixedChunks reads a fixed array: a header, and a block of entries in row-major order, in pages if there are many.
func (d *Dataset) fixedChunks(whole int64, what string) ([]chunk, error) {
	f := d.o.f
	what = "the fixed array of " + what
	c, err := f.load(d.layout.at, int64(4+1+1+1+1+f.lengthSize+f.offsetSize+4), what)
	if err != nil {
		return nil, err
	}
	c.signature("FAHD")
	c.version(0)
	filtered, place := c.u8(), c.place()
	entry, pageBits := int64(c.u8()), c.u8()
	count, block := c.length(), c.address()
	c.checksum()
	total, err := d.chunkCount(what)
	if err != nil {
		return nil, err
	}
	least := int64(f.offsetSize)
	if filtered == 1 {
		least += 4 + 1
	}
	if c.err == nil && (filtered > 1 || entry < least || entry > 32 || filtered == 0 && entry != least || pageBits > 31) {
		c.fail(place, "entries of a chunk's address, size and filters", "entries of type %d and %d bytes", filtered, entry)
	}
	if c.err == nil && count != total {
		c.fail(place, fmt.Sprintf("%d entries", total), "%d", count)
	}
	if c.err != nil || block == nowhere {
		return nil, c.err
	}
	head := int64(4 + 1 + 1 + f.offsetSize)
	page, pages := count, int64(0)
	if count > 1<<pageBits {
		page = 1 << pageBits
		pages = (count-1)/page + 1
		head += (pages+7)/8 + 4 // a bit for each page, and a checksum
	}
	body := head + count*entry + 4*max(pages, 1)
	if c, err = f.load(block, body, what); err != nil {
		return nil, err
	}
	c.signature("FADB")
	c.version(0)
	c.take(1 + f.offsetSize)
	var written []byte
	if pages > 0 {
		written = c.take(int(pages+7) / 8)
		c.checksum()
	}
	if c.err != nil {
		return nil, c.err
	}
	var out []chunk
	for first := int64(0); first < count; first += page {
		n := min(page, count-first)
		p := &cursor{f: f, at: c.place(), buf: c.take(int(n*entry) + 4), what: what}
		begin := p.pos
		if pages == 0 { // the checksum is that of the whole block
			p.buf, p.at, begin = c.buf, c.at, int(head)
		} else if i := first / page; written[i/8]&(0x80>>(i%8)) == 0 {
			continue // a page that nobody wrote
		}
		p.pos = len(p.buf) - 4
		p.checksum()
		p.pos = begin
		for i := range n {
			e := chunk{begin: d.begin(first + i), at: p.address(), size: whole}
			if filtered == 1 {
				e.size, e.mask, e.pipe = p.number(int(entry)-f.offsetSize-4), p.u32(), d.pipe
			}
			if d.layout.wholeEdges && d.sticksOut(e.begin) {
				e.pipe = nil
			}
			if e.at != nowhere && p.err == nil {
				out = append(out, e)
			}
		}
		if p.err != nil {
			return nil, p.err
		}
	}
	return out, c.err
}
