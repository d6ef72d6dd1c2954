package data

import (
	"errors"
	"fmt"
	"io"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// CIFARLayout is a record layout of the CIFAR authors' "binary version": label bytes, then 1024 red, 1024 green and
// 1024 blue values of a 32×32 image, row by row (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
// 2009, and https://www.cs.toronto.edu/~kriz/cifar.html).
type CIFARLayout int

const (
	// CIFAR10 records are 1 label byte (0–9) + 3072 pixels.
	CIFAR10 CIFARLayout = iota
	// CIFAR100 records are 1 coarse (0–19) and 1 fine label byte (0–99) + 3072 pixels.
	CIFAR100
)

const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarPixels = 3 * cifarPlane
)

// RecordSize is the number of bytes of one record: 3073 or 3074.
func (l CIFARLayout) RecordSize() int { return l.labelBytes() + cifarPixels }

func (l CIFARLayout) labelBytes() int {
	if l == CIFAR100 {
		return 2
	}
	return 1
}

// ReadCIFAR reads records until the end of r, turning the colour planes into NHWC. path is for messages only. Anything
// but a whole number (at least one) of records with labels in range is a *FormatError; an error of r is wrapped.
func ReadCIFAR(r io.Reader, path string, layout CIFARLayout) (*Dataset, error) {
	d := newCIFAR(path, layout)
	if err := d.readCIFAR(r, path, layout, 0); err != nil {
		return nil, err
	}
	return d, nil
}

// newCIFAR makes an empty data set of the layout.
func newCIFAR(name string, layout CIFARLayout) *Dataset {
	d := &Dataset{Name: name, Shape: [3]int{cifarSide, cifarSide, 3}, Classes: cifar10Classes()}
	if layout == CIFAR100 {
		d.Classes, d.CoarseClasses = cifar100Classes(), cifar100Coarse()
	}
	return d
}

// readCIFAR appends the records of r. want is how many there must be; 0 means any number above none.
func (d *Dataset) readCIFAR(r io.Reader, path string, layout CIFARLayout, want int) error {
	size := layout.RecordSize()
	buf := make([]byte, 64*size)
	for done := 0; ; {
		limit := len(buf)
		if want > 0 {
			// One byte beyond the last record tells a file that is too long from one that is right.
			limit = min(limit, (want-done)*size+1)
		}
		n, err := io.ReadFull(r, buf[:limit])
		end := isEnd(err)
		if err != nil && !end {
			return readFault(path, int64(done)*int64(size)+int64(n), err)
		}
		for at := 0; at+size <= n; at += size {
			if want > 0 && done == want {
				break
			}
			if err := d.appendCIFAR(buf[at:at+size], path, layout, done); err != nil {
				return err
			}
			done++
		}
		if want > 0 && done == want && n%size != 0 {
			e := formatError(path, "the file goes on after its last record", int64(want)*int64(size), -1)
			e.Want, e.Got = sizeOf(want, size), "more"
			return e
		}
		if !end {
			continue
		}
		total := int64(done)*int64(size) + int64(n%size)
		if total == 0 {
			e := formatError(path, "the file is empty", 0, -1)
			e.Want = wantSize(want, size)
			return e
		}
		if n%size != 0 || done < want {
			e := formatError(path, "truncated", total, int64(done))
			e.Want, e.Got = wantSize(want, size), thousands.Format(total)+" bytes"
			return e
		}
		return nil
	}
}

func sizeOf(records, size int) string {
	return fmt.Sprintf("%s bytes (%s records of %s)", thousands.Format(int64(records)*int64(size)), thousands.Format(int64(records)), thousands.Format(int64(size)))
}

func wantSize(records, size int) string {
	if records == 0 {
		return "a whole number of records of " + thousands.Format(int64(size)) + " bytes"
	}
	return sizeOf(records, size)
}

// appendCIFAR adds one record, number done of its file.
func (d *Dataset) appendCIFAR(rec []byte, path string, layout CIFARLayout, done int) error {
	at := int64(done) * int64(len(rec))
	labels := layout.labelBytes()
	if layout == CIFAR100 {
		if int(rec[0]) >= len(d.CoarseClasses) {
			return labelFault(path, "coarse label out of range", at, done, len(d.CoarseClasses), int(rec[0]))
		}
		d.CoarseLabels = append(d.CoarseLabels, int32(rec[0]))
	}
	if l := int(rec[labels-1]); l >= len(d.Classes) {
		return labelFault(path, "label out of range", at+int64(labels-1), done, len(d.Classes), l)
	}
	d.Labels = append(d.Labels, int32(rec[labels-1]))
	n := len(d.Images)
	d.Images = append(d.Images, rec[labels:]...) // room for the pixels; overwritten in NHWC order
	interleave(d.Images[n:n+cifarPixels], rec[labels:])
	return nil
}

// interleave turns three planes of one image (3×1024) into 1024 pixels of three.
func interleave(dst, src []byte) {
	r, g, b := src[:cifarPlane], src[cifarPlane:2*cifarPlane], src[2*cifarPlane:3*cifarPlane]
	dst = dst[:3*cifarPlane]
	for i := range cifarPlane {
		p := dst[3*i : 3*i+3 : 3*i+3]
		p[0], p[1], p[2] = r[i], g[i], b[i]
	}
}

func labelFault(path, what string, offset int64, record, classes, got int) error {
	e := formatError(path, what, offset, int64(record))
	e.Want, e.Got = fmt.Sprintf("0 … %d", classes-1), fmt.Sprint(got)
	return e
}

// readFault reports an error of the reader below: damaged compression is a fault of the file, others are passed on.
func readFault(path string, offset int64, err error) error {
	if errors.Is(err, errGzip) {
		e := formatError(path, "damaged gzip or tar data", offset, -1)
		e.Err = err
		e.Remedy = "the file is incomplete or corrupt; fetch it again"
		return e
	}
	return fmt.Errorf("data: reading %s: %w", path, err)
}
