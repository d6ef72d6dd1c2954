package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func idx(values []byte, head ...uint32) []byte {
	var b []byte
	for _, h := range head {
		b = binary.BigEndian.AppendUint32(b, h)
	}
	return append(b, values...)
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestReadIDX(t *testing.T) {
	pixels := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	for _, raw := range [][]byte{idx(pixels, idxImages, 2, 3, 2), zipped(idx(pixels, idxImages, 2, 3, 2))} {
		got, n, h, w, err := ReadIDXImages(bytes.NewReader(raw), "f")
		require.NoError(t, err)
		require.Equal(t, pixels, got)
		require.Equal(t, [3]int{2, 3, 2}, [3]int{n, h, w})
	}
	labels, err := ReadIDXLabels(bytes.NewReader(idx([]byte{0, 9, 4}, idxLabels, 3)), "f", 10)
	require.NoError(t, err)
	require.Equal(t, []int32{0, 9, 4}, labels)
}

func TestReadIDXFaults(t *testing.T) {
	good := idx(make([]byte, 12), idxImages, 2, 3, 2)
	packed := zipped(good)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name, text string
		raw        []byte
		offset     int64
	}{
		{"empty", "the file is empty", nil, 0},
		{"one byte", "truncated header at offset 1: expected 16 bytes, found 1", good[:1], 1},
		{"header cut", "truncated header", good[:15], 15},
		{"labels for images", "wrong idx magic number at offset 0: expected 0x00000803 (images), found 0x00000801 (labels)", idx([]byte{1}, idxLabels, 1), 0},
		{"other file", "wrong idx magic number", []byte("<!DOCTYPE html>"), 0},
		{"values cut", "truncated at offset 27: expected 12 values for the lengths [2 3 2] of the header, found 11", good[:27], 27},
		{"values left", "goes on after its last value", append(bytes.Clone(good), 0), 28},
		{"no images", "impossible length of axis 0 at offset 4", idx(nil, idxImages, 0, 28, 28), 4},
		{"no width", "impossible length of axis 2", idx(nil, idxImages, 1, 28, 0), 12},
		{"overflow", "impossible length of axis", idx(nil, idxImages, 0xffffffff, 0xffffffff, 0xffffffff), 4},
		{"huge", "impossible length of axis", idx(nil, idxImages, 1<<28, 32, 32), 8},
		{"claims 4 GiB", "truncated", idx([]byte{1}, idxImages, 1<<28, 4, 4), 17},
		{"gzip cut", "damaged gzip", packed[:len(packed)-9], -2},
		{"gzip checksum", "damaged gzip", flipped, -2},
		{"gzip header only", "damaged gzip", []byte{0x1f, 0x8b, 8}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, _, _, err := ReadIDXImages(bytes.NewReader(c.raw), "t10k-images")
			e, ok := errors.AsType[*FormatError](err)
			require.True(t, ok, "%v", err)
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, "t10k-images")
			if c.offset != -2 {
				require.Equal(t, c.offset, e.Offset)
			}
		})
	}
	_, err := ReadIDXLabels(bytes.NewReader(idx([]byte{0, 10}, idxLabels, 2)), "labels", 10)
	require.ErrorContains(t, err, "label out of range in record 1 at offset 9: expected 0 … 9, found 10")
}

func FuzzReadIDX(f *testing.F) {
	f.Add(idx(make([]byte, 12), idxImages, 2, 3, 2))
	f.Add(idx([]byte{1, 2}, idxLabels, 2))
	f.Add(zipped(idx([]byte{1, 2}, idxLabels, 2)))
	f.Add([]byte{0x1f, 0x8b})
	f.Add(idx(nil, idxImages, 1<<28, 1, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		values, n, h, w, err := ReadIDXImages(bytes.NewReader(raw), "fuzz")
		if err == nil {
			require.Len(t, values, n*h*w)
		} else if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Fatalf("%v", err)
		}
		labels, err := ReadIDXLabels(bytes.NewReader(raw), "fuzz", 10)
		for _, l := range labels {
			require.Less(t, l, int32(10))
		}
		if _, ok := errors.AsType[*FormatError](err); err != nil && !ok {
			t.Fatalf("%v", err)
		}
	})
}
