package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A file is a sequence of records, TFRecord's: the length of the data (8 bytes, little-endian), the masked checksum of these 8 bytes, the
// data, and its masked checksum. The checksum is CRC-32C.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is masked, so that the checksum of data that holds checksums is a good one: rotated right by 15 bits, plus a constant.
func checksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord appends the record of data to b.
func appendRecord(b, data []byte) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = le.AppendUint64(b, uint64(len(data)))
	b = le.AppendUint32(b, checksum(b[at:]))
	b = append(b, data...)
	return le.AppendUint32(b, checksum(data))
}

// maxRecord bounds what a damaged length has readRecord make room for.
const maxRecord = 1 << 30

// FormatError says that a file is not one of events, or damaged, and where.
type FormatError struct {
	Path            string
	Offset          int64 // in bytes
	Expected, Found string
}

// Error is one line with the place, what belongs there and what is there.
func (e *FormatError) Error() string {
	return fmt.Sprintf("tensorboard: %s: at byte %d: expected %s, found %s", e.Path, e.Offset, e.Expected, e.Found)
}

// reader reads the records of a file.
type reader struct {
	path string
	in   io.Reader
	at   int64
}

// next is the data of the next record; io.EOF when there is none, or where the file ends within one, as a crash may leave it.
func (r *reader) next() ([]byte, error) {
	var head [12]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return nil, r.ended(err)
	}
	le := binary.LittleEndian
	size := le.Uint64(head[:8])
	if want, is := checksum(head[:8]), le.Uint32(head[8:]); want != is || size > maxRecord {
		return nil, r.broken("the length of a record and its checksum", fmt.Sprintf("%d and %#08x, whose checksum is %#08x", size, is, want))
	}
	// A file that ends early is found out before there is room for what it promises.
	data, err := io.ReadAll(io.LimitReader(r.in, int64(size)+4))
	if err != nil {
		return nil, r.ended(err)
	}
	if uint64(len(data)) != size+4 {
		return nil, io.EOF
	}
	if want, is := checksum(data[:size]), le.Uint32(data[size:]); want != is {
		return nil, r.broken(fmt.Sprintf("a record of %d bytes with the checksum %#08x", size, is), fmt.Sprintf("data of %#08x", want))
	}
	r.at += int64(size) + 16
	return data[:size], nil
}

func (r *reader) ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return io.EOF
	}
	return fmt.Errorf("tensorboard: %w", err)
}

func (r *reader) broken(expected, found string) error {
	return &FormatError{r.path, r.at, expected, found}
}
