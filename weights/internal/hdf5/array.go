package hdf5

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// Array is the value of a dataset or an attribute, row-major.
type Array struct {
	DType string // as in package weights, or String, or Opaque
	Shape []int  // empty for a scalar
	Data  any    // as in weights.Tensor; []string for String, []byte for Opaque
}

// array makes an array of elements that fill writes as they lie in the file.
func (f *File) array(t datatype, s dataspace, what string, at int64, fill func([]byte) error) (Array, error) {
	a := Array{DType: t.name, Shape: s.dims}
	switch t.name {
	case String, Opaque:
		raw := make([]byte, s.count*int64(t.size))
		if err := fill(raw); err != nil {
			return Array{}, err
		}
		if t.name == Opaque {
			a.Data = raw
			return a, nil
		}
		text, err := f.strings(t, raw, what, at)
		a.Data = text
		return a, err
	}
	x, err := weights.NewTensor(what, t.name, s.dims, func(raw []byte) error {
		if err := fill(raw); err != nil {
			return err
		}
		if t.big {
			for ; len(raw) > 0; raw = raw[t.size:] {
				slices.Reverse(raw[:t.size])
			}
		}
		return nil
	})
	a.Data = x.Data
	return a, err
}

// strings decodes strings, those of variable length from the global heap.
func (f *File) strings(t datatype, raw []byte, what string, at int64) ([]string, error) {
	const header = 16 // bytes of a Go string besides its text
	if err := f.unpack(int64(len(raw)/t.size)*header, at, what); err != nil {
		return nil, err
	}
	out := make([]string, len(raw)/t.size)
	if !t.variable {
		for i := range out {
			out[i] = t.text(raw[i*t.size : (i+1)*t.size])
		}
		return out, nil
	}
	known := map[[2]int64]string{} // so that many references to one text are one text in memory
	for i := range out {
		c := &cursor{f: f, at: at + int64(i*t.size), buf: raw[i*t.size : (i+1)*t.size], what: what}
		n, heap, index := int64(c.u32()), c.address(), c.u32()
		if c.err != nil {
			return nil, c.err
		}
		if n == 0 && (heap == nowhere || heap == f.base) {
			continue // the empty string has no place
		}
		data, err := f.heapObject(c, heap, index)
		if err != nil {
			return nil, err
		}
		if n > int64(len(data)) {
			return nil, f.fail(c.at, fmt.Sprintf("at most the %d bytes of its object in the global heap as the length of a string in %s", len(data), what), "%d", n)
		}
		if err := f.unpack(n, c.at, what); err != nil { // many may name one text, which is looked at each time
			return nil, err
		}
		key := [2]int64{heap, int64(index)}
		if _, ok := known[key]; !ok {
			known[key] = string(data)
		}
		out[i] = strings.TrimRight(known[key][:n], "\x00")
	}
	return out, nil
}

// heapObject finds an object of the global heap; c says who asks.
func (f *File) heapObject(c *cursor, at int64, index uint32) ([]byte, error) {
	if at == nowhere {
		return nil, f.fail(c.at, "the address of a global heap in "+c.what, "none")
	}
	objects, ok := f.heaps[at]
	if !ok {
		var err error
		if objects, err = f.globalHeap(at); err != nil {
			return nil, err
		}
		f.heaps[at] = objects
	}
	data, ok := objects[uint16(index)]
	if !ok || index > 0xffff {
		return nil, f.fail(c.at, fmt.Sprintf("an object of the global heap at %d in %s", at, c.what), "number %d, which is not there", index)
	}
	return data, nil
}

// globalHeap reads a collection of the global heap.
func (f *File) globalHeap(at int64) (map[uint16][]byte, error) {
	const what = "the global heap"
	prefix := int64(8 + f.lengthSize)
	c, err := f.load(at, prefix, what)
	if err != nil {
		return nil, err
	}
	c.signature("GCOL")
	c.version(1)
	c.take(3)
	size := c.length()
	if c.err != nil {
		return nil, c.err
	}
	if c, err = f.load(at, max(size, prefix), what); err != nil {
		return nil, err
	}
	c.take(int(prefix))
	out := map[uint16][]byte{}
	for head := 8 + f.lengthSize; c.left() >= head; {
		index := c.u16()
		c.take(6)
		n := c.length()
		if index == 0 { // free space to the end
			break
		}
		place := c.place()
		if n > int64(c.left()) {
			return nil, f.fail(place, "an object that ends with the global heap", "one of %d bytes where %d are left", n, c.left())
		}
		if _, twice := out[index]; twice {
			return nil, f.fail(place, "each object of the global heap once", "number %d again", index)
		}
		out[index] = c.take(int(n))
		c.take(min(int(8-n%8)%8, c.left()))
		if c.err != nil {
			return nil, c.err
		}
	}
	return out, nil
}
