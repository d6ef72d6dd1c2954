// Package npy reads and writes NumPy's array files (numpy.lib.format, versions 1 to 3), without the pickled arrays that
// the format allows as well.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// magic begins every file.
const magic = "\x93NUMPY"

// maxHeader bounds the header's text; that of an array of plain numbers has about a hundred bytes.
const maxHeader = 1 << 16

// Is says whether data that begin so are an array file.
func Is(head []byte) bool { return strings.HasPrefix(string(head), magic) }

// UnsupportedError says that an array is sound, as far as can be told, but of a type that tensors do not have.
type UnsupportedError struct{ Type string }

// Error is one line.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("arrays of type %s are not read; only numbers of 1 to 8 bytes are, real and of one kind", clip(e.Type))
}

// Type is how an array's elements are stored.
type Type struct {
	DType string // as in weights.Tensor
	Size  int    // bytes of an element
	Swap  bool   // big-endian
}

// ParseType reads NumPy's array-protocol string, such as "<f4".
func ParseType(descr string) (Type, error) {
	order, kind := byte('|'), descr
	if len(descr) > 0 && strings.IndexByte("<>|=", descr[0]) >= 0 {
		order, kind = descr[0], descr[1:]
	}
	dtype, ok := map[string]string{"f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
		"u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL"}[kind]
	if !ok {
		return Type{}, &UnsupportedError{strconv.Quote(descr)}
	}
	size, _ := weights.DTypeSize(dtype)
	if size > 1 && order == '|' {
		return Type{}, &UnsupportedError{strconv.Quote(descr) + " without a byte order"}
	}
	return Type{DType: dtype, Size: size, Swap: order == '>' && size > 1}, nil
}

// descr is the inverse of ParseType.
func descr(dtype string) (string, error) {
	for _, d := range []string{"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"} {
		if t, _ := ParseType(d); t.DType == dtype {
			return d, nil
		}
	}
	return "", fmt.Errorf("NumPy has no type for %s", dtype)
}

// counter counts what was read, for messages.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// Read reads a file of size bytes. It takes no more memory than about twice that. Errors are *weights.FormatError without a path, *UnsupportedError,
// or r's own.
func Read(r io.Reader, size int64, name string) (weights.Tensor, error) {
	in := &counter{Reader: r}
	h, err := readHeader(in)
	if err != nil {
		return weights.Tensor{}, err
	}
	at := in.n
	t, err := ReadData(in, size-at, name, h.Type, h.shape, h.fortran)
	if f, ok := errors.AsType[*weights.FormatError](err); ok {
		f.Offset += at
	}
	return t, err
}

// ReadData reads the elements of an array from r, which has size bytes of them. Offsets in errors count from there.
func ReadData(r io.Reader, size int64, name string, e Type, shape []int, fortran bool) (weights.Tensor, error) {
	n, ok := weights.Elements(shape)
	if !ok || int64(n) != size/int64(e.Size) || size%int64(e.Size) != 0 {
		return weights.Tensor{}, &weights.FormatError{Expected: fmt.Sprintf("%s elements of %d bytes for shape %s", count(n, ok), e.Size, clip(fmt.Sprint(shape))),
			Found: fmt.Sprintf("%d bytes", size)}
	}
	shape = slices.Clone(shape)
	if fortran {
		slices.Reverse(shape)
	}
	t, err := weights.ReadTensor(r, name, e.DType, shape)
	if err != nil {
		return t, eof(err, 0, fmt.Sprintf("%d bytes of elements", size))
	}
	if e.Swap {
		swap(&t)
	}
	if !fortran {
		return t, nil
	}
	// What was read is the array with its axes in reverse order: (c, b, a) row-major is (a, b, c) column-major.
	shape = slices.Clone(shape)
	slices.Reverse(shape)
	strides, step := make([]int, len(shape)), 1
	for i, d := range shape {
		strides[i] = step
		step *= d
	}
	return t.View(name, 0, shape, strides)
}

func count(n int, ok bool) string {
	if !ok {
		return "more than 2⁶³"
	}
	return strconv.Itoa(n)
}

// eof makes an early end an error of the format.
func eof(err error, at int64, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &weights.FormatError{Offset: at, Expected: what, Found: "the end of the data"}
	}
	return err
}

// header is what a file says of its array.
type header struct {
	Type
	fortran bool
	shape   []int
}

func readHeader(r *counter) (*header, error) {
	var lead [8]byte
	if _, err := io.ReadFull(r, lead[:]); err != nil {
		return nil, eof(err, 0, "an array file's first 8 bytes")
	}
	if !Is(lead[:]) {
		return nil, &weights.FormatError{Expected: fmt.Sprintf("%q", magic), Found: fmt.Sprintf("%q", lead[:6])}
	}
	wide := 2
	switch {
	case lead[6] == 2 || lead[6] == 3:
		wide = 4
	case lead[6] != 1:
		return nil, &weights.FormatError{Offset: 6, Expected: "format version 1, 2 or 3", Found: strconv.Itoa(int(lead[6]))}
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:wide]); err != nil {
		return nil, eof(err, 8, "the header's length")
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHeader {
		return nil, &weights.FormatError{Offset: 8, Expected: fmt.Sprintf("a header of at most %d bytes", maxHeader), Found: strconv.Itoa(int(n))}
	}
	text := make([]byte, n)
	at := r.n
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, eof(err, at, "the header")
	}
	return parseHeader(string(text), at)
}

// swap turns big-endian elements that were read as little-endian ones round.
func swap(t *weights.Tensor) {
	switch d := t.Data.(type) {
	case []uint16:
		swapEach(d, 2)
	case []int16:
		swapEach(d, 2)
	case []uint32:
		swapEach(d, 4)
	case []int32:
		swapEach(d, 4)
	case []float32:
		swapFloats(d)
	case []uint64:
		swapEach(d, 8)
	case []int64:
		swapEach(d, 8)
	case []float64:
		swapDoubles(d)
	}
}
