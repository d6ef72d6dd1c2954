package hdf5

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

// open opens a file that scripts/golden/make_hdf5.py wrote.
func open(t *testing.T, name string) *Object {
	t.Helper()
	f, err := Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	root, err := f.Root()
	require.NoError(t, err)
	return root
}

// read reads the dataset at a path.
func read(t *testing.T, root *Object, path string) Array {
	t.Helper()
	o, err := root.Member(path)
	require.NoError(t, err, path)
	require.NotNil(t, o, path)
	require.True(t, o.IsDataset(), path)
	d, err := o.Dataset()
	require.NoError(t, err, path)
	a, err := d.Read()
	require.NoError(t, err, path)
	require.Equal(t, d.DType(), a.DType, path)
	require.Equal(t, d.Shape(), a.Shape, path)
	return a
}

// floats turns numbers into float64.
func numbers(t *testing.T, a Array) []float64 {
	t.Helper()
	if a.DType == "F16" || a.DType == "BF16" {
		x := weights.Tensor{DType: a.DType, Data: a.Data}
		f, err := x.Float32s()
		require.NoError(t, err)
		a.Data = f
	}
	v := reflect.ValueOf(a.Data)
	out := make([]float64, v.Len())
	for i := range out {
		out[i] = v.Index(i).Convert(reflect.TypeFor[float64]()).Float()
	}
	return out
}

// value is what the script writes as element i.
func value(dtype string, i int) float64 {
	v := float64(i * 7 % 101)
	if dtype[0] != 'U' {
		v -= 50
	}
	return v
}

func wantValues(t *testing.T, a Array, path, dtype string, shape ...int) {
	t.Helper()
	require.Equal(t, dtype, a.DType, path)
	require.Equal(t, shape, a.Shape, path)
	for i, v := range numbers(t, a) {
		require.Equal(t, value(dtype, i), v, "%s, element %d", path, i)
	}
}

func TestTypes(t *testing.T) {
	for _, file := range []string{"types_old.h5", "types_new.h5", "types_block.h5", "types_ordered.h5"} {
		t.Run(file, func(t *testing.T) {
			root := open(t, file)
			for name, dtype := range map[string]string{"<f2": "F16", "<f4": "F32", "<f8": "F64", ">f4": "F32", ">f8": "F64", "<i1": "I8",
				"<i2": "I16", "<i4": "I32", "<i8": "I64", ">i4": "I32", "<u1": "U8", "<u2": "U16", "<u4": "U32", "<u8": "U64"} {
				wantValues(t, read(t, root, "types/"+name), name, dtype, 3, 5)
			}
			for path, want := range map[string]Array{
				"types/bool":     {"BOOL", []int{3}, []uint8{1, 0, 1}},
				"types/enum":     {"I16", []int{4}, []int16{-50, -43, -36, -29}},
				"types/opaque":   {Opaque, []int{2}, []byte{0x80, 0x3f, 0, 0x40}},
				"types/bfloat16": {"BF16", []int{2}, []uint16{0x3f80, 0x4000}},
				"types/fixed":    {String, []int{3}, []string{"one", "", "three"}},
				"types/variable": {String, []int{3}, []string{"one", "", "drei ü"}},
				"types/scalar":   {"F32", []int{}, []float32{-50}},
				"types/empty":    {"F32", []int{0, 3}, []float32{}},
				"types/null":     {"F32", []int{0}, []float32{}},
			} {
				require.Equal(t, want, read(t, root, path), path)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	for _, file := range []string{"types_old.h5", "types_new.h5", "types_block.h5", "types_ordered.h5"} {
		t.Run(file, func(t *testing.T) {
			root := open(t, file)
			all, err := root.Attributes()
			require.NoError(t, err)
			require.Len(t, all, 8)
			for name, want := range map[string]Array{
				"text":     {String, []int{}, []string{"värs"}},
				"bytes":    {String, []int{}, []string{"fixed"}},
				"names":    {String, []int{3}, []string{"one", "two", "three"}},
				"variable": {String, []int{3}, []string{"one", "two", ""}},
				"none":     {"F64", []int{0}, []float64{}},
				"number":   {"I64", []int{}, []int64{7}},
				"matrix":   {"F32", []int{2, 3}, []float32{-50, -43, -36, -29, -22, -15}},
				"null":     {"F32", []int{0}, []float32{}},
			} {
				a, err := root.Attribute(name)
				require.NoError(t, err)
				require.NotNil(t, a, name)
				v, err := a.Value()
				require.NoError(t, err)
				require.Equal(t, want, v, name)
			}
			a, err := root.Attribute("nothing")
			require.NoError(t, err)
			require.Nil(t, a)
			for name, want := range map[string]string{"text": "värs", "bytes": "fixed", "names": "", "number": ""} {
				a, err := root.Attribute(name)
				require.NoError(t, err)
				text, ok, err := a.Text()
				require.NoError(t, err)
				require.Equal(t, want, text)
				require.Equal(t, want != "", ok)
			}
		})
	}
}

func TestStores(t *testing.T) {
	for _, file := range []string{"stores_old.h5", "stores_new.h5"} {
		t.Run(file, func(t *testing.T) {
			root := open(t, file)
			for _, c := range []struct {
				name, dtype string
				shape       []int
			}{
				{"compact", "F32", []int{2, 3}},
				{"chunked", "F32", []int{5, 7, 3}},
				{"single", "F32", []int{5, 7}},
				{"single_gzip", "F32", []int{5, 7}},
				{"gzip", "F32", []int{11, 13}},
				{"shuffle", "F64", []int{11, 13}},
				{"fletcher", "I16", []int{11, 13}},
				{"all", "I32", []int{11, 13}},
				{"implicit", "F32", []int{5, 7}},
				{"many", "I8", []int{1300}},
			} {
				path := "stores/" + c.name
				wantValues(t, read(t, root, path), path, c.dtype, c.shape...)
				read(t, root, path) // a second time: bounds count a dataset once
			}
			for _, v := range numbers(t, read(t, root, "stores/unwritten")) {
				require.Equal(t, 2.5, v)
			}
			for _, v := range numbers(t, read(t, root, "stores/unwritten_chunks")) {
				require.Equal(t, 2.5, v)
			}
			for i, v := range numbers(t, read(t, root, "stores/part")) {
				want := -1.0
				if i >= 12 {
					want = value("F32", i-12)
				}
				require.Equal(t, want, v)
			}
			for i, v := range numbers(t, read(t, root, "stores/pages")) {
				want := 0.0
				if file == "stores_new.h5" && (i == 2048 || i == 2049) {
					want = value("I8", i-2048)
				}
				require.Equal(t, want, v)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	for _, file := range []string{"groups_old.h5", "groups_ordered.h5", "groups_new.h5"} {
		t.Run(file, func(t *testing.T) {
			root := open(t, file)
			for name, n := range map[string]int{"g0": 0, "g8": 8, "g9": 9, "g60": 60, "many": 300} {
				g, err := root.Member(name)
				require.NoError(t, err)
				if name == "g60" && file != "groups_new.h5" {
					require.Nil(t, g)
					continue
				}
				require.True(t, g.IsGroup())
				links, err := g.Links()
				require.NoError(t, err)
				require.Len(t, links, n)
				for i := range n {
					member := fmt.Sprintf("member%d", i)
					if name == "many" {
						member = fmt.Sprintf("%03d", i)
					}
					o, err := g.Member(member)
					require.NoError(t, err)
					require.NotNil(t, o, member)
				}
			}
			g, err := root.Member("g9")
			require.NoError(t, err)
			all, err := g.Attributes()
			require.NoError(t, err)
			require.Len(t, all, 120)
			for i := range 120 {
				a, err := g.Attribute(fmt.Sprintf("a%d", i))
				require.NoError(t, err)
				v, err := a.Value()
				require.NoError(t, err)
				require.Equal(t, []float32{float32(i)}, v.Data)
			}
		})
	}
	root := open(t, "long_new.h5")
	g, err := root.Member("g")
	require.NoError(t, err)
	links, err := g.Links()
	require.NoError(t, err)
	require.Len(t, links, 130)
}

func TestRefused(t *testing.T) {
	for _, file := range []string{"odd_old.h5", "odd_new.h5"} {
		t.Run(file, func(t *testing.T) {
			root := open(t, file)
			for path, found := range map[string]string{
				"refused/compound": "compound", "refused/lists": "lists of variable length", "refused/lzf": "lzf",
				"refused/of_committed": "committed", "refused/external": "other files",
				"links/soft": "/types", "links/elsewhere": "other.h5",
			} {
				o, err := root.Member(path)
				if err == nil {
					_, err = o.Dataset()
				}
				var format *weights.FormatError
				require.ErrorAs(t, err, &format, path)
				require.Contains(t, format.Error(), found)
				require.Contains(t, format.Error(), file)
			}
			o, err := root.Member("refused/huge")
			require.NoError(t, err)
			huge, err := o.Dataset()
			require.NoError(t, err)
			_, err = huge.Read()
			require.ErrorContains(t, err, "unpack to at most")

			o, err = root.Member("refused/grows")
			require.NoError(t, err)
			d, err := o.Dataset()
			if file == "odd_new.h5" {
				require.ErrorContains(t, err, "extensible array")
			} else {
				require.NoError(t, err)
				a, err := d.Read()
				require.NoError(t, err)
				wantValues(t, a, "grows", "F32", 4)
			}
			up, err := root.Member("links/up/links/up")
			require.NoError(t, err)
			require.Same(t, root, up)
			x, err := root.Member("x")
			require.NoError(t, err)
			hard, err := root.Member("links/hard")
			require.NoError(t, err)
			require.Same(t, x, hard)
			none, err := root.Member("x/below")
			require.NoError(t, err)
			require.Nil(t, none)
		})
	}
}

func TestChecksums(t *testing.T) {
	// Published values: Jenkins's own test of hashlittle, and Fletcher's of "abcdef" with the words swapped as HDF5 has them.
	require.Equal(t, uint32(0x17770551), lookup3([]byte("Four score and seven years ago")))
	require.Equal(t, uint32(0xdeadbeef), lookup3(nil))
	require.Equal(t, uint32(0), fletcher32(nil))
	long := make([]byte, 4001)
	for i := range long {
		long[i] = 0xff
	}
	require.NotPanics(t, func() { fletcher32(long) })
	require.Less(t, float64(fletcher32(long)), math.Pow(2, 32))
}
