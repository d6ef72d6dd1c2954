package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Numbers of filters.
const (
	filterDeflate  = 1
	filterShuffle  = 2
	filterFletcher = 3
)

// filter is a step that chunks go through when they are written.
type filter struct {
	id     uint16
	values []uint32
}

var filterNames = map[uint16]string{4: "szip", 5: "nbit", 6: "scaleoffset", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32015: "zstd"}

// filters decodes a filter pipeline message.
func (c *cursor) filters() []filter {
	version := c.version(1, 2)
	n := int(c.u8())
	if version == 1 {
		c.take(6)
	}
	var out []filter
	for i := 0; i < n && c.err == nil; i++ {
		at := c.place()
		f := filter{id: c.u16()}
		name := 0
		if version == 1 || f.id >= 256 {
			name = int(c.u16())
		}
		c.take(2) // flags: whether a chunk may do without
		values := int(c.u16())
		if version == 1 {
			name = (name + 7) / 8 * 8
		}
		c.take(name)
		for range values {
			if f.values = append(f.values, c.u32()); c.err != nil {
				return nil
			}
		}
		if version == 1 && values%2 == 1 {
			c.take(4)
		}
		if f.id < filterDeflate || f.id > filterFletcher {
			c.fail(at, "the filters gzip, shuffle or fletcher32", "filter %d (%s), which is not supported: write the file without it",
				f.id, filterNames[f.id])
		}
		out = append(out, f)
	}
	return out
}

// deflateRatio is the most that a byte of DEFLATE can stand for.
const deflateRatio = 1032

// bound is the most bytes that a chunk of stored bytes can unpack to.
func bound(pipe []filter, mask uint32, stored int64) int64 {
	for i, f := range pipe {
		if f.id == filterDeflate && mask>>i&1 == 0 {
			stored = min(stored, math.MaxInt64/deflateRatio) * deflateRatio
		}
	}
	return stored
}

// unfilter undoes the filters of a chunk, the last one first, and returns its size bytes.
func unfilter(pipe []filter, mask uint32, raw []byte, size int) ([]byte, error) {
	extra := 0 // bytes that earlier filters of the pipeline added
	for i, f := range pipe {
		if f.id == filterFletcher && mask>>i&1 == 0 {
			extra += 4
		}
	}
	for i := len(pipe) - 1; i >= 0; i-- {
		if mask>>i&1 != 0 {
			continue
		}
		var err error
		switch pipe[i].id {
		case filterDeflate:
			raw, err = inflate(raw, size+extra)
		case filterShuffle:
			raw = unshuffle(raw, pipe[i].values)
		case filterFletcher:
			raw, err = unfletcher(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(raw) != size {
		return nil, fmt.Errorf("%d bytes", len(raw))
	}
	return raw, nil
}

// inflate unpacks at most most bytes.
func inflate(raw []byte, most int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("data that gzip cannot unpack (%w)", err)
	}
	out := make([]byte, most)
	n, err := io.ReadFull(z, out)
	switch {
	case err == nil:
		var more [1]byte
		switch k, err := z.Read(more[:]); {
		case k > 0:
			return nil, fmt.Errorf("data that unpack to more than %d bytes", most)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("data that gzip cannot unpack (%w)", err)
		}
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		// Either the end of fewer bytes, which the caller judges, or that of a cut stream: zlib tells the second when
		// it is asked again.
		if _, again := z.Read(out[n:]); again != nil && !errors.Is(again, io.EOF) {
			return nil, fmt.Errorf("data that gzip cannot unpack (%w)", again)
		}
	default:
		return nil, fmt.Errorf("data that gzip cannot unpack (%w)", err)
	}
	return out[:n], nil
}

// unshuffle puts the bytes of each element together again: the filter stores all first bytes, then all second ones, ….
func unshuffle(raw []byte, values []uint32) []byte {
	if len(values) == 0 || values[0] < 2 || int64(values[0]) > int64(len(raw)) {
		return raw
	}
	width := int(values[0])
	n := len(raw) / width
	out := make([]byte, len(raw))
	for b := range width {
		for i, v := range raw[b*n : (b+1)*n] {
			out[i*width+b] = v
		}
	}
	copy(out[n*width:], raw[n*width:])
	return out
}

// unfletcher checks and takes off the checksum at the end of a chunk.
func unfletcher(raw []byte) ([]byte, error) {
	if len(raw) < 4 {
		return nil, fmt.Errorf("%d bytes, without a checksum", len(raw))
	}
	data := raw[:len(raw)-4]
	want, got := binary.LittleEndian.Uint32(raw[len(data):]), fletcher32(data)
	// Old versions of the library wrote the checksum with its bytes in pairs the other way round.
	swapped := got&0x00ff00ff<<8 | got&0xff00ff00>>8
	if want != got && want != swapped {
		return nil, fmt.Errorf("the checksum %08x of data whose checksum is %08x (the file is damaged)", want, got)
	}
	return data, nil
}

// fletcher32 is Fletcher's checksum over big-endian words of 16 bits, as HDF5 computes it.
func fletcher32(p []byte) uint32 {
	var a, b uint32
	for len(p) > 1 {
		for range min(len(p)/2, 360) { // as many as cannot overflow
			a += uint32(p[0])<<8 | uint32(p[1])
			b += a
			p = p[2:]
		}
		a = a&0xffff + a>>16
		b = b&0xffff + b>>16
	}
	if len(p) == 1 {
		a += uint32(p[0]) << 8
		b += a
		a = a&0xffff + a>>16
		b = b&0xffff + b>>16
	}
	a = a&0xffff + a>>16
	b = b&0xffff + b>>16
	return b<<16 | a
}
