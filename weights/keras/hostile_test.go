package keras_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/keras"
)

// attempt reads a file and makes its model; it returns the first mistake, whose type must be one of those promised.
func attempt(t *testing.T, what string, data []byte) error {
	t.Helper()
	f, err := keras.Decode(bytes.NewReader(data), int64(len(data)), "file")
	if err == nil {
		f.Tensors()
		if f.Config != nil {
			_, err = f.Model()
		}
	}
	if err == nil {
		return nil
	}
	var own *keras.Error
	var format *weights.FormatError
	require.True(t, errors.As(err, &own) || errors.As(err, &format), "%s: %T: %v", what, err, err)
	require.Contains(t, err.Error(), "file", what)
	return err
}

var samples = []string{"chain.keras", "chain.h5", "chain.weights.h5", "graph.keras", "nested.keras", "nested_keras2.h5", "bfloat16.keras", "graph_keras2.legacy_weights.h5"}

func TestTruncatedFiles(t *testing.T) {
	for _, name := range samples {
		data := load(t, name)
		require.NoError(t, attempt(t, name, data))
		for percent := range 100 {
			n := len(data) * percent / 100
			require.Error(t, attempt(t, fmt.Sprintf("%s cut to %d bytes", name, n), data[:n]))
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, name := range samples {
		data := load(t, name)
		bad := bytes.Clone(data)
		for range rounds {
			at := rng.IntN(len(data))
			bad[at] ^= byte(1 + rng.IntN(255))
			_ = attempt(t, fmt.Sprintf("%s with byte %d = %#x", name, at, bad[at]), bad)
			bad[at] = data[at]
		}
	}
}

// archive makes a .keras file of entries.
func archive(t *testing.T, entries ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i].(string), Method: zip.Deflate})
		require.NoError(t, err)
		switch content := entries[i+1].(type) {
		case string:
			_, err = w.Write([]byte(content))
		case []byte:
			_, err = w.Write(content)
		}
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

const emptyModel = `{"class_name":"Sequential","config":{"name":"m","layers":[]}}`

func TestHostileArchives(t *testing.T) {
	f := open(t, "chain.keras")
	h5 := load(t, "chain.weights.h5")
	require.NoError(t, attempt(t, "packed", archive(t, "config.json", []byte(f.Config), "model.weights.h5", h5)))
	zeros := make([]byte, 300<<20)
	for what, c := range map[string]struct {
		data []byte
		want string
	}{
		"no config":        {archive(t, "metadata.json", "{}"), "without config.json"},
		"no weights":       {archive(t, "config.json", emptyModel), "without model.weights.h5"},
		"NumPy's weights":  {archive(t, "config.json", emptyModel, "model.weights.npz", "x"), "model.weights.npz"},
		"no JSON":          {archive(t, "config.json", "{", "model.weights.h5", h5), "config.json is not valid"},
		"metadata no JSON": {archive(t, "config.json", emptyModel, "metadata.json", "[", "model.weights.h5", h5), "metadata.json is not valid"},
		"no HDF5":          {archive(t, "config.json", emptyModel, "model.weights.h5", "text"), "HDF5"},
		"path traversal":   {archive(t, "config.json", emptyModel, "../model.weights.h5", h5), "leads out of the archive"},
		"absolute path":    {archive(t, "/etc/config.json", emptyModel), "absolute path"},
		"twice":            {archive(t, "config.json", emptyModel, "config.json", emptyModel), "twice"},
		"a bomb":           {archive(t, "config.json", emptyModel, "model.weights.h5", zeros), "would unpack"},
		"a large config":   {archive(t, "config.json", zeros[:257<<20]), "unpack"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := attempt(t, what, c.data)
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, c.want, what)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), what)
	}
}

// A byte of a stored weight is flipped: HDF5 has no checksum there, but the archive does.
func TestDamagedWeight(t *testing.T) {
	data := load(t, "chain.keras")
	f := open(t, "chain.keras")
	raw := fmt.Sprintf("%08x", crc32.ChecksumIEEE(data))
	var first bytes.Buffer
	require.NoError(t, f.Layers[0].Tensors[0].WriteData(&first))
	at := bytes.Index(data, first.Bytes()[:8])
	require.Positive(t, at, raw)
	data[at] ^= 1
	require.ErrorContains(t, attempt(t, "flipped", data), "checksum")
}

// A configuration that asks for more than the file has must not be given memory for it.
func TestHugeModel(t *testing.T) {
	config := string(open(t, "chain.keras").Config)
	huge := strings.Replace(config, `"units": 8`, `"units": 100000000`, 1)
	require.NotEqual(t, config, huge)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := attempt(t, "huge", archive(t, "config.json", huge, "model.weights.h5", load(t, "chain.weights.h5")))
	runtime.ReadMemStats(&after)
	var mismatch *weights.MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}

func TestForeignFiles(t *testing.T) {
	_, err := keras.Open(filepath.Join("testdata", "nothing"))
	require.ErrorContains(t, err, "nothing")
	_, err = keras.Open("testdata")
	require.ErrorContains(t, err, "regular file")
	require.ErrorContains(t, attempt(t, "text", []byte("file of text")), "HDF5")
	require.Error(t, attempt(t, "empty", nil))
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"nested.keras", "nested_keras2.h5", "bfloat16.keras", "nested.weights.h5"} {
		f.Add(load(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) { _ = attempt(t, "fuzz", data) })
}

func FuzzModel(f *testing.F) {
	for _, name := range []string{"chain.keras", "graph.keras", "nested.keras", "several.keras", "named.keras", "graph_keras2.h5", "nested_keras2.h5", "several_keras2.h5", "named_keras2.h5"} {
		f.Add([]byte(open(f, name).Config))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		_, err := keras.Model(config)
		if err == nil {
			require.True(t, json.Valid(config))
			return
		}
		var own *keras.Error
		require.ErrorAs(t, err, &own)
	})
}

// Datasets where Keras has none are not left out without a word.
func TestWeightsOutsideOfVars(t *testing.T) {
	data := load(t, "chain.weights.h5")
	data = bytes.ReplaceAll(data, []byte("vars\x00"), []byte("rest\x00"))
	require.ErrorContains(t, attempt(t, "a group called rest", data), "outside of the groups called vars")
}
