package data

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// cifarBytes makes n records whose bytes can be told apart: label i mod classes, pixel values from position and plane.
func cifarBytes(layout CIFARLayout, n int) []byte {
	var b []byte
	for i := range n {
		if layout == CIFAR100 {
			b = append(b, byte(i%20), byte(i%100))
		} else {
			b = append(b, byte(i%10))
		}
		for plane := range 3 {
			for p := range cifarPlane {
				b = append(b, byte(i*7+p*3+plane*85))
			}
		}
	}
	return b
}

func TestReadCIFAR(t *testing.T) {
	for _, layout := range []CIFARLayout{CIFAR10, CIFAR100} {
		for _, n := range []int{1, 63, 64, 65, 130} { // the reader takes 64 records at a time
			raw := cifarBytes(layout, n)
			d, err := ReadCIFAR(iotest.HalfReader(bytes.NewReader(raw)), "f", layout)
			require.NoError(t, err)
			require.NoError(t, d.Validate())
			require.Equal(t, n, d.Len())
			require.Equal(t, [3]int{32, 32, 3}, d.Shape)
			for i := range n {
				rec := raw[i*layout.RecordSize() : (i+1)*layout.RecordSize()]
				pixels := rec[layout.labelBytes():]
				require.Equal(t, int32(rec[layout.labelBytes()-1]), d.Labels[i])
				for _, p := range []int{0, 1, 31, 32, 517, 1023} {
					require.Equal(t, []byte{pixels[p], pixels[1024+p], pixels[2048+p]}, d.Image(i)[3*p:3*p+3])
				}
			}
			if layout == CIFAR100 {
				require.Equal(t, int32(0), d.CoarseLabels[0])
				require.Len(t, d.CoarseLabels, n)
			}
		}
	}
}

func TestReadCIFARFaults(t *testing.T) {
	good := cifarBytes(CIFAR100, 3)
	edit := func(at int, v byte) []byte {
		b := slices.Clone(good)
		b[at] = v
		return b
	}
	for _, c := range []struct {
		name   string
		raw    []byte
		want   int
		text   string
		offset int64
		record int64
	}{
		{"empty", nil, 0, "the file is empty", 0, -1},
		{"empty, three wanted", nil, 3, "expected 9,222 bytes (3 records of 3,074)", 0, -1},
		{"truncated", good[:len(good)-1], 0, "truncated in record 2 at offset 9221: expected a whole number of records of 3,074 bytes, found 9,221 bytes", 9221, 2},
		{"one byte", good[:1], 0, "truncated", 1, 0},
		{"too few", good, 5, "truncated in record 3 at offset 9222: expected 15,370 bytes (5 records of 3,074), found 9,222 bytes", 9222, 3},
		{"too many", good, 2, "goes on after its last record at offset 6148", 6148, -1},
		{"a byte too many", append(slices.Clone(good), 0), 3, "goes on after its last record", 9222, -1},
		{"fine label", edit(3074*2+1, 100), 0, "label out of range in record 2 at offset 6149: expected 0 … 99, found 100", 6149, 2},
		{"coarse label", edit(3074, 20), 0, "coarse label out of range in record 1 at offset 3074: expected 0 … 19, found 20", 3074, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newCIFAR("x", CIFAR100)
			err := d.readCIFAR(bytes.NewReader(c.raw), "dir/train.bin", CIFAR100, c.want)
			e, ok := errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, "data: dir/train.bin: ")
			require.Equal(t, c.offset, e.Offset)
			require.Equal(t, c.record, e.Record)
		})
	}
	broken := errors.New("cable pulled")
	_, err := ReadCIFAR(io.MultiReader(bytes.NewReader(good[:4000]), iotest.ErrReader(broken)), "f", CIFAR100)
	require.ErrorIs(t, err, broken)
	_, err = ReadCIFAR(bytes.NewReader([]byte{10}), "f", CIFAR10)
	require.ErrorContains(t, err, "truncated")
}

func FuzzReadCIFAR(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte{1, 2, 3}, true)
	f.Add(cifarBytes(CIFAR10, 1), false)
	f.Add(cifarBytes(CIFAR100, 2), true)
	f.Fuzz(func(t *testing.T, raw []byte, hundred bool) {
		layout := CIFAR10
		if hundred {
			layout = CIFAR100
		}
		d, err := ReadCIFAR(bytes.NewReader(raw), "fuzz", layout)
		if err != nil {
			_, ok := errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			return
		}
		require.NoError(t, d.Validate())
		require.Equal(t, len(raw), d.Len()*layout.RecordSize())
	})
}
