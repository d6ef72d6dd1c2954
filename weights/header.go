package weights

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

const (
	// headerMax is the longest header the format allows, in bytes.
	headerMax = 100_000_000
	// prefixBytes is the little-endian header length in front of the header.
	prefixBytes = 8
	metadataKey = "__metadata__"
)

// entry is what the header says of one tensor. Begin and End count from the
// first byte after the header.
type entry struct {
	name       string
	dtype      string
	shape      []int
	begin, end int64
	elements   int
	at         int64 // where in the file the entry ends, for messages
}

// header is a parsed and fully checked header.
type header struct {
	metadata map[string]string
	entries  []entry // in the order of the data
	raw      []byte  // the bytes after the length, padding included
	dataAt   int64   // offset of the data in the file
}

// readHeader reads and checks everything in front of the data of a file of size
// bytes. After it succeeds, the sizes of the tensors add up to exactly the rest
// of the file, so that nothing allocated from them can exceed it.
func readHeader(r io.ReaderAt, size int64) (*header, error) {
	if size < prefixBytes {
		return nil, &FormatError{Offset: 0, Expected: "8 bytes that hold the header's length", Found: fmt.Sprintf("a file of %d bytes", size)}
	}
	var prefix [prefixBytes]byte
	if err := readFullAt(r, prefix[:], 0); err != nil {
		return nil, err
	}
	length := uint64(0)
	for i, b := range prefix {
		length |= uint64(b) << (8 * i)
	}
	if length > headerMax {
		return nil, &FormatError{Offset: 0, Expected: fmt.Sprintf("a header length of at most %d", headerMax), Found: fmt.Sprintf("%d (is this a safetensors file?)", length)}
	}
	if int64(length) > size-prefixBytes {
		return nil, &FormatError{Offset: 0, Expected: fmt.Sprintf("a header length of at most the %d bytes that follow", size-prefixBytes), Found: fmt.Sprintf("%d (a truncated file?)", length)}
	}
	raw := make([]byte, length)
	if err := readFullAt(r, raw, prefixBytes); err != nil {
		return nil, err
	}
	h := &header{raw: raw, dataAt: prefixBytes + int64(length)}
	if err := h.parse(); err != nil {
		return nil, err
	}
	return h, h.checkOffsets(size)
}

// readFullAt fills p; a file that ends too early is a FormatError, any other
// failure is the reader's own error.
func readFullAt(r io.ReaderAt, p []byte, at int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &FormatError{Offset: at + int64(n), Expected: fmt.Sprintf("%d more bytes", len(p)-n), Found: "the end of the file"}
	}
	return fmt.Errorf("weights: reading at byte %d: %w", at, err)
}

// parse turns the JSON text into metadata and entries. The text is walked token
// by token because decoding into a map would hide duplicate names.
func (h *header) parse() error {
	if len(h.raw) == 0 || h.raw[0] != '{' {
		found := "an empty header"
		if len(h.raw) > 0 {
			found = fmt.Sprintf("byte %#02x", h.raw[0])
		}
		return &FormatError{Offset: prefixBytes, Expected: "a JSON header that begins with {", Found: found}
	}
	if at := invalidUTF8(h.raw); at >= 0 {
		return &FormatError{Offset: prefixBytes + int64(at), Expected: "UTF-8 text", Found: fmt.Sprintf("byte %#02x", h.raw[at])}
	}
	// The whole text is validated first: the token reader alone is laxer.
	var all json.RawMessage
	if err := json.Unmarshal(h.raw, &all); err != nil {
		at := int64(prefixBytes)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at += max(syntax.Offset-1, 0)
		}
		return &FormatError{Offset: at, Expected: "valid JSON", Found: err.Error()}
	}
	p := &headerParser{dec: json.NewDecoder(bytes.NewReader(h.raw))}
	p.dec.UseNumber()
	seen := make(map[string]bool)
	err := p.object("the header", func(name string) error {
		if seen[name] {
			return p.fail("each name once", fmt.Sprintf("%q twice", clip(name)))
		}
		seen[name] = true
		if name == metadataKey {
			return p.metadata(&h.metadata)
		}
		e, err := p.entry(name)
		h.entries = append(h.entries, e)
		return err
	})
	return err
}

// checkOffsets puts the entries into the order of their data and checks that
// they tile the rest of the file without gap, overlap or remainder. The order of
// the names in the JSON text is free: other writers use hash maps.
func (h *header) checkOffsets(size int64) error {
	slices.SortStableFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	next := int64(0)
	for _, e := range h.entries {
		if e.begin != next {
			return &FormatError{Offset: e.at, Expected: fmt.Sprintf("data of %q to begin at %d, where the tensor before ends", clip(e.name), next),
				Found: fmt.Sprintf("data_offsets [%d, %d]", e.begin, e.end)}
		}
		next = e.end
	}
	switch rest := size - h.dataAt; {
	case next > rest:
		return &FormatError{Offset: size, Expected: fmt.Sprintf("%d bytes of tensor data after the header", next), Found: fmt.Sprintf("%d (the file is truncated)", rest)}
	case next < rest:
		return &FormatError{Offset: h.dataAt + next, Expected: "the end of the file after the last tensor", Found: fmt.Sprintf("%d more bytes", rest-next)}
	}
	return nil
}

// elementCount multiplies the dims; a product beyond an int64 is refused.
// A scalar, with no dims, has one element.
func elementCount(shape []int) (int, bool) {
	n := uint64(1)
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if d < 0 || hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		n = lo
	}
	return int(n), n <= uint64(^uint(0)>>1)
}
