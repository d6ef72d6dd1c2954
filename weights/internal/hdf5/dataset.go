package hdf5

import "fmt"

// Dataset describes a dataset before it is read.
type Dataset struct {
	o      *Object
	kind   datatype
	space  dataspace
	layout layout
	fill   []byte
	pipe   []filter
}

// Dataset reads the description of a dataset.
func (o *Object) Dataset() (*Dataset, error) {
	what := fmt.Sprintf("the dataset %q", o.path)
	d := &Dataset{o: o}
	decode := func(kind uint16, name string, do func(*cursor)) error {
		m := find(o.messages, kind)
		if m == nil {
			return o.missing(name)
		}
		c, err := m.decoder(name + " of " + what)
		if err == nil {
			do(c)
			err = c.err
		}
		return err
	}
	if find(o.messages, msgExternal) != nil {
		return nil, o.f.fail(o.at, "data in the file itself in "+what, "data in other files, which are not read")
	}
	err := decode(msgDatatype, "the datatype", func(c *cursor) { d.kind = c.datatype() })
	if err == nil {
		err = decode(msgDataspace, "the dataspace", func(c *cursor) { d.space = c.dataspace() })
	}
	if err == nil {
		err = decode(msgLayout, "the data layout", func(c *cursor) { d.layout = c.layout() })
	}
	if err == nil && find(o.messages, msgFilters) != nil {
		err = decode(msgFilters, "the filters", func(c *cursor) { d.pipe = c.filters() })
	}
	if err == nil && find(o.messages, msgFill) != nil {
		err = decode(msgFill, "the fill value", func(c *cursor) { d.fill = c.fillValue() })
	} else if err == nil && find(o.messages, msgOldFill) != nil {
		err = decode(msgOldFill, "the fill value", func(c *cursor) { d.fill = c.take(int(c.u32())) })
	}
	if err == nil && len(d.fill) != 0 && len(d.fill) != d.kind.size {
		err = o.f.fail(o.at, fmt.Sprintf("a fill value of %d bytes in %s", d.kind.size, what), "%d bytes", len(d.fill))
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DType is the type of the elements, as in [Array].
func (d *Dataset) DType() string { return d.kind.name }

// Shape is the dataset's shape.
func (d *Dataset) Shape() []int { return append([]int{}, d.space.dims...) }

// Read reads all elements.
func (d *Dataset) Read() (Array, error) {
	o, f := d.o, d.o.f
	what := fmt.Sprintf("the dataset %q", o.path)
	if d.space.count > (1<<62)/int64(d.kind.size) {
		return Array{}, f.fail(o.at, "a dataset that the file can hold", "%v elements of %d bytes", d.space.dims, d.kind.size)
	}
	fill, err := d.source(d.space.count*int64(d.kind.size), what)
	if err != nil {
		return Array{}, err
	}
	o.charged = true
	return f.array(d.kind, d.space, what, o.at, fill)
}

// source checks that the file accounts for size bytes of elements, and returns what writes them.
func (d *Dataset) source(size int64, what string) (func([]byte) error, error) {
	f, l := d.o.f, &d.layout
	switch {
	case size == 0:
		return func([]byte) error { return nil }, nil
	case l.class == layoutCompact:
		if int64(len(l.compact)) < size {
			return nil, f.fail(l.place, fmt.Sprintf("%d bytes in %s", size, what), "%d", len(l.compact))
		}
		return func(raw []byte) error { copy(raw, l.compact); return nil }, nil
	case l.class == layoutChunked:
		return d.chunked(size, what)
	case l.at == nowhere:
		return d.filled, d.expand(size, 0, what)
	}
	if l.size >= 0 && l.size < size {
		return nil, f.fail(l.place, fmt.Sprintf("%d bytes in %s", size, what), "%d", l.size)
	}
	if err := f.within(l.at, size, what); err != nil {
		return nil, err
	}
	if err := d.charge(size, what); err != nil {
		return nil, err
	}
	return func(raw []byte) error { return f.readAt(raw, l.at) }, nil
}

// filled writes the fill value everywhere.
func (d *Dataset) filled(raw []byte) error {
	for at := 0; len(d.fill) > 0 && at < len(raw); {
		at += copy(raw[at:], d.fill)
	}
	return nil
}

// charge counts stored bytes. Datasets lie side by side, so all of them together are no larger than the file.
func (d *Dataset) charge(n int64, what string) error {
	f := d.o.f
	if d.o.charged {
		return nil
	}
	if n > f.size-f.stored {
		return f.fail(d.layout.place, "datasets that lie side by side", "%s after %d bytes of data in a file of %d: they overlap", what, f.stored, f.size)
	}
	f.stored += n
	return nil
}

// Bounds of what a file may unpack to: a floor that small files of zeros need, and a multiple of its size.
const (
	expandFloor  = 64 << 20
	expandFactor = 100
)

// expand counts bytes made of packed ones, of which stored lie in the file, or of none.
func (d *Dataset) expand(n, stored int64, what string) error {
	f := d.o.f
	if d.o.charged {
		return nil
	}
	return f.unpack(n, d.layout.place, fmt.Sprintf("%s, stored in %d bytes", what, stored))
}

// unpack counts bytes of memory that are more than those in the file.
func (f *File) unpack(n, at int64, what string) error {
	bound := expandFloor + expandFactor*f.size
	if n > bound-f.unpacked {
		return f.fail(at, fmt.Sprintf("data that unpack to at most %d bytes in all", bound), "%d bytes more for %s", n, what)
	}
	f.unpacked += n
	return nil
}
