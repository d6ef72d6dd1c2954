package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unsafe"
)

// hostLittleEndian tells whether numbers lie in memory as the format stores
// them, so that a tensor can be read and written as the bytes it already is.
var hostLittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// chunkBytes is the size of the buffer through which hosts of the other byte
// order convert: small enough for the cache, a multiple of every element size.
const chunkBytes = 64 << 10

// bytesOf returns the memory of data, one of the slice types of newData, as
// bytes. The slice shares its memory; it is valid as long as data is.
func bytesOf(data any) []byte {
	switch d := data.(type) {
	case []uint8:
		return d
	case []int8:
		return view(d)
	case []uint16:
		return view(d)
	case []int16:
		return view(d)
	case []uint32:
		return view(d)
	case []int32:
		return view(d)
	case []float32:
		return view(d)
	case []uint64:
		return view(d)
	case []int64:
		return view(d)
	case []float64:
		return view(d)
	}
	return nil
}

func view[T int8 | uint16 | int16 | uint32 | int32 | float32 | uint64 | int64 | float64](d []T) []byte {
	if len(d) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(d))), len(d)*int(unsafe.Sizeof(d[0])))
}

// writeData writes data in little-endian order. native says that memory already
// has that order; it is an argument so that the portable way is tested too.
func writeData(w io.Writer, data any, native bool) error {
	if native {
		if raw := bytesOf(data); len(raw) > 0 {
			return writeFull(w, raw)
		}
		return nil
	}
	switch d := data.(type) {
	case []uint8:
		return writeFull(w, d)
	case []int8:
		return writeChunks(w, d, 1, func(b []byte, v int8) { b[0] = byte(v) })
	case []uint16:
		return writeChunks(w, d, 2, binary.LittleEndian.PutUint16)
	case []int16:
		return writeChunks(w, d, 2, func(b []byte, v int16) { binary.LittleEndian.PutUint16(b, uint16(v)) })
	case []uint32:
		return writeChunks(w, d, 4, binary.LittleEndian.PutUint32)
	case []int32:
		return writeChunks(w, d, 4, func(b []byte, v int32) { binary.LittleEndian.PutUint32(b, uint32(v)) })
	case []float32:
		return writeChunks(w, d, 4, func(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) })
	case []uint64:
		return writeChunks(w, d, 8, binary.LittleEndian.PutUint64)
	case []int64:
		return writeChunks(w, d, 8, func(b []byte, v int64) { binary.LittleEndian.PutUint64(b, uint64(v)) })
	case []float64:
		return writeChunks(w, d, 8, func(b []byte, v float64) { binary.LittleEndian.PutUint64(b, math.Float64bits(v)) })
	}
	return fmt.Errorf("weights: cannot write data of type %T", data)
}

func writeChunks[T any](w io.Writer, data []T, size int, put func([]byte, T)) error {
	buf := make([]byte, min(chunkBytes, len(data)*size))
	for len(data) > 0 {
		n := min(len(data), len(buf)/size)
		for i, v := range data[:n] {
			put(buf[i*size:], v)
		}
		if err := writeFull(w, buf[:n*size]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// writeFull turns a short write without an error, which a careless writer may
// report, into one: a checkpoint must not lose bytes silently.
func writeFull(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// fromLittleEndian turns bytes just read into data's memory into numbers of this
// host, in place. native says that there is nothing to do.
func fromLittleEndian(data any, native bool) {
	if native {
		return
	}
	switch d := data.(type) {
	case []uint16:
		convert(d, 2, binary.LittleEndian.Uint16)
	case []int16:
		convert(d, 2, func(b []byte) int16 { return int16(binary.LittleEndian.Uint16(b)) })
	case []uint32:
		convert(d, 4, binary.LittleEndian.Uint32)
	case []int32:
		convert(d, 4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) })
	case []float32:
		convert(d, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	case []uint64:
		convert(d, 8, binary.LittleEndian.Uint64)
	case []int64:
		convert(d, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	case []float64:
		convert(d, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	}
}

func convert[T any](d []T, size int, get func([]byte) T) {
	raw := bytesOf(d)
	for i := range d {
		d[i] = get(raw[i*size : (i+1)*size])
	}
}
