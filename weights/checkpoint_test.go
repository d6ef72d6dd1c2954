package weights

import (
	"encoding/json"
	"errors"
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

func sample(step int64) *Checkpoint {
	return &Checkpoint{
		Arch: "simplecnn", Step: step, Metric: 0.25,
		Run:   json.RawMessage(`{"lr":0.1,"text":"\"sha256\":\"` + noDigest + `\" <é>"}`),
		State: json.RawMessage(`{ "epoch": 3, "sha256": "` + noDigest + `" }`),
		Tensors: []Tensor{
			{Name: "model/conv/kernel", DType: "F32", Shape: []int{1, 2, 3}, Data: []float32{1, 2, float32(step), 4, 5, 6}},
			{Name: "model/conv/bias", DType: "F32", Shape: []int{1}, Data: []float32{-1}},
			{Name: "optimizer/velocity/conv/kernel", DType: "F32", Shape: []int{1, 2, 3}, Data: []float32{0, 0, 0, 0, 0, .5}},
			{Name: "optimizer/t", DType: "I64", Shape: []int{}, Data: []int64{step}},
		},
	}
}

func saved(t *testing.T, c *Checkpoint) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.safetensors")
	require.NoError(t, SaveCheckpoint(path, c))
	return path
}

func TestCheckpointRoundTrip(t *testing.T) {
	want := sample(7)
	path := saved(t, want)
	got, err := LoadCheckpoint(path)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// It is an ordinary safetensors file.
	f, err := ReadSafetensors(path)
	require.NoError(t, err)
	require.Equal(t, "stheno-checkpoint", f.Metadata["format"])
	require.Equal(t, "1", f.Metadata["version"])
	require.Len(t, f.Metadata["sha256"], 64)
	require.NotEqual(t, noDigest, f.Metadata["sha256"])

	// The same checkpoint is the same file.
	a, err := os.ReadFile(path)
	require.NoError(t, err)
	b, err := os.ReadFile(saved(t, want))
	require.NoError(t, err)
	require.Equal(t, a, b)

	require.Equal(t, []string{"conv/kernel", "conv/bias"}, names(got.Section("model/")))
	require.Equal(t, []string{"velocity/conv/kernel", "t"}, names(got.Section("optimizer/")))
	require.Equal(t, "model/conv/kernel", got.Tensors[0].Name)
}

func names(tensors []Tensor) (out []string) {
	for _, x := range tensors {
		out = append(out, x.Name)
	}
	return out
}

func TestCheckpointOfNothing(t *testing.T) {
	c, err := LoadCheckpoint(saved(t, &Checkpoint{Metric: math.NaN()}))
	require.NoError(t, err)
	require.True(t, math.IsNaN(c.Metric))
	require.Equal(t, "{}", string(c.Run))
	require.Equal(t, "{}", string(c.State))
	require.Empty(t, c.Tensors)
}

func TestSaveCheckpointRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	c := sample(1)
	c.Run = json.RawMessage(`{"a":`)
	require.ErrorContains(t, SaveCheckpoint(path, c), `"run" of the checkpoint is not valid JSON`)
	c = sample(-1)
	require.ErrorContains(t, SaveCheckpoint(path, c), "-1")
	c = sample(1)
	c.Tensors[1].Shape = []int{2}
	require.ErrorContains(t, SaveCheckpoint(path, c), "model/conv/bias")
	require.NoFileExists(t, path)
}

// Whichever byte of the file changes, and wherever it is cut, loading says so.
func TestEveryCorruptionIsNoticed(t *testing.T) {
	whole, err := os.ReadFile(saved(t, sample(3)))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "bad.safetensors")
	check := func(content []byte, what string, at int) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		c, err := LoadCheckpoint(path)
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt, "%s at byte %d", what, at)
		require.Nil(t, c)
		require.Equal(t, path, corrupt.Path)
		require.NotEmpty(t, corrupt.Reason)
		require.NotEmpty(t, corrupt.Remedy)
	}
	for i := range whole {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 1 << (i % 8)
		check(bad, "flipped bit", i)
		bad[i] = ' '
		if whole[i] != ' ' {
			check(bad, "space", i)
		}
		check(whole[:i], "cut", i)
	}
	check(append(append([]byte(nil), whole...), 0), "trailing zero", len(whole))
}

func TestLoadCheckpointExplains(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadCheckpoint(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorAs(t, err, new(*CorruptError))

	_, err = LoadCheckpoint(goldenPath)
	require.ErrorContains(t, err, `metadata "format" is "", not "stheno-checkpoint"`)

	path := filepath.Join(dir, "later")
	require.NoError(t, WriteSafetensors(path, &File{Metadata: map[string]string{"format": checkpointFormat, "version": "2"}}))
	_, err = LoadCheckpoint(path)
	require.EqualError(t, err, "weights: checkpoint "+path+` cannot be used: it has format version "2", this program reads version 1`+
		"\n    use the version of stheno that wrote it")

	path = filepath.Join(dir, "bare")
	require.NoError(t, WriteSafetensors(path, &File{Metadata: map[string]string{"format": checkpointFormat, "version": "1"}}))
	_, err = LoadCheckpoint(path)
	require.ErrorContains(t, err, `no "sha256" digest`)

	path = filepath.Join(dir, "cut")
	whole, err := os.ReadFile(saved(t, sample(3)))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-1], 0o644))
	_, err = LoadCheckpoint(path)
	require.ErrorContains(t, err, "the file is truncated")
	require.ErrorContains(t, err, "use an older checkpoint")
	require.ErrorAs(t, err, new(*FormatError))
}

// failAfter is a disk that is full after n bytes.
type failAfter struct {
	w io.Writer
	n int
}

func (f *failAfter) Write(p []byte) (int, error) {
	if len(p) <= f.n {
		f.n -= len(p)
		return f.w.Write(p)
	}
	n, err := f.w.Write(p[:f.n])
	f.n = 0
	return n, errors.Join(err, syscall.ENOSPC)
}

func TestFullDiskLeavesTheOldCheckpoint(t *testing.T) {
	path := saved(t, sample(1))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := 0; n < len(whole); n += 97 {
		err := saveCheckpoint(path, sample(2), func(w io.Writer) io.Writer { return &failAfter{w, n} })
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, path)
		c, err := LoadCheckpoint(path)
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Step)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "temporary files were left")
}

func TestAssign(t *testing.T) {
	place := func() []NamedTensor {
		return []NamedTensor{
			{"optimizer/t", []int{}, []int64{0}},
			{"optimizer/velocity/conv/kernel", []int{1, 2, 3}, make([]float32, 6)},
			{"model/conv/bias", []int{1}, []float64{0}}, // F32 widens to float64
			{"model/conv/kernel", []int{1, 2, 3}, make([]float32, 6)},
		}
	}
	dst := place()
	require.NoError(t, sample(9).Assign("simplecnn", dst))
	require.Equal(t, []int64{9}, dst[0].Data)
	require.Equal(t, []float64{-1}, dst[2].Data)
	require.Equal(t, []float32{1, 2, 9, 4, 5, 6}, dst[3].Data)

	for name, c := range map[string]struct {
		change   func(dst []NamedTensor) []NamedTensor
		arch     string
		messages []string
	}{
		"other architecture": {func(d []NamedTensor) []NamedTensor { return d }, "vgg16",
			[]string{`holds the architecture "simplecnn", the model is "vgg16"`}},
		"missing and unexpected": {func(d []NamedTensor) []NamedTensor { d[3].Name = "model/conv9/kernel"; return d }, "simplecnn",
			[]string{"belong to another architecture", "wants 4 tensors, the file holds 4", "1 missing from the file: model/conv9/kernel [1 2 3]", "1 not in the model: model/conv/kernel [1 2 3]"}},
		"shape": {func(d []NamedTensor) []NamedTensor { d[3].Shape = []int{3, 2, 1}; return d }, "simplecnn",
			[]string{"differ from the model's", "1 of another shape or type: model/conv/kernel wants F32 [3 2 1], the file has F32 [1 2 3]"}},
		"lossy type": {func(d []NamedTensor) []NamedTensor { d[0].Data = []int32{0}; return d }, "simplecnn",
			[]string{"optimizer/t wants I32 [], the file has I64 []"}},
		"float to int": {func(d []NamedTensor) []NamedTensor { d[2].Data = []int32{0}; return d }, "simplecnn",
			[]string{"model/conv/bias wants I32 [1], the file has F32 [1]"}},
		"fewer wanted": {func(d []NamedTensor) []NamedTensor { return d[1:] }, "simplecnn", []string{"1 not in the model: optimizer/t []"}},
	} {
		t.Run(name, func(t *testing.T) {
			dst := c.change(place())
			before := c.change(place())
			err := sample(9).Assign(c.arch, dst)
			require.ErrorAs(t, err, new(*MismatchError))
			for _, m := range append(c.messages, "nothing was changed") {
				require.ErrorContains(t, err, m)
			}
			require.Equal(t, before, dst)
		})
	}
}

func TestAssignMessageStaysShort(t *testing.T) {
	var src []Tensor
	for _, name := range strings.Split("a b c d e", " ") {
		src = append(src, Tensor{Name: name, Shape: []int{1}, Data: []float32{1}})
	}
	err := Assign(nil, src)
	require.ErrorContains(t, err, "5 not in the model: a [1], b [1], c [1], …")
	require.NotContains(t, err.Error(), "d [1]")
	require.NoError(t, Assign(nil, nil))
}

func TestAssignHalvesAndBadArguments(t *testing.T) {
	half := []Tensor{{Name: "a", DType: "F16", Shape: []int{1}, Data: []uint16{0x3c00}}}
	f32, f64, u16 := []float32{0}, []float64{0}, []uint16{0}
	require.NoError(t, Assign([]NamedTensor{{"a", []int{1}, f32}}, half))
	require.NoError(t, Assign([]NamedTensor{{"a", []int{1}, f64}}, half))
	require.Equal(t, []float32{1}, f32)
	require.Equal(t, []float64{1}, f64)
	require.Error(t, Assign([]NamedTensor{{"a", []int{1}, u16}}, half), "bits of a half are no uint16")

	one := Tensor{Name: "a", Shape: []int{1}, Data: []float64{1}}
	require.ErrorAs(t, Assign([]NamedTensor{{"a", []int{1}, f32}}, []Tensor{one}), new(*MismatchError), "float64 to float32 rounds")
	require.ErrorContains(t, Assign([]NamedTensor{{"a", []int{1}, f64}}, []Tensor{one, one}), "stored twice")
	require.ErrorContains(t, Assign([]NamedTensor{{"a", []int{1}, f64}, {"a", []int{1}, f64}}, []Tensor{one}), "two tensors")
	require.ErrorContains(t, Assign([]NamedTensor{{"a", []int{2}, f64}}, []Tensor{one}), "shape [2]")
	require.ErrorContains(t, Assign([]NamedTensor{{"a", []int{1}, nil}}, []Tensor{one}), "<nil>")
	one.DType = "F32"
	require.ErrorContains(t, Assign([]NamedTensor{{"a", []int{1}, f32}}, []Tensor{one}), "dtype F32 but holds []float64")
	require.Equal(t, []float32{1}, f32)
}
