package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// elemType is ONNX's number of an element type.
type elemType int64

const (
	elemFloat    elemType = 1
	elemUint8    elemType = 2
	elemInt8     elemType = 3
	elemUint16   elemType = 4
	elemInt16    elemType = 5
	elemInt32    elemType = 6
	elemInt64    elemType = 7
	elemString   elemType = 8
	elemBool     elemType = 9
	elemFloat16  elemType = 10
	elemDouble   elemType = 11
	elemUint32   elemType = 12
	elemUint64   elemType = 13
	elemBfloat16 elemType = 16
)

var elemTypes = map[elemType]struct {
	name string
	size int
}{
	elemFloat: {"float", 4}, elemUint8: {"uint8", 1}, elemInt8: {"int8", 1}, elemUint16: {"uint16", 2}, elemInt16: {"int16", 2},
	elemInt32: {"int32", 4}, elemInt64: {"int64", 8}, elemBool: {"bool", 1}, elemFloat16: {"float16", 2}, elemDouble: {"double", 8},
	elemUint32: {"uint32", 4}, elemUint64: {"uint64", 8}, elemBfloat16: {"bfloat16", 2},
}

func (e elemType) String() string {
	if t, ok := elemTypes[e]; ok {
		return t.name
	}
	if e == elemString {
		return "string"
	}
	return fmt.Sprintf("element type %d", int64(e))
}

// isFloat says whether elements are numbers that a graph computes with; the others are integers and truth values.
func (e elemType) isFloat() bool {
	return e == elemFloat || e == elemDouble || e == elemFloat16 || e == elemBfloat16
}

// array is a constant: a shape and, row-major, its elements. Halves are widened to float32 and all integers and truth values to
// int64; elem remembers what they were.
type array struct {
	elem  elemType
	shape []int
	f32   []float32 // float, float16, bfloat16
	f64   []float64 // double
	i64   []int64   // the others
}

func (a *array) len() int { return len(a.f32) + len(a.f64) + len(a.i64) } // two of them are empty

// at returns element i as a float64.
func (a *array) at(i int) float64 {
	switch {
	case a.f32 != nil:
		return float64(a.f32[i])
	case a.f64 != nil:
		return a.f64[i]
	}
	return float64(a.i64[i])
}

// count multiplies dims; ok is false for negative ones and results that no memory holds.
func count(dims []int64) (n int, ok bool) {
	const most = min(1<<40, math.MaxInt)
	n = 1
	empty := false
	for _, d := range dims {
		switch {
		case d < 0 || d > most:
			return 0, false
		case d == 0:
			empty = true
		case n > most/int(d):
			return 0, false
		default:
			n *= int(d)
		}
	}
	if empty {
		n = 0
	}
	return n, true
}

func ints(dims []int64) []int {
	out := make([]int, len(dims))
	for i, d := range dims {
		out[i] = int(d)
	}
	return out
}

// array reads the elements, which take no more memory than a small multiple of the file's. folder is where the model lies, for
// external data; empty where there is none.
func (t *tensorProto) array(folder string) (*array, error) {
	if t.decoded == nil && t.decodedFail == nil {
		t.decoded, t.decodedFail = t.decode(folder)
	}
	return t.decoded, t.decodedFail
}

func (t *tensorProto) bad(expected, format string, args ...any) error {
	return &FormatError{Offset: t.at, Expected: expected, Found: fmt.Sprintf("tensor %q with ", t.name) + fmt.Sprintf(format, args...)}
}

// check says whether dims and elements belong together, external ones aside. It allocates nothing.
func (t *tensorProto) check() error {
	kind, ok := elemTypes[t.elem]
	if !ok {
		return t.bad("numbers of 8 to 64 bits", "%v", t.elem)
	}
	n, ok := count(t.dims)
	if !ok || len(t.dims) > maxRank {
		return t.bad("dims that memory can hold", "dims %v", t.dims)
	}
	have := len(t.int32Data)
	switch {
	case t.hasSegment:
		return t.bad("whole tensors", "a segment")
	case t.isExternal:
		return nil
	case t.hasRaw:
		if len(t.raw) != n*kind.size {
			return t.bad(fmt.Sprintf("%d bytes for %v elements of dims %v", n*kind.size, t.elem, t.dims), "%d", len(t.raw))
		}
		return nil
	case t.elem == elemFloat:
		have = len(t.floatData)
	case t.elem == elemDouble:
		have = len(t.doubleData)
	case t.elem == elemInt64:
		have = len(t.int64Data)
	case t.elem == elemUint32 || t.elem == elemUint64:
		have = len(t.uint64Data)
	}
	if have != n {
		return t.bad(fmt.Sprintf("%d elements for dims %v", n, t.dims), "%d", have)
	}
	return nil
}

func (t *tensorProto) decode(folder string) (*array, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	n, _ := count(t.dims)
	raw := t.raw
	if t.isExternal {
		var err error
		if raw, err = t.readExternal(folder, int64(n)*int64(elemTypes[t.elem].size)); err != nil {
			return nil, err
		}
	}
	a := &array{elem: t.elem, shape: ints(t.dims)}
	if t.isExternal || t.hasRaw {
		a.fromRaw(raw, n)
		return a, nil
	}
	switch t.elem {
	case elemFloat:
		a.f32 = t.floatData
	case elemDouble:
		a.f64 = t.doubleData
	case elemInt64:
		a.i64 = t.int64Data
	case elemUint32, elemUint64:
		a.i64 = t.uint64Data
	case elemFloat16, elemBfloat16:
		a.f32 = make([]float32, n)
		for i, v := range t.int32Data {
			a.f32[i] = halfToFloat(t.elem, uint16(v))
		}
	default:
		a.i64 = t.int32Data
	}
	if n == 0 { // nil says that elements are of another type
		a.fromRaw(nil, 0)
	}
	return a, nil
}

// fromRaw reads n little-endian elements.
func (a *array) fromRaw(raw []byte, n int) {
	le := binary.LittleEndian
	switch a.elem {
	case elemFloat:
		a.f32 = make([]float32, n)
		for i := range a.f32 {
			a.f32[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case elemDouble:
		a.f64 = make([]float64, n)
		for i := range a.f64 {
			a.f64[i] = math.Float64frombits(le.Uint64(raw[8*i:]))
		}
	case elemFloat16, elemBfloat16:
		a.f32 = make([]float32, n)
		for i := range a.f32 {
			a.f32[i] = halfToFloat(a.elem, le.Uint16(raw[2*i:]))
		}
	default:
		a.i64 = make([]int64, n)
		for i := range a.i64 {
			switch a.elem {
			case elemUint8, elemBool:
				a.i64[i] = int64(raw[i])
			case elemInt8:
				a.i64[i] = int64(int8(raw[i]))
			case elemUint16:
				a.i64[i] = int64(le.Uint16(raw[2*i:]))
			case elemInt16:
				a.i64[i] = int64(int16(le.Uint16(raw[2*i:])))
			case elemUint32:
				a.i64[i] = int64(le.Uint32(raw[4*i:]))
			case elemInt32:
				a.i64[i] = int64(int32(le.Uint32(raw[4*i:])))
			default:
				a.i64[i] = int64(le.Uint64(raw[8*i:]))
			}
		}
	}
}

// halfToFloat widens 16 bits, which is exact.
func halfToFloat(e elemType, h uint16) float32 {
	if e == elemBfloat16 {
		return math.Float32frombits(uint32(h) << 16)
	}
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch exponent {
	case 0:
		return math.Float32frombits(math.Float32bits(float32(fraction)*0x1p-24) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
