package hdf5

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// Types of elements besides those of package weights.
const (
	// String is the type of strings; their data is []string.
	String = "STRING"
	// Opaque is the type of elements that the file calls bytes without a meaning; their data is []byte, all elements' in
	// turn. It is what h5py makes of NumPy types that HDF5 does not have, such as bfloat16.
	Opaque = "OPAQUE"
)

// Classes of datatypes.
const (
	classInteger  = 0
	classFloat    = 1
	classString   = 3
	classOpaque   = 5
	classEnum     = 8
	classVariable = 9
)

var classNames = []string{"integer", "float", "time", "string", "bit field", "opaque", "compound", "reference", "enumeration", "variable-length", "array", "complex"}

// datatype is the type of the elements of a dataset or attribute.
type datatype struct {
	name     string // as in package weights, or String, or Opaque
	size     int    // bytes of an element in the file
	big      bool   // big-endian
	variable bool   // strings that stand in the global heap
	padding  uint8  // of strings: ended by NUL, filled with NUL, filled with spaces
}

// datatype decodes a datatype message.
func (c *cursor) datatype() datatype {
	at := c.place()
	head := c.u8()
	if v := head >> 4; c.err == nil && (v < 1 || v > 5) {
		c.fail(at, "version 1 to 5 of a datatype", "version %d", v)
	}
	bits := uint32(c.uint(3))
	size := c.u32()
	if c.err != nil {
		return datatype{}
	}
	if size == 0 || size > 1<<30 {
		c.fail(at, "elements of a byte or more", "%d bytes", size)
		return datatype{}
	}
	t := datatype{size: int(size)}
	refuse := func(format string, args ...any) {
		c.fail(at, "numbers of 8 to 64 bits, bfloat16, strings or enumerations", format, args...)
	}
	switch class := head & 15; class {
	case classInteger:
		c.integer(&t, bits, refuse)
	case classFloat:
		c.float(&t, bits, refuse)
	case classString:
		t.name, t.padding = String, uint8(bits&15)
	case classOpaque:
		t.name = Opaque
	case classEnum:
		c.enum(&t, bits, head>>4, refuse)
	case classVariable:
		if bits&15 != 1 {
			refuse("lists of variable length")
		}
		if want := 4 + c.f.offsetSize + 4; t.size != want {
			c.fail(at, fmt.Sprintf("references of %d bytes to strings", want), "%d bytes", t.size)
		}
		t.name, t.variable, t.padding = String, true, uint8(bits>>4&15)
	default:
		name := fmt.Sprintf("class %d", class)
		if int(class) < len(classNames) {
			name = classNames[class]
		}
		refuse("elements of the class %q", name)
	}
	return t
}

func (c *cursor) integer(t *datatype, bits uint32, refuse func(string, ...any)) {
	offset, precision := c.u16(), c.u16()
	t.big = bits&1 != 0
	if offset != 0 || int(precision) != 8*t.size || !wide(t.size) {
		refuse("integers of %d bits in %d bytes", precision, t.size)
	}
	t.name = fmt.Sprintf("U%d", 8*t.size)
	if bits&8 != 0 {
		t.name = fmt.Sprintf("I%d", 8*t.size)
	}
}

func wide(bytes int) bool { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 }

// floats are the formats known: sign, exponent and fraction as a datatype message tells them.
var floats = map[[7]uint32]string{
	{2, 15, 10, 5, 0, 10, 15}:    "F16",
	{2, 15, 7, 8, 0, 7, 127}:     "BF16",
	{4, 31, 23, 8, 0, 23, 127}:   "F32",
	{8, 63, 52, 11, 0, 52, 1023}: "F64",
}

func (c *cursor) float(t *datatype, bits uint32, refuse func(string, ...any)) {
	offset, precision := c.u16(), c.u16()
	exponentAt, exponent, fractionAt, fraction := c.u8(), c.u8(), c.u8(), c.u8()
	bias := c.u32()
	if c.err != nil {
		return
	}
	t.big = bits&1 != 0
	t.name = floats[[7]uint32{uint32(t.size), bits >> 8 & 255, uint32(exponentAt), uint32(exponent), uint32(fractionAt), uint32(fraction), bias}]
	if t.name == "" || bits&(1<<6) != 0 || offset != 0 || int(precision) != 8*t.size || bits>>4&3 != 2 {
		refuse("floats of %d bits in %d bytes, %d of them exponent, %d fraction", precision, t.size, exponent, fraction)
	}
}

// enum reads an enumeration as the integers behind it; one of FALSE and TRUE in a byte, which is what h5py makes of
// booleans, as these.
func (c *cursor) enum(t *datatype, bits uint32, version uint8, refuse func(string, ...any)) {
	base := c.datatype()
	if c.err != nil {
		return
	}
	if base.size != t.size || base.name == "" || base.name[0] != 'I' && base.name[0] != 'U' {
		refuse("an enumeration of %s", base.name)
		return
	}
	*t = base
	if count := bits & 0xffff; base.size != 1 || count != 2 {
		return
	}
	var names [2]string
	for i := range names {
		begin := c.pos
		n := bytes.IndexByte(c.buf[begin:], 0)
		if n < 0 {
			c.fail(c.place(), "the names of an enumeration, ended by NUL", "none")
			return
		}
		names[i] = string(c.take(n))
		c.take(1)
		if rest := (c.pos - begin) % 8; version < 3 && rest != 0 {
			c.take(8 - rest)
		}
	}
	if values := c.take(2); c.err == nil && names == [2]string{"FALSE", "TRUE"} && string(values) == "\x00\x01" {
		t.name = "BOOL"
	}
}

// text takes the padding of a fixed-length string off.
func (t *datatype) text(raw []byte) string {
	switch t.padding {
	case 0: // what follows the NUL is garbage
		if n := bytes.IndexByte(raw, 0); n >= 0 {
			raw = raw[:n]
		}
		return string(raw)
	case 2:
		return strings.TrimRight(string(raw), " ")
	}
	return strings.TrimRight(string(raw), "\x00")
}

// dataspace is the shape of a dataset or attribute.
type dataspace struct {
	dims  []int
	count int64 // product of dims; 0 for the null dataspace
}

const maxRank = 32

// dataspace decodes a dataspace message.
func (c *cursor) dataspace() dataspace {
	version := c.version(1, 2)
	at := c.place()
	rank, flags := int(c.u8()), c.u8()
	kind := uint8(1)
	if version == 1 {
		c.take(5)
	} else {
		kind = c.u8()
	}
	switch {
	case c.err != nil:
		return dataspace{}
	case rank > maxRank:
		c.fail(at, "at most 32 axes", "%d", rank)
		return dataspace{}
	case kind == 2:
		return dataspace{dims: []int{0}}
	case version == 1 && flags&2 != 0:
		c.fail(at, "axes in order", "a permutation")
		return dataspace{}
	}
	s := dataspace{dims: make([]int, rank), count: 1}
	for i := range s.dims {
		at := c.place()
		d := c.length()
		if d > math.MaxInt || d != 0 && s.count > (1<<50)/d {
			c.fail(at, "fewer than 2⁵⁰ elements", "the axes %v and %d", s.dims[:i], d)
			return dataspace{}
		}
		s.dims[i] = int(d)
		s.count *= d
	}
	return s
}
