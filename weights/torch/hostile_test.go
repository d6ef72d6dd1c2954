package torch

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// piece is a dict's entry that is a tensor of F32 over storage "0", as a pickle; shape and strides are numbers with spaces.
func piece(name string, elements, offset int64, shape, strides string) string {
	tuple := func(numbers string) string {
		s := "("
		for _, n := range strings.Fields(numbers) {
			s += "I" + n + "\n"
		}
		return s + "t"
	}
	return "V" + name + "\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\n" + fmt.Sprintf("I%d\ntQI%d\n", elements, offset) +
		tuple(shape) + tuple(strides) + "I00\nccollections\nOrderedDict\n)RtRs"
}

// archive is a file of torch.save with a pickle and one storage.
func archive(t *testing.T, pickle string, storage []byte, more ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	entries := map[string][]byte{"a/data.pkl": []byte(pickle), "a/data/0": storage}
	for _, name := range append([]string{"a/data.pkl", "a/data/0"}, more...) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write(entries[name])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// Files that are sound as archives and pickles, and ask for what is not there or for more than there is.
func TestHostileFiles(t *testing.T) {
	storage := make([]byte, 4*1000)
	f, err := decodeBytes(archive(t, "}"+piece("a", 1000, 10, "3 2", "2 1")+piece("b", 1000, 0, "2 3", "1 2")+".", storage))
	require.NoError(t, err)
	require.Len(t, f.Tensors, 2)
	big := make([]byte, 4<<20)
	var views strings.Builder
	for i := range 1000 {
		views.WriteString(piece(fmt.Sprint(i), 1<<20, 0, "1024 1024", "1 1024"))
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"beyond the storage":   {archive(t, "}"+piece("a", 1000, 990, "11", "1")+".", storage), "reaches to element 1000"},
		"offset":               {archive(t, "}"+piece("a", 1000, 1<<62, "1", "1")+".", storage), "that are stored"},
		"strides":              {archive(t, "}"+piece("a", 1000, 0, "3 3", "9223372036854775807 1")+".", storage), "cannot be a view"},
		"negative stride":      {archive(t, "}"+piece("a", 1000, 5, "3", "-1")+".", storage), "arguments that fit"},
		"negative size":        {archive(t, "}"+piece("a", 1000, 5, "-3", "1")+".", storage), "arguments that fit"},
		"more than stored":     {archive(t, "}"+piece("a", 1000, 0, "1000000000 1000000000", "0 0")+".", storage), "more elements than the 1000"},
		"overflow":             {archive(t, "}"+piece("a", 1000, 0, "4294967296 4294967296", "0 0")+".", storage), "more elements than the 1000"},
		"axes":                 {archive(t, "}"+piece("a", 1000, 0, strings.Repeat("1 ", 65), strings.Repeat("1 ", 65))+".", storage), "arguments that fit"},
		"storage too large":    {archive(t, "}"+piece("a", 1<<50, 0, "1", "1")+".", storage), "in a file of"},
		"storage of two sizes": {archive(t, "}"+piece("a", 1000, 0, "1", "1")+piece("b", 999, 0, "1", "1")+".", storage), "before"},
		"size in the archive":  {archive(t, "}"+piece("a", 999, 0, "1", "1")+".", storage), "its storage wants 3996"},
		"no storage":           {archive(t, "}"+strings.ReplaceAll(piece("a", 1000, 0, "1", "1"), "V0\n", "V../0\n")+".", storage), `no entry "a/data/../0"`},
		"same name":            {archive(t, "(I1\n}"+piece("a", 1000, 0, "1", "1")+"V1\n}"+piece("a", 1000, 0, "1", "1")+"d.", storage), "two tensors called"},
		"two pickles":          {archive(t, "}.", storage, "b/data.pkl"), "two pickles"},
		"behind the pickle":    {archive(t, "}.more", storage), "4 bytes follow"},
		"again and again":      {archive(t, "}"+views.String()+".", big), "again and again"},
		"list in itself":       {[]byte("\x80\x02]q\x00h\x00a."), "nested more than"},
		"laughs":               {[]byte("\x80\x02]q\x00" + strings.Repeat("h\x00\x86q\x00", 50) + "."), "reached on several ways"},
		"deep":                 {[]byte("\x80\x02" + strings.Repeat("]", 1000) + strings.Repeat("a", 999) + "."), "nested more than"},
		"device":               {archive(t, "ctorch\ndevice\n(Vcpu\ntR.", storage), "no tensor"},
		"nested file":          {archive(t, "ctorch.storage\n_load_from_bytes\n(tR.", storage), "_load_from_bytes"},
		"type by hand":         {archive(t, "ctorch._tensor\n_rebuild_from_type_v2\n(c_codecs\nencode\nN(Vx\nVlatin1\ntNtR.", storage), "made of the text"},
		"unknown storage":      {archive(t, strings.ReplaceAll("}"+piece("a", 1000, 0, "1", "1")+".", "FloatStorage", "QInt8Storage"), storage), "torch.QInt8Storage"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { _, err = decodeBytes(c.data) })
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, c.want)
			require.Less(t, got, uint64(160<<20))
		})
	}
}

// Tensors in places that have no name of their own are not lost.
func TestTensorsInOddPlaces(t *testing.T) {
	storage := make([]byte, 4*1000)
	one := piece("a", 1000, 0, "3", "1")
	value := strings.TrimSuffix(strings.TrimPrefix(one, "Va\n"), "s")
	for name, c := range map[string]struct{ pickle, want string }{
		"a tuple as key": {"}(I1\nI2\nt" + value + "s.", "key 0 (a tuple of 2)"},
		"a set":          {"}Vx\nc__builtin__\nset\n((" + value + "ltRs.", "x.0"},
		"a namespace":    {"}Vargs\ncargparse\nNamespace\n)R}" + one + "bs.", "args.a"},
	} {
		f, err := decodeBytes(archive(t, c.pickle, storage))
		require.NoError(t, err, name)
		require.Len(t, f.Tensors, 1, name)
		require.Equal(t, c.want, f.Tensors[0].Name, name)
	}
}
