package data

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
)

// errGzip marks errors of decompression, to tell a damaged file from one that simply ends.
var errGzip = errors.New("decompression failed")

// gunzip returns r decompressed when it starts with gzip's magic bytes, otherwise r itself (buffered).
func gunzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, err := b.Peek(2); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		return b, nil //nolint:nilerr // an empty or failing reader says so at the first Read
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, errors.Join(errGzip, err)
	}
	return &markedReader{z}, nil
}

// markedReader adds errGzip to every error but the ordinary end.
type markedReader struct{ r io.Reader }

func (m *markedReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF {
		err = &damage{err}
	}
	return n, err
}

// damage is a decompression error that reads as its cause and matches errGzip. It does not match io.EOF and
// io.ErrUnexpectedEOF, which would mean an ordinary end to the parsers.
type damage struct{ cause error }

func (d *damage) Error() string        { return d.cause.Error() }
func (d *damage) Is(target error) bool { return target == errGzip }

// cappedReader fails after n bytes, against archives that unpack to far more than they should.
type cappedReader struct {
	r io.Reader
	n int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if c.n <= 0 {
		return 0, &damage{errors.New("it unpacks to far more than this data set holds")}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.n)])
	c.n -= int64(n)
	return n, err
}
