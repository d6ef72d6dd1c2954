package torch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	require.NoError(t, err)
	return data
}

func decodeBytes(data []byte) (*File, error) { return Decode(bytes.NewReader(data), int64(len(data))) }

// described is a tensor as scripts/golden/make_torch.py writes it down.
type described struct {
	Name, DType string
	Shape       []int
	Data        []float64
}

// plain is a tensor's elements as numbers; of halves and smaller floats, their bits.
func plain(t *testing.T, x weights.Tensor) []float64 {
	switch d := x.Data.(type) {
	case []uint8:
		return floats(d)
	case []int8:
		return floats(d)
	case []uint16:
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

// The files of PyTorch 2, in both forms and several protocols: names, types, shapes and every number.
func TestFilesOfPyTorch(t *testing.T) {
	var want map[string][]described
	require.NoError(t, json.Unmarshal(golden(t, "expected.json"), &want))
	require.Len(t, want, 6)
	for name, tensors := range want {
		t.Run(name, func(t *testing.T) {
			f, err := Read(filepath.Join("testdata", "golden", name))
			require.NoError(t, err)
			require.Len(t, f.Tensors, len(tensors))
			for i, x := range f.Tensors {
				w := tensors[i]
				require.Equal(t, w, described{x.Name, x.DType, x.Shape, plain(t, x)})
			}
			if strings.HasPrefix(name, "zip") {
				require.Equal(t, map[string]any{"epoch": int64(3), "best_acc": 91.5, "arch": "net"}, f.Values)
				require.Equal(t, "conv1.weight", Strip(f.Tensors, "state_dict.module.")[0].Name)
				require.Empty(t, Strip(f.Tensors, "model."))
			}
		})
	}
}

// Pickles of NumPy's arrays, as older collections of weights are.
func TestArraysOfNumPy(t *testing.T) {
	for _, name := range []string{"arrays2.pkl", "arrays4.pkl", "arrays5.pkl"} {
		f, err := decodeBytes(golden(t, name))
		require.NoError(t, err, name)
		require.Equal(t, []weights.Tensor{
			{Name: "w", DType: "F32", Shape: []int{2, 3}, Data: []float32{0, 1, 2, 3, 4, 5}},
			{Name: "f", DType: "F64", Shape: []int{2, 3}, Data: []float64{0, 1, 2, 3, 4, 5}},
			{Name: "big", DType: "I32", Shape: []int{3}, Data: []int32{0, 1, 2}},
		}, f.Tensors)
		require.Equal(t, map[string]any{"number": 1.5}, f.Values)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ global, message string }{
		"attack.pt":        {"posix.system", "nothing was run"},
		"module.pt":        {"torch.nn.modules.linear.Linear", "torch.save(model.state_dict()"},
		"legacy_module.pt": {"torch.nn.modules.linear.Linear", "torch.save(model.state_dict()"},
		"complex.pt":       {"torch.ComplexFloatStorage", "not on the list"},
		"sparse.pt":        {"torch._utils._rebuild_sparse_tensor", "not on the list"},
		"tensors.pkl":      {"torch.storage._load_from_bytes", "saved by pickle, not by torch.save"},
		"expanded.pt":      {"", `tensor "a" of shape [100] has more elements than the 1 of its storage`},
		"script.pt":        {"", "TorchScript"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(filepath.Join("testdata", "golden", name))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, c.message)
			require.ErrorContains(t, err, name)
			var g *GlobalError
			if c.global != "" {
				require.ErrorAs(t, err, &g)
				require.Equal(t, c.global, g.Name)
			}
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	_, err = decodeBytes(tar)
	require.ErrorContains(t, err, "before 0.1.10")
	_, err = decodeBytes(nil)
	require.ErrorContains(t, err, "is empty")
	_, err = decodeBytes([]byte("\x80\x02}."))
	require.ErrorContains(t, err, "no tensor")
	require.True(t, Is(golden(t, "zip.pt")) && Is(golden(t, "legacy.pt")))
	require.False(t, Is([]byte("hello")))
}

// A file of a big-endian machine, in both forms.
func TestByteOrder(t *testing.T) {
	data := golden(t, "legacy.pt")
	i := bytes.Index(data, []byte("little_endian"))
	require.Positive(t, i)
	j := bytes.IndexByte(data[i:], 0x88) // NEWTRUE
	data[i+j] = 0x89
	_, err := decodeBytes(data)
	require.ErrorContains(t, err, "big-endian")
	data = golden(t, "zip.pt")
	i = bytes.Index(data, []byte("byteorder"))
	j = bytes.Index(data[i:], []byte("little"))
	copy(data[i+j:], "big   ")
	_, err = decodeBytes(data)
	require.ErrorContains(t, err, "byteorder")
	require.ErrorContains(t, err, "CRC-32")
}

// allocated is how much memory f takes in all, whether it is freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Cut at every hundredth and with every byte changed, files are errors or other tensors; nothing panics, and memory stays
// bounded.
func TestDamagedFiles(t *testing.T) {
	for _, name := range []string{"zip.pt", "legacy.pt", "protocol5.pt", "legacy4.pt", "arrays2.pkl"} {
		data := golden(t, name)
		for i := range 100 {
			_, err := decodeBytes(data[:len(data)*i/100])
			require.Error(t, err, "%s cut at %d %%", name, i)
			require.NotEmpty(t, err.Error())
		}
		changed := bytes.Clone(data)
		step := 3
		if testing.Short() {
			step = 29
		}
		for i := 0; i < len(data); i += step {
			for _, b := range []byte{0xff, data[i] ^ 0x81} {
				changed[i] = b
				got := allocated(func() { decodeBytes(changed) })
				require.Less(t, got, uint64(40<<20), "%s, byte %d", name, i)
			}
			changed[i] = data[i]
		}
	}
	// What the storages of the archive hold is under a checksum.
	data := golden(t, "protocol5.pt")
	i := bytes.Index(data, []byte{0, 0, 0xf0, 0xc1}) // -30
	require.Positive(t, i)
	data[i] ^= 1
	_, err := decodeBytes(data)
	require.ErrorContains(t, err, "checksum")
	require.ErrorContains(t, err, `tensor "a"`)
}
