package pickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Config says what a pickle may refer to.
type Config struct {
	// Global returns what stands for a function, class or constant of Python, given as "module.name": a [Func] if it
	// may be called, or any other value. ok is false for what is not on the list. nil refuses all names.
	Global func(name string) (value any, ok bool)
	// Persistent returns what a persistent id stands for. nil refuses them.
	Persistent func(id any) (any, error)
}

// maxSteps bounds the instructions of one pickle, and with them the memory, of which an instruction of one byte can take a
// hundred. A state of a thousand tensors has about thirty thousand.
const maxSteps = 1 << 22

// Reader reads pickles that follow each other in a stream.
type Reader struct {
	from io.Reader
	in   *bufio.Reader
	cfg  Config
	at   int64 // bytes read
	size int64 // of the stream
}

// NewReader reads from r, which has size bytes.
func NewReader(r io.Reader, size int64, c Config) *Reader {
	return &Reader{from: r, in: bufio.NewReaderSize(r, 1<<16), cfg: c, size: size}
}

// Offset is the number of bytes read so far: where the next pickle, or whatever follows, begins.
func (r *Reader) Offset() int64 { return r.at }

// readError makes an error of the stream one of this package where it means that the stream ends too early.
func (r *Reader) readError(err error, wanted string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{r.at, wanted, "the end of the data"}
	}
	return fmt.Errorf("pickle: reading at byte %d: %w", r.at, err)
}

func (r *Reader) byte() (byte, error) {
	b, err := r.in.ReadByte()
	if err != nil {
		return 0, r.readError(err, "another byte")
	}
	r.at++
	return b, nil
}

// text reads n bytes. The stream must have as many left, so that a lie about the length costs nothing.
func (r *Reader) text(n uint64) (string, error) {
	if left := r.size - r.at; n > uint64(max(left, 0)) {
		return "", &Error{r.at, fmt.Sprintf("at most the %d bytes that are left", left), fmt.Sprintf("a length of %d", n)}
	}
	p := make([]byte, n)
	got, err := io.ReadFull(r.in, p)
	r.at += int64(got)
	if err != nil {
		return "", r.readError(err, fmt.Sprintf("%d more bytes", int(n)-got))
	}
	return string(p), nil
}

// unsigned reads a little-endian number of n bytes.
func (r *Reader) unsigned(n int) (uint64, error) {
	var p [8]byte
	for i := range n {
		b, err := r.byte()
		if err != nil {
			return 0, err
		}
		p[i] = b
	}
	return binary.LittleEndian.Uint64(p[:]), nil
}

// counted reads a length of n bytes and as many bytes as it says.
func (r *Reader) counted(n int) (string, error) {
	length, err := r.unsigned(n)
	if err != nil {
		return "", err
	}
	return r.text(length)
}

// utf8 is counted for text.
func (r *Reader) utf8(n int) (string, error) {
	begin := r.at
	s, err := r.counted(n)
	if err == nil && !utf8.ValidString(s) {
		// Python writes lone surrogates, which occur in names of files; no tensor is called so.
		return "", &Error{begin, "UTF-8 text", "bytes that are not"}
	}
	return s, err
}

// maxLine bounds the arguments of protocol 0 that are numbers or names.
const maxLine = 1 << 12

// line reads to the end of a line, without it.
func (r *Reader) line(limit int) (string, error) {
	begin := r.at
	var out []byte
	for {
		b, err := r.byte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(out), nil
		}
		if len(out) >= limit {
			return "", &Error{begin, fmt.Sprintf("a line of at most %d bytes", limit), "a longer one"}
		}
		out = append(out, b)
	}
}
