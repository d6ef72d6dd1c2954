package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// The idx format of MNIST (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist): two zero bytes, the type (8:
// unsigned byte), the number of axes, one big-endian 32-bit length per axis, then the values.
const (
	idxImages = 0x00000803
	idxLabels = 0x00000801
)

// ReadIDXImages reads an idx file of unsigned bytes with three axes (magic 0x803): n images of h×w grey values, returned as
// n·h·w bytes. r may be gzip-compressed. path is for messages only. Faults of the content are *FormatError.
func ReadIDXImages(r io.Reader, path string) (images []byte, n, h, w int, err error) {
	values, dims, err := readIDX(r, path, idxImages)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	return values, dims[0], dims[1], dims[2], nil
}

// ReadIDXLabels reads an idx file of unsigned bytes with one axis (magic 0x801): n labels, each below classes. r may
// be gzip-compressed. path is for messages only. Faults of the content are *FormatError.
func ReadIDXLabels(r io.Reader, path string, classes int) ([]int32, error) {
	values, _, err := readIDX(r, path, idxLabels)
	if err != nil {
		return nil, err
	}
	labels := make([]int32, len(values))
	for i, v := range values {
		if int(v) >= classes {
			return nil, labelFault(path, "label out of range", int64(8+i), i, classes, int(v))
		}
		labels[i] = int32(v)
	}
	return labels, nil
}

func readIDX(r io.Reader, path string, magic uint32) ([]byte, []int, error) {
	r, err := gunzip(r)
	if err != nil {
		return nil, nil, readFault(path, 0, err)
	}
	axes := int(magic & 0xff)
	head := make([]byte, 4+4*axes)
	n, err := io.ReadFull(r, head)
	if n >= 4 {
		if got := binary.BigEndian.Uint32(head); got != magic {
			e := formatError(path, "wrong idx magic number", 0, -1)
			e.Want, e.Got = fmt.Sprintf("%#08x (%s)", magic, idxKind(magic)), fmt.Sprintf("%#08x%s", got, idxFound(got))
			return nil, nil, e
		}
	}
	switch {
	case errors.Is(err, errGzip) || err != nil && !isEnd(err):
		return nil, nil, readFault(path, int64(n), err)
	case n == 0:
		e := formatError(path, "the file is empty", 0, -1)
		e.Want = "an idx file of " + idxKind(magic)
		return nil, nil, e
	case err != nil:
		e := formatError(path, "truncated header", int64(n), -1)
		e.Want, e.Got = fmt.Sprintf("%d bytes", len(head)), fmt.Sprintf("%d", n)
		return nil, nil, e
	}
	dims := make([]int, axes)
	total := int64(1)
	for i := range dims {
		d := binary.BigEndian.Uint32(head[4+4*i:])
		dims[i] = int(d & 0x7fffffff)
		total *= int64(dims[i])
		// The bound keeps the product from overflowing and refuses absurd headers before anything is read.
		if d == 0 || d > 1<<28 || total > 1<<32 || (i > 0 && d > 1<<15) {
			e := formatError(path, "impossible length of axis "+fmt.Sprint(i), int64(4+4*i), -1)
			e.Want, e.Got = "1 … 32,768 (images: up to 268,435,456) and at most 4 GiB in all", thousands.Format(int64(d))
			return nil, nil, e
		}
	}
	// ReadAll grows with what arrives, so that a false header cannot make it take memory.
	values, err := io.ReadAll(io.LimitReader(r, total+1))
	if err != nil {
		return nil, nil, readFault(path, int64(len(head)+len(values)), err)
	}
	if got := int64(len(values)); got != total {
		what, found := "truncated", thousands.Format(got)
		if got > total {
			what, found = "the file goes on after its last value", "more"
		}
		e := formatError(path, what, int64(len(head))+min(got, total), -1)
		e.Want, e.Got = fmt.Sprintf("%s values for the lengths %d of the header", thousands.Format(total), dims), found
		return nil, nil, e
	}
	return values, dims, nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func idxKind(magic uint32) string {
	if magic == idxImages {
		return "images"
	}
	return "labels"
}

func idxFound(magic uint32) string {
	switch magic {
	case idxImages, idxLabels:
		return " (" + idxKind(magic) + ")"
	}
	return ""
}
