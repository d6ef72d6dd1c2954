package cpu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// tunedNet is a 3×3 convolution and its gradients.
func tunedNet(b *enginetest.B) {
	same := op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}
	x, w := b.Input("x", 2, 10, 10, 32), b.Input("w", 3, 3, 32, 48)
	y := b.Apply(&op.Conv2D{ConvAttrs: same}, x, w)
	b.Want("y", numtest.Reduction, y)
	b.Want("dx", numtest.Reduction, b.Apply(&op.Conv2DBackwardInput{ConvAttrs: same, InputShape: tensor.Shape{2, 10, 10, 32}}, y, w))
	b.Want("dw", numtest.Reduction, b.Apply(&op.Conv2DBackwardFilter{ConvAttrs: same, FilterShape: tensor.Shape{3, 3, 32, 48}}, x, y))
}

func tunedPlan(t testing.TB, e graph.Engine, dt tensor.Dtype) *graph.Plan {
	b := enginetest.NewB(t, dt)
	tunedNet(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	return p
}

func openTuned(t *testing.T, threads int, table *cpu.Tuning) *cpu.Engine {
	e, err := cpu.New(cpu.Config{Threads: threads, Tuning: table})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// against is a table that says the model is wrong everywhere: the way that it likes least is the fastest.
func against(t testing.TB, e *cpu.Engine, p *graph.Plan) (table *cpu.Tuning, other int) {
	table = cpu.NewTuning("a CPU")
	list, _, err := e.Convolutions(p)
	require.NoError(t, err)
	for _, c := range list {
		m := cpu.Measurement{Convolution: c}
		for _, way := range c.Ways() {
			m.Times = append(m.Times, cpu.WayTime{Way: way, Seconds: 1})
		}
		for i := range m.Times {
			if m.Times[i].Way != c.Model() {
				m.Times[i].Seconds = 0.5
				other++
				break
			}
		}
		table.Add(m)
	}
	return table, other
}

func kernelsOf(t *testing.T, e *cpu.Engine, p *graph.Plan) []string {
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	return prog.(graph.KernelTeller).Kernels()
}

// An engine computes as its table says, within the tolerance, and only with the threads and the type of elements of the table.
func TestTuningIsFollowed(t *testing.T) {
	plain := open(t, 2)
	p := tunedPlan(t, plain, tensor.Float32)
	table, other := against(t, plain, p)
	require.NotZero(t, other, "there is a convolution with a choice")
	tuned := openTuned(t, 2, table)
	require.Equal(t, table.Len(), tuned.Choices())
	require.Contains(t, tuned.String(), ", tuned for ")
	require.Empty(t, tuned.Tuned(), "nothing was built")

	was, is := kernelsOf(t, plain, p), kernelsOf(t, tuned, tunedPlan(t, tuned, tensor.Float32))
	changed := 0
	for i := range was {
		if was[i] != is[i] {
			changed++
		}
	}
	require.Equal(t, other, changed, "%v, tuned %v", was, is)
	digest := tuned.Tuned()
	require.Len(t, digest, 16)
	again := openTuned(t, 2, table)
	require.Equal(t, is, kernelsOf(t, again, p))
	require.Equal(t, digest, again.Tuned())

	// With other threads, or in float64, the table has nothing to say.
	for _, e := range []*cpu.Engine{plain, openTuned(t, 1, table)} {
		require.Zero(t, e.Choices())
		require.Equal(t, was, kernelsOf(t, e, p))
		require.Empty(t, e.Tuned())
		require.NotContains(t, e.String(), "tuned")
	}
	double := tunedPlan(t, plain, tensor.Float64)
	require.Equal(t, kernelsOf(t, plain, double), kernelsOf(t, tuned, double))
	require.Equal(t, digest, tuned.Tuned())
}

// Whatever the choice, results and gradients are within the tolerance, and the same every time.
func TestTunedResults(t *testing.T) {
	plain := open(t, 2)
	c := enginetest.Case{Name: "tuned convolution", Build: tunedNet}
	table, _ := against(t, plain, tunedPlan(t, plain, tensor.Float32))
	e := openTuned(t, 2, table)
	c.RequireClose(t, e, tensor.Float32)
	require.NotEmpty(t, e.Tuned())
}

// What the model chose needs no table: the digest is of other choices.
func TestTuningThatAgrees(t *testing.T) {
	plain := open(t, 1)
	p := tunedPlan(t, plain, tensor.Float32)
	list, count, err := plain.Convolutions(p)
	require.NoError(t, err)
	table := cpu.NewTuning("a CPU")
	for _, c := range list {
		require.Equal(t, 1, count[c])
		require.Contains(t, c.Ways(), c.Model())
		require.Contains(t, c.String(), "3×3 32→48 at 10×10, batch 2")
		m := cpu.Measurement{Convolution: c}
		for i, way := range c.Ways() {
			m.Times = append(m.Times, cpu.WayTime{Way: way, Seconds: 1 + float64(i)/100})
		}
		require.Equal(t, c.Model(), m.Best(), "a hundredth is nothing")
		require.Zero(t, m.Gain())
		table.Add(m)
	}
	e := openTuned(t, 1, table)
	require.Equal(t, kernelsOf(t, plain, p), kernelsOf(t, e, p))
	require.Equal(t, table.Len(), e.Choices())
	require.Empty(t, e.Tuned())
}

func TestMeasure(t *testing.T) {
	e := open(t, 2)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		list, _, err := e.Convolutions(tunedPlan(t, e, dt))
		require.NoError(t, err)
		for _, c := range list {
			m, err := e.Measure(t.Context(), c, 1<<20)
			require.NoError(t, err)
			require.Len(t, m.Times, len(c.Ways()))
			for i, way := range c.Ways() {
				require.Equal(t, way, m.Times[i].Way)
				require.Positive(t, m.Times[i].Seconds)
				require.Equal(t, m.Times[i].Seconds, m.Seconds(way))
			}
			require.Contains(t, c.Ways(), m.Best())
			require.GreaterOrEqual(t, m.Gain(), 0.)
		}
		if len(list) > 0 {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = e.Measure(ctx, list[0], 0)
			require.ErrorIs(t, err, context.Canceled)
			_, err = open(t, 1).Measure(t.Context(), list[0], 1<<40)
			require.ErrorContains(t, err, "use an engine with as many")
		}
	}
}

// Filters that stay as they are are convolutions of their own: they are packed once.
func TestPackedConvolutions(t *testing.T) {
	e := open(t, 1)
	b := enginetest.NewB(t, tensor.Float32)
	w := b.Resident(b.Input("w", 3, 3, 32, 48))
	y := b.Apply(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: op.Padding{Mode: op.Same}}}, b.Input("x", 2, 10, 10, 32), w)
	b.Want("y", numtest.Reduction, y)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	list, _, err := e.Convolutions(p)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	require.Equal(t, "forward, packed", list[0].Pass())
	_, err = e.Measure(t.Context(), list[0], 1<<40)
	require.NoError(t, err)
}

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
	f.Add([]byte(`{"format":1,"kernels":1,"level":"avx2","convolutions":[{"pass":"filter"}]}`))
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
