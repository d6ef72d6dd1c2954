package torch

import (
	"archive/zip"
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

// sound holds what was read to what a reader may return.
func sound(t *testing.T, file *File, err error) {
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
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.p*"))
	require.NoError(f, err)
	for _, path := range files {
		f.Add(golden(f, filepath.Base(path)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decodeBytes(data)
		sound(t, file, err)
	})
}

// FuzzArchive changes the pickle in an archive that is sound otherwise, which changes of the file itself hardly ever leave.
func FuzzArchive(f *testing.F) {
	for _, name := range []string{"zip.pt", "protocol5.pt", "tensor.pt", "list.pt", "attack.pt", "module.pt", "complex.pt", "sparse.pt", "expanded.pt"} {
		data := golden(f, name)
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		require.NoError(f, err)
		for _, entry := range z.File {
			if filepath.Base(entry.Name) == "data.pkl" {
				in, err := entry.Open()
				require.NoError(f, err)
				text, err := io.ReadAll(in)
				require.NoError(f, err)
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, entry := range []struct {
			name string
			data []byte
		}{{"a/data.pkl", data}, {"a/byteorder", []byte("little")}, {"a/data/0", make([]byte, 24)}, {"a/data/1", make([]byte, 96)}, {"a/data/2", make([]byte, 480)}} {
			w, err := z.CreateHeader(&zip.FileHeader{Name: entry.name, Method: zip.Store})
			require.NoError(t, err)
			_, err = w.Write(entry.data)
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		file, err := decodeBytes(b.Bytes())
		sound(t, file, err)
	})
}
