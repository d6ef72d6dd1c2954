package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// raw builds a file from a JSON header and size bytes of data.
func raw(header string, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range size {
		b = append(b, byte(i))
	}
	return b
}

func decodeBytes(b []byte) (*File, error) {
	return DecodeSafetensors(bytes.NewReader(b), int64(len(b)))
}

func TestErrorsNameFileAndPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, raw(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 4), 0o644))
	_, err := ReadSafetensors(path)
	require.EqualError(t, err, "weights: "+path+": byte 64: expected the end of the file after the last tensor, found 1 more bytes")

	_, err = ReadSafetensors(path + "x")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = ReadSafetensors(filepath.Dir(path))
	require.ErrorContains(t, err, "not a regular file")
}

// A file cut at any byte, or one that shrinks while it is read, is a FormatError.
func TestEveryTruncation(t *testing.T) {
	whole, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	for n := range whole {
		var format *FormatError
		_, err := decodeBytes(whole[:n])
		require.ErrorAs(t, err, &format, "cut at %d", n)
		_, err = DecodeSafetensors(bytes.NewReader(whole[:n]), int64(len(whole)))
		require.ErrorAs(t, err, &format, "shrunk to %d", n)
	}
}

type failingReader struct{ err error }

func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestReadErrorIsNotAFormatError(t *testing.T) {
	_, err := DecodeSafetensors(failingReader{syscall.EIO}, 100)
	require.ErrorIs(t, err, syscall.EIO)
	var format *FormatError
	require.False(t, errors.As(err, &format))
}

func TestWriterRefuses(t *testing.T) {
	one := []float32{1}
	for name, c := range map[string]struct {
		file    File
		message string
	}{
		"duplicate":        {File{Tensors: []Tensor{{Name: "a", Shape: []int{1}, Data: one}, {Name: "a", Shape: []int{1}, Data: one}}}, `two tensors are called "a"`},
		"reserved name":    {File{Tensors: []Tensor{{Name: "__metadata__", Shape: []int{1}, Data: one}}}, "cannot be the name"},
		"name not UTF-8":   {File{Tensors: []Tensor{{Name: "\xff", Shape: []int{1}, Data: one}}}, "cannot be the name"},
		"metadata text":    {File{Metadata: map[string]string{"a": "\xff"}}, "not UTF-8"},
		"shape and data":   {File{Tensors: []Tensor{{Name: "a", Shape: []int{2}, Data: one}}}, "shape [2] but 1 elements"},
		"negative dims":    {File{Tensors: []Tensor{{Name: "a", Shape: []int{-1, -1}, Data: one}}}, "shape [-1 -1]"},
		"overflow":         {File{Tensors: []Tensor{{Name: "a", Shape: []int{math.MaxInt, 2}, Data: one}}}, "elements"},
		"no Go type":       {File{Tensors: []Tensor{{Name: "a", Shape: []int{1}, Data: []string{"x"}}}}, "[]string, which has no dtype"},
		"nil data":         {File{Tensors: []Tensor{{Name: "a", Shape: []int{0}}}}, "<nil>, which has no dtype"},
		"dtype of another": {File{Tensors: []Tensor{{Name: "a", DType: "F64", Shape: []int{1}, Data: one}}}, "dtype F64 but holds []float32"},
		"unknown dtype":    {File{Tensors: []Tensor{{Name: "a", DType: "F4", Shape: []int{1}, Data: one}}}, `dtype "F4"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			require.ErrorContains(t, WriteSafetensors(path, &c.file), c.message)
			require.NoFileExists(t, path)
			require.ErrorContains(t, EncodeSafetensors(io.Discard, &c.file), c.message)
		})
	}
}

// everyType holds one tensor per Go type, longer than a chunk where that matters.
func everyType() []Tensor {
	n := chunkBytes/4 + 3
	f32 := make([]float32, n)
	f64 := make([]float64, n)
	for i := range n {
		f32[i], f64[i] = float32(i)*0.37-5, math.Exp(float64(i%700))
	}
	return []Tensor{
		{Name: "f32", Shape: []int{n}, Data: f32}, {Name: "f64", Shape: []int{1, n}, Data: f64},
		{Name: "i8", Shape: []int{2}, Data: []int8{-1, 2}}, {Name: "u8", Shape: []int{3}, Data: []uint8{1, 2, 255}},
		{Name: "i16", Shape: []int{2}, Data: []int16{-2, 300}}, {Name: "u16", Shape: []int{1}, Data: []uint16{0xfeff}},
		{Name: "i32", Shape: []int{1}, Data: []int32{-70000}}, {Name: "u32", Shape: []int{1}, Data: []uint32{0xdeadbeef}},
		{Name: "i64", Shape: []int{1}, Data: []int64{math.MinInt64 + 5}}, {Name: "u64", Shape: []int{1}, Data: []uint64{1<<63 | 9}},
		{Name: "none", Shape: []int{3, 0}, Data: []float64{}},
	}
}

// The portable way must write the same bytes, and read them back.
func TestPortableByteOrder(t *testing.T) {
	for _, x := range everyType() {
		var native, portable bytes.Buffer
		require.NoError(t, writeData(&native, x.Data, hostLittleEndian))
		require.NoError(t, writeData(&portable, x.Data, false))
		require.True(t, bytes.Equal(native.Bytes(), portable.Bytes()), x.Name)

		n, dtype, ok := dataInfo(x.Data)
		require.True(t, ok)
		back := newData(dtype, n)
		copy(bytesOf(back), portable.Bytes())
		fromLittleEndian(back, false)
		require.Equal(t, x.Data, back)
	}
	require.Error(t, writeData(io.Discard, "text", false))
	require.ErrorIs(t, writeData(shortWriter{}, []float32{1}, true), io.ErrShortWrite)
	require.ErrorIs(t, writeData(shortWriter{}, []float32{1}, false), io.ErrShortWrite)
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestDeterministicAndAligned(t *testing.T) {
	for n := range 9 {
		f := &File{Metadata: map[string]string{"z": "1", "a": strings.Repeat("x", n)}, Tensors: everyType()}
		var a, b bytes.Buffer
		require.NoError(t, EncodeSafetensors(&a, f))
		require.NoError(t, EncodeSafetensors(&b, f))
		require.True(t, bytes.Equal(a.Bytes(), b.Bytes()))
		require.Zero(t, binary.LittleEndian.Uint64(a.Bytes())%8)
		got, err := decodeBytes(a.Bytes())
		require.NoError(t, err)
		require.Equal(t, f.Metadata, got.Metadata)
		for i, x := range f.Tensors {
			require.Equal(t, x.Name, got.Tensors[i].Name) // in the order given
			require.Equal(t, x.Shape, got.Tensors[i].Shape)
			require.Equal(t, x.Data, got.Tensors[i].Data)
		}
	}
}

func TestFloat32s(t *testing.T) {
	bf16 := Tensor{Name: "b", DType: "BF16", Data: []uint16{0x3f80, 0xc0a0, 0x7f80, 0x0001}}
	got, err := bf16.Float32s()
	require.NoError(t, err)
	require.Equal(t, []float32{1, -5, float32(math.Inf(1)), math.Float32frombits(0x10000)}, got)

	// Every half against its definition: (-1)^s · 1.f · 2^(e-15), or f · 2^-24.
	for bits := range 1 << 16 {
		sign, exponent, fraction := 1-2*float64(bits>>15), bits>>10&31, float64(bits&1023)
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = sign * fraction * 0x1p-24
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			want = math.NaN()
		}
		got := float64(halfToFloat32(uint16(bits)))
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got), "%#04x", bits)
		} else if got != want || math.Signbit(got) != (bits>>15 == 1) {
			require.Failf(t, "wrong value", "%#04x gives %v, want %v", bits, got, want)
		}
	}

	f32 := Tensor{DType: "F32", Data: []float32{1}}
	same, err := f32.Float32s()
	require.NoError(t, err)
	require.Same(t, &f32.Data.([]float32)[0], &same[0])
	for _, data := range []any{[]uint16{1}, []float64{1}, []uint8{1}, nil} {
		x := Tensor{Name: "x", Data: data}
		_, err := x.Float32s()
		require.ErrorContains(t, err, `"x"`)
	}
}

func FuzzDecode(f *testing.F) {
	golden, err := os.ReadFile(goldenPath)
	require.NoError(f, err)
	f.Add(golden)
	for _, seed := range []string{`{}`, `{"__metadata__":{"a":"b"}}   `, `{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}`,
		`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,18446744073709551615]}}`, `{"a":[[[[[`, `{"a":{"dtype":"F64","shape":[],"data_offsets":[8,0]}}`} {
		f.Add(raw(seed, 4))
		f.Add(raw(seed, 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := decodeBytes(b)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("not a FormatError: %v", err)
			}
			return
		}
		// What was read can be written, and reads as the same again.
		var out bytes.Buffer
		if err := EncodeSafetensors(&out, file); err != nil {
			t.Fatal(err)
		}
		again, err := decodeBytes(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Metadata) != len(file.Metadata) || len(again.Tensors) != len(file.Tensors) {
			t.Fatalf("%+v became %+v", file, again)
		}
		for i, want := range file.Tensors {
			got := again.Tensors[i]
			if got.Name != want.Name || got.DType != want.DType || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) || !bytes.Equal(bytesOf(got.Data), bytesOf(want.Data)) {
				t.Fatalf("%+v became %+v", want, got)
			}
		}
	})
}
