package numpy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/npy"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	require.NoError(t, err)
	return data
}

func decodeBytes(data []byte) (*File, error) { return Decode(bytes.NewReader(data), int64(len(data))) }

// number is element i of the golden arrays of a type; see make_numpy.py.
func number(dtype string, i int) float64 {
	v := float64(7*i%61 - 30)
	switch {
	case dtype == "BOOL" && v > 0:
		return 1
	case dtype == "BOOL":
		return 0
	case dtype[0] == 'U':
		return math.Abs(v)
	}
	return v
}

// plain is a tensor's elements as numbers.
func plain(t testing.TB, x weights.Tensor) []float64 {
	switch d := x.Data.(type) {
	case []uint8:
		return floats(d)
	case []int8:
		return floats(d)
	case []uint16:
		if x.DType == "F16" {
			f, err := x.Float32s()
			require.NoError(t, err)
			return floats(f)
		}
		return floats(d)
	case []int16:
		return floats(d)
	case []uint32:
		return floats(d)
	case []int32:
		return floats(d)
	case []float32:
		return floats(d)
	case []uint64:
		return floats(d)
	case []int64:
		return floats(d)
	case []float64:
		return floats(d)
	}
	t.Fatalf("%T", x.Data)
	return nil
}

func floats[T uint8 | int8 | uint16 | int16 | uint32 | int32 | float32 | uint64 | int64 | float64](d []T) []float64 {
	out := make([]float64, len(d))
	for i, v := range d {
		out[i] = float64(v)
	}
	return out
}

// requireNumbers holds a tensor to the rule of the golden files.
func requireNumbers(t *testing.T, x weights.Tensor) {
	t.Helper()
	got := plain(t, x)
	n, ok := weights.Elements(x.Shape)
	require.True(t, ok)
	require.Len(t, got, n, x.Name)
	for i, v := range got {
		require.Equal(t, number(x.DType, i), v, "%s, element %d", x.Name, i)
	}
}

// The files of NumPy: all types, both byte orders, both orders of axes, stored and deflated.
func TestFilesOfNumPy(t *testing.T) {
	for _, name := range []string{"stored.npz", "deflated.npz"} {
		f, err := Read(filepath.Join("testdata", "golden", name))
		require.NoError(t, err)
		require.Empty(t, f.Skipped)
		require.Len(t, f.Tensors, 28)
		shapes := map[string]string{}
		for _, x := range f.Tensors {
			requireNumbers(t, x)
			shapes[x.Name] = x.DType + fmt.Sprint(x.Shape)
		}
		for name, want := range map[string]string{"conv2d/kernel": "F32[3 3 2 4]", "scalar": "F32[]", "empty": "F32[0 3]", "vector": "F64[7]",
			"fortran": "F32[3 4 5]", "fortran_big": "F64[3 4]", "one": "I64[5]", "of b1": "BOOL[2 3]", "of f2": "F16[2 3]", "of u8 big": "U64[2 3]"} {
			require.Equal(t, want, shapes[name], name)
		}
	}
	for _, name := range []string{"matrix.npy", "version2.npy", "version3.npy"} {
		f, err := decodeBytes(golden(t, name))
		require.NoError(t, err)
		require.Len(t, f.Tensors, 1)
		require.Equal(t, []int{4, 6}, f.Tensors[0].Shape)
		requireNumbers(t, f.Tensors[0])
	}
}

func TestWhatTensorsDoNotHaveIsNamed(t *testing.T) {
	f, err := decodeBytes(golden(t, "odd.npz"))
	require.NoError(t, err)
	require.Len(t, f.Tensors, 1)
	said := fmt.Sprint(f.Skipped)
	for _, part := range []string{"text", `"<U2"`, "complex", `"<c8"`, "structure", "structured", "objects", `"|O"`} {
		require.Contains(t, said, part)
	}
	require.Len(t, f.Skipped, 4)
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	f, err := decodeBytes(golden(t, "stored.npz"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.npz")
	require.NoError(t, Write(path, f.Tensors))
	again, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, f, again)
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	var second bytes.Buffer
	require.NoError(t, Encode(&second, f.Tensors))
	require.Equal(t, first, second.Bytes(), "the same bytes each time")
	for want, x := range map[string]weights.Tensor{
		"leads out":      {Name: "../a", Shape: []int{1}, Data: []float32{1}},
		"absolute":       {Name: "/a", Shape: []int{1}, Data: []float32{1}},
		"backslash":      {Name: `a\b`, Shape: []int{1}, Data: []float32{1}},
		"no name":        {Shape: []int{1}, Data: []float32{1}},
		"no type":        {Name: "a", DType: "BF16", Shape: []int{1}, Data: []uint16{1}},
		"but 2 elements": {Name: "a", Shape: []int{1}, Data: []float32{1, 2}},
	} {
		err := Write(filepath.Join(t.TempDir(), "b.npz"), []weights.Tensor{x})
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Encode(io.Discard, []weights.Tensor{f.Tensors[0], f.Tensors[0]}), "twice")
}

func array(header, data string) []byte {
	return []byte("\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + data)
}

func TestInvalidArrays(t *testing.T) {
	head := func(descr, order, shape string) string {
		return fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":           {nil, "expected an array file"},
		"text":              {[]byte("hello, world"), "expected an array file"},
		"cut magic":         {[]byte("\x93NUMPY"), "first 8 bytes"},
		"version 4":         {[]byte("\x93NUMPY\x04\x00"), "format version 1, 2 or 3"},
		"no length":         {[]byte("\x93NUMPY\x01\x00\x01"), "the header's length"},
		"cut header":        {[]byte("\x93NUMPY\x01\x00\x10\x00{"), "expected the header"},
		"long header":       {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{"), "at most 65536"},
		"no dict":           {array("[]", ""), "a dict"},
		"no keys":           {array("{}", ""), "all of them"},
		"other key":         {array("{'a': 1}", ""), `not "a"`},
		"key twice":         {array("{'shape': (), 'shape': ()}", ""), "once"},
		"call":              {array("{'descr': __import__('os')}", ""), "text in quotes"},
		"more behind":       {array(head("'<f4'", "False", "(1,)")+"x", "1234"), "end of the header"},
		"negative":          {array(head("'<f4'", "False", "(-1,)"), ""), "whole number"},
		"overflow":          {array(head("'<f4'", "False", "(99999999999999999999,)"), ""), "whole number"},
		"product":           {array(head("'<f4'", "False", "(4294967296, 4294967296)"), ""), "more than 2⁶³"},
		"huge":              {array(head("'<f4'", "False", "(1000000000000,)"), "1234"), "1000000000000 elements"},
		"wraps":             {array(head("'<f4'", "False", "(4611686018427387904,)"), ""), "4611686018427387904 elements"},
		"short":             {array(head("'<f4'", "False", "(2,)"), "1234567"), "2 elements"},
		"long":              {array(head("'<f4'", "False", "(2,)"), "123456789"), "2 elements"},
		"number for tuple":  {array(head("'<f4'", "False", "(2)"), "12345678"), "tuple of one"},
		"order":             {array(head("'<f4'", "None", "(2,)"), "12345678"), "True or False"},
		"many axes":         {array(head("'<f4'", "False", "("+strings.Repeat("1,", 65)+")"), "1234"), "64 axes"},
		"objects":           {array(head("'|O'", "False", "(1,)"), "1234"), `type "|O"`},
		"no byte order":     {array(head("'|f4'", "False", "(1,)"), "1234"), "without a byte order"},
		"escaped":           {array(head(`'\x3cf4'`, "False", "(1,)"), "1234"), "without escapes"},
		"quote not closed":  {array("{'descr", ""), "closing quote"},
		"structured":        {array(head("[('a', '<f4')]", "False", "(1,)"), "1234"), "structured"},
		"comma":             {array("{'shape': (1 2)}", ""), "comma or the tuple's end"},
		"comma in the dict": {array("{'shape': (1,) 'descr'", ""), "comma or the dict's end"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeBytes(c.data)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// entry is a member of an archive that is made for a test.
type entry struct {
	name   string
	data   []byte
	method uint16
	change func(*zip.FileHeader)
}

func archive(t testing.TB, entries ...entry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: e.method}
		if e.change == nil {
			w, err := z.CreateHeader(h)
			require.NoError(t, err)
			_, err = w.Write(e.data)
			require.NoError(t, err)
			continue
		}
		h.CompressedSize64, h.UncompressedSize64 = uint64(len(e.data)), uint64(len(e.data))
		e.change(h)
		w, err := z.CreateRaw(h)
		require.NoError(t, err)
		_, err = w.Write(e.data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func deflated(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestHostileArchives(t *testing.T) {
	good := array("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "\x00\x00\x80?")
	const zeros = 200 << 20
	bomb := deflated(t, append(array(fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }", zeros), ""), make([]byte, zeros)...))
	// The directory says that both entries lie at the beginning.
	overlap := archive(t, entry{name: "a.npy", data: good}, entry{name: "b.npy", data: good})
	second := bytes.LastIndex(overlap, []byte("PK\x01\x02"))
	copy(overlap[second+42:], []byte{0, 0, 0, 0})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"bomb": {archive(t, entry{name: "a.npy", data: bomb, change: func(h *zip.FileHeader) {
			h.Method, h.UncompressedSize64 = zip.Deflate, zeros+1000
		}}), "more than the"},
		"declared far too large": {archive(t, entry{name: "a.npy", data: good, change: func(h *zip.FileHeader) {
			h.Method, h.UncompressedSize64 = zip.Deflate, 1<<50
		}}), "said to unpack from"},
		"stored in fewer":  {archive(t, entry{name: "a.npy", data: good, change: func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 30 }}), "is stored in"},
		"overlap":          {overlap, "overlap"},
		"traversal":        {archive(t, entry{name: "../../a.npy", data: good}), "leads out"},
		"traversal within": {archive(t, entry{name: "a/../../b.npy", data: good}), "leads out"},
		"absolute":         {archive(t, entry{name: "/etc/a.npy", data: good}), "absolute"},
		"drive":            {archive(t, entry{name: "c:a.npy", data: good}), "absolute"},
		"backslash":        {archive(t, entry{name: `..\a.npy`, data: good}), "backslash"},
		"twice":            {archive(t, entry{name: "a.npy", data: good}, entry{name: "a.npy", data: good}), "twice"},
		"method":           {archive(t, entry{name: "a.npy", data: good, change: func(h *zip.FileHeader) { h.Method = 12 }}), "method 12"},
		"encrypted":        {archive(t, entry{name: "a.npy", data: good, change: func(h *zip.FileHeader) { h.Flags |= 1 }}), "encrypted"},
		"checksum":         {archive(t, entry{name: "a.npy", data: good, change: func(h *zip.FileHeader) { h.CRC32 = 7 }}), "CRC-32"},
		"shorter than said": {archive(t, entry{name: "a.npy", data: deflated(t, good), change: func(h *zip.FileHeader) {
			h.Method, h.UncompressedSize64 = zip.Deflate, uint64(len(good))+8
		}}), "bytes"},
		"no directory": {[]byte("PK\x03\x04 and more"), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { _, err = decodeBytes(c.data) })
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, c.want)
			require.Less(t, got, uint64(2<<20))
			var z *zipfile.Error
			if name != "shorter than said" {
				require.ErrorAs(t, err, &z)
			}
		})
	}
}

func TestDamagedFiles(t *testing.T) {
	for _, name := range []string{"stored.npz", "deflated.npz", "matrix.npy"} {
		data := golden(t, name)
		for i := range 100 {
			_, err := decodeBytes(data[:len(data)*i/100])
			require.Error(t, err, "%s cut at %d %%", name, i)
		}
		changed := slices.Clone(data)
		for i := 0; i < len(data); i += 3 {
			changed[i] ^= 0x81
			got := allocated(func() { decodeBytes(changed) })
			require.Less(t, got, uint64(40<<20), "%s, byte %d", name, i)
			changed[i] = data[i]
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"stored.npz", "deflated.npz", "odd.npz", "matrix.npy", "version2.npy", "version3.npy"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decodeBytes(data)
		if err != nil {
			if err.Error() == "" || file != nil {
				t.Fatal("an error without words, or with a file")
			}
			return
		}
		for _, x := range file.Tensors {
			if n, ok := weights.Elements(x.Shape); !ok || n != len(plain(t, x)) {
				t.Fatalf("%s: shape %v", x.Name, x.Shape)
			}
		}
	})
}

func TestTypesOfNumPy(t *testing.T) {
	for descr, want := range map[string]npy.Type{"<f4": {DType: "F32", Size: 4}, ">i2": {DType: "I16", Size: 2, Swap: true}, "|b1": {DType: "BOOL", Size: 1}, "=f8": {DType: "F64", Size: 8},
		">u1": {DType: "U8", Size: 1}} {
		got, err := npy.ParseType(descr)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, descr := range []string{"", "<", "f3", "<M8[ns]", "V2", "|f4"} {
		_, err := npy.ParseType(descr)
		require.Error(t, err, descr)
	}
}
