package cpu_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
)

func written(t testing.TB, table *cpu.Tuning) string {
	var b bytes.Buffer
	require.NoError(t, table.WriteJSON(&b))
	return b.String()
}

// A table that was written and read makes the same choices, and is written the same again.
func TestTuningFile(t *testing.T) {
	plain := open(t, 2)
	p := tunedPlan(t, plain, tensor.Float32)
	table, _ := against(t, plain, p)
	text := written(t, table)
	path := filepath.Join(t.TempDir(), "table.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	read, err := cpu.LoadTuning(path)
	require.NoError(t, err)
	require.Equal(t, table.Len(), read.Len())
	require.Equal(t, "a CPU", read.CPU())
	require.Equal(t, plain.Level(), read.Level())
	require.Equal(t, text, written(t, read))
	a, b := openTuned(t, 2, table), openTuned(t, 2, read)
	require.Equal(t, kernelsOf(t, a, p), kernelsOf(t, b, p))
	require.Equal(t, a.Tuned(), b.Tuned())
	require.NotEmpty(t, b.Tuned())

	_, err = cpu.LoadTuning(path + ".not")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, cpu.ErrTuning)
	require.NoError(t, os.WriteFile(path, []byte(text[:len(text)/2]), 0o644))
	_, err = cpu.LoadTuning(path)
	require.ErrorIs(t, err, cpu.ErrTuning)
	require.ErrorContains(t, err, path+": it is damaged")
	require.Regexp(t, `^amd-epyc-9r45-(avx512|avx2|generic)\.json$`, cpu.TuningFileName("AMD EPYC/9R45  "))
	require.Regexp(t, `^\w+\.json$`, cpu.TuningFileName("../\x00"))
}

// A table of another level, and choices among other ways than there are, are not used.
func TestTuningOfOthers(t *testing.T) {
	plain := open(t, 2)
	p := tunedPlan(t, plain, tensor.Float32)
	table, _ := against(t, plain, p)
	text := written(t, table)
	for _, level := range []string{"generic", "avx2", "avx512"} {
		read, err := cpu.ReadTuning(strings.NewReader(strings.Replace(text, plain.Level(), level, 1)))
		require.NoError(t, err)
		if level != plain.Level() {
			_, err = cpu.New(cpu.Config{Tuning: read})
			require.ErrorIs(t, err, cpu.ErrTuning)
			require.ErrorContains(t, err, "measured for "+level+" kernels")
		}
	}
	read, err := cpu.ReadTuning(strings.NewReader(strings.ReplaceAll(text, "implicit gemm", "by magic")))
	require.NoError(t, err)
	e := openTuned(t, 2, read)
	require.Equal(t, kernelsOf(t, plain, p), kernelsOf(t, e, p))
	require.Empty(t, e.Tuned())
	require.Positive(t, e.Foreign())
	require.LessOrEqual(t, e.Choices()+e.Foreign(), table.Len())
}

// Damaged and hostile files are refused with a reason.
func TestTuningFileRefuses(t *testing.T) {
	plain := open(t, 2)
	table, _ := against(t, plain, tunedPlan(t, plain, tensor.Float32))
	text := written(t, table)
	change := func(key string, value any) string {
		var f map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &f))
		lines := f["convolutions"].([]any)
		line := lines[0].(map[string]any)
		if _, ok := f[key]; ok {
			f[key] = value
		} else {
			line[key] = value
		}
		out, err := json.Marshal(f)
		require.NoError(t, err)
		return string(out)
	}
	span := func(in, stride, before int) map[string]any {
		return map[string]any{"in": in, "out": 1, "kernel": 3, "stride": stride, "dilation": 1, "before": before, "after": 1}
	}
	for _, c := range []struct{ text, want string }{
		{"", "damaged"},
		{"[]", "damaged"},
		{"{}", "format 0"},
		{text + "{}", "damaged"},
		{strings.Repeat(" ", 9<<20) + text, "longer than 8 MiB"},
		{strings.Repeat("[", 1<<20), "damaged"},
		{change("format", 2), "format 2, this version reads 1"},
		{change("kernels", 1000), "measured with other kernels"},
		{change("level", "avx1024"), "no instruction set"},
		{change("level", 3), "damaged"},
		{change("convolutions", make([]struct{}, 20001)), "more than 20000"},
		{change("pass", "sideways"), "convolution 1 of"},
		{change("colour", "red"), "colour"},
		{change("format", "CHWN"), "damaged"}, // of the file
		{change("dtype", "float16"), "unknown type"},
		{change("precision", "tf32"), `precision "tf32"`},
		{change("images", 0), "size that no convolution has"},
		{change("images", 1<<31), "size that no convolution has"},
		{change("images", "many"), "damaged"},
		{change("groups", -1), "size that no convolution has"},
		{change("threads", 0), "size that no convolution has"},
		{change("rows", span(0, 1, 1)), "size that no convolution has"},
		{change("columns", span(9, 0, 1)), "size that no convolution has"},
		{change("columns", span(9, 1, -1)), "size that no convolution has"},
		{change("way", "by magic"), "none of its ways"},
		{change("times", []any{}), "none of its ways"},
		{change("times", []cpu.WayTime{{Way: "a\x1b[2J", Seconds: 1}}), "no name"},
		{change("times", []cpu.WayTime{{Way: strings.Repeat("a", 200), Seconds: 1}}), "no name"},
		{change("times", []cpu.WayTime{{Way: "a", Seconds: 0}}), "takes 0 seconds"},
		{change("times", []cpu.WayTime{{Way: "a", Seconds: 1}, {Way: "a", Seconds: 2}}), "twice"},
		{change("times", make([]cpu.WayTime, 0)), "none of its ways"},
		{strings.Replace(text, `"convolutions":[`, `"convolutions":[`+firstLine(t, text)+`,`, 1), "is there twice"},
	} {
		_, err := cpu.ReadTuning(strings.NewReader(c.text))
		require.ErrorIs(t, err, cpu.ErrTuning, "%.200s", c.text)
		require.ErrorContains(t, err, c.want, "%.200s", c.text)
		require.ErrorContains(t, err, "stheno tune")
		wrong, ok := errors.AsType[*cpu.TuningError](err)
		require.True(t, ok)
		require.NotContains(t, wrong.Reason, "stheno tune")
		require.Equal(t, strings.Contains(c.want, "format 2") || c.want == "measured with other kernels", wrong.Newer)
		require.Less(t, len(err.Error()), 400)
	}
}

func firstLine(t *testing.T, text string) string {
	var f struct{ Convolutions []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(text), &f))
	return string(f.Convolutions[0])
}

// Whatever is read as a table can be written and read again, and an engine can be made with it.
func FuzzReadTuning(f *testing.F) {
	e, err := cpu.New(cpu.Config{Threads: 2})
	require.NoError(f, err)
	table, _ := against(f, e, tunedPlan(f, e, tensor.Float32))
	require.NoError(f, e.Close())
	text := written(f, table)
	f.Add([]byte(text))
	f.Add([]byte(text[:len(text)/2]))
	f.Add([]byte(`{"format":1,"kernels":2,"level":"avx2","convolutions":[{"pass":"filter"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := cpu.ReadTuning(bytes.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, cpu.ErrTuning)
			return
		}
		again, err := cpu.ReadTuning(strings.NewReader(written(t, table)))
		require.NoError(t, err)
		require.Equal(t, written(t, table), written(t, again))
		e, err := cpu.New(cpu.Config{Threads: 1, Tuning: table})
		if err != nil {
			require.ErrorIs(t, err, cpu.ErrTuning)
			return
		}
		require.LessOrEqual(t, e.Choices(), table.Len())
		require.NoError(t, e.Close())
	})
}
