package numtest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// recorder is a testing.TB that keeps failures instead of failing. Fatalf panics with the recorder itself, which ends
// the code under test as a real Fatalf would.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// record runs f with a recorder and returns all failures as one text.
func record(f func(t testing.TB)) string {
	r := &recorder{}
	func() {
		defer func() {
			if e := recover(); e != nil && e != any(r) {
				panic(e)
			}
		}()
		f(r)
	}()
	return strings.Join(r.failures, "\n")
}

func TestAssertClose(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tol := Tolerance{Rel: 1e-3}
	for _, c := range []struct {
		name      string
		want, got any
		tol       Tolerance
		fail      string // part of the report, "" when it must pass
	}{
		{"equal", []float64{1, -2, 0}, []float64{1, -2, 0}, Tolerance{}, ""},
		{"empty", []float32{}, []float32{}, Tolerance{}, ""},
		{"within", []float32{1000}, []float32{1000.9}, tol, ""},
		{"outside", []float64{1, 1000}, []float64{1.0005, 1002}, tol, "1 of 2 elements out of tolerance; worst is element 1: want 1000, got 1002, error 2, relative 0.002"},
		{"norm", []float64{1e-9, 1}, []float64{5e-4, 1}, Tolerance{Norm: 1e-3}, ""},
		{"abs", []float64{0}, []float64{1e-7}, Tolerance{Abs: 1e-6}, ""},
		{"zero tolerance", []float64{0}, []float64{1e-300}, Tolerance{}, "worst is element 0"},
		{"NaN is NaN", []float64{nan, inf, -inf}, []float64{nan, inf, -inf}, tol, ""},
		{"NaN wanted", []float64{nan}, []float64{1}, tol, "want NaN, got 1"},
		{"NaN got", []float64{5, 1}, []float64{9, nan}, tol, "2 of 2 elements out of tolerance; worst is element 1: want 1, got NaN"},
		{"infinite got", []float64{1}, []float64{inf}, tol, "got +Inf"},
		{"sign of infinity", []float64{inf}, []float64{-inf}, tol, "want +Inf, got -Inf"},
		{"infinity is no scale", []float64{inf, 0}, []float64{inf, 1}, Tolerance{Norm: 1}, "want 0, got 1"},
		{"length", []float64{1}, []float64{1, 2}, tol, "want 1 elements, got 2"},
		{"type", []float64{1}, "x", tol, "cannot compare a string"},
		{"nil", nil, []float64{1}, tol, "nothing to compare"},
		{"tensors", dense(tensor.Float64, []int{2, 2}, []float64{1, 2, 3, 4}), dense(tensor.Float32, []int{2, 2}, []float64{1, 2, 9, 4}), tol, "element 2 [1 0]"},
		{"shapes", dense(tensor.Float64, []int{2, 2}, []float64{1, 2, 3, 4}), dense(tensor.Float64, []int{4}, []float64{1, 2, 3, 4}), tol, "want shape (2, 2), got (4)"},
		{"scalars", &Tensor{Data: []float64{2}}, gorgonia.NewF64(2), tol, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := record(func(t testing.TB) { AssertClose(t, c.want, c.got, c.tol, "here") })
			if c.fail == "" {
				require.Empty(t, report)
				return
			}
			require.Contains(t, report, c.fail)
			require.True(t, strings.HasPrefix(report, "here: "), report)
		})
	}
}

func TestAssertCloseReadsViews(t *testing.T) {
	x := dense(tensor.Float64, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6})
	column, err := x.Slice(nil, gorgonia.S(1))
	require.NoError(t, err)
	require.Empty(t, record(func(t testing.TB) { AssertClose(t, []float64{2, 5}, column, Tolerance{}, "view") }))
}

func TestTolerancesAreComplete(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for k := Elementwise; k <= Loss; k++ {
			require.Positive(t, Tol(dtype, k).Rel, "%v %v", dtype, k)
			require.Greater(t, GoldenTol(dtype, k).Rel, Tol(dtype, k).Rel)
		}
	}
	require.Panics(t, func() { Tol(tensor.Int, Loss) })
	require.Equal(t, "Gradient", Gradient.String())
	require.Equal(t, "Kind(9)", Kind(9).String())
}

func TestGuarded(t *testing.T) {
	for _, n := range []int{0, 1, 17} {
		s, check := Guarded(n)
		require.Len(t, s, n)
		require.Equal(t, n, cap(s))
		for i := range s {
			s[i] = 1
		}
		require.Empty(t, record(check))
		_, check64 := Guarded64(n)
		require.Empty(t, record(check64))
	}
	buf, s := guarded(3, math.Float32frombits(guard32))
	intact := func(v float32) bool { return math.Float32bits(v) == guard32 }
	require.True(t, math.IsNaN(float64(buf[guardZone-1])) && math.IsNaN(float64(buf[guardZone+len(s)])))
	for _, at := range []int{0, guardZone - 1, guardZone + 3, len(buf) - 1} {
		old := buf[at]
		buf[at] = float32(math.NaN()) // a NaN of another payload is a write all the same
		report := record(func(t testing.TB) { checkGuards(t, buf, 3, intact) })
		require.Contains(t, report, fmt.Sprintf("element %d of a slice of 3", at-guardZone))
		buf[at] = old
	}
}

func TestFill(t *testing.T) {
	// Made with scripts/golden/fill.py; the last value of each catches a wrong counter.
	g := LoadGolden(t, "testdata/fill.json")
	for _, c := range g.Cases {
		want := c.Tensor("values")
		name, seed := c.Str("name"), uint64(c.Int("seed"))
		switch c.Str("kind") {
		case "uniform":
			got := make([]float32, len(want.Data))
			FillUniform(name, seed, c.Float("limit"), got)
			require.Equal(t, want.Float32(), got, c.Name)
		case "unit":
			got := make([]float32, len(want.Data))
			FillUnit(name, seed, got)
			require.Equal(t, want.Float32(), got, c.Name)
		case "labels":
			got := make([]int, len(want.Data))
			FillLabels(name, seed, c.Int("classes"), got)
			require.Equal(t, want.Ints(), got, c.Name)
		default:
			t.Fatalf("unknown kind in case %q", c.Name)
		}
	}
	require.Panics(t, func() { FillLabels("x", 1, 0, make([]int, 1)) })
}

func TestRandomTensors(t *testing.T) {
	require.Equal(t, Normal(1, tensor.Float64, 3, 5).Data(), Normal(1, tensor.Float64, 3, 5).Data())
	require.NotEqual(t, Normal(1, tensor.Float64, 3, 5).Data(), Normal(2, tensor.Float64, 3, 5).Data())
	require.Equal(t, tensor.Float32, Uniform(1, tensor.Float32, 0, 1, 7).Dtype())
	for _, v := range Uniform(1, tensor.Float64, -2, 3, 500).Data().([]float64) {
		require.True(t, v >= -2 && v < 3)
	}
	for _, v := range AwayFromZero(1, tensor.Float64, 0.1, 500).Data().([]float64) {
		require.GreaterOrEqual(t, math.Abs(v), 0.1)
	}
	seen := map[float64]bool{}
	for _, v := range Distinct(1, tensor.Float64, 0.5, 9, 7).Data().([]float64) {
		require.False(t, seen[v])
		seen[v] = true
	}
	require.True(t, Normal(1, tensor.Float64).Shape().IsScalar())
	require.Panics(t, func() { Normal(1, tensor.String, 2) })
}

func TestLoadGolden(t *testing.T) {
	dir := t.TempDir()
	files := 0
	file := func(text string) string {
		files++
		path := filepath.Join(dir, fmt.Sprintf("%d.json", files))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := file(`{"cases":[{"name":"a","attrs":{"s":"x","i":3,"f":0.5,"l":[1,2]},
		"tensors":{"x":{"dtype":"float32","shape":[2,2],"data":[0.1,"NaN","-Inf",3]},"k":{"dtype":"int","shape":[],"data":[7]}}}]}`)
	c := LoadGolden(t, good).Case(t, "a")
	require.Equal(t, float32(0.1), c.Tensor("x").Float32()[0])
	require.True(t, math.IsNaN(c.Tensor("x").Data[1]) && math.IsInf(c.Tensor("x").Data[2], -1))
	require.Equal(t, []int{7}, c.Tensor("k").Ints())
	require.Equal(t, tensor.Shape{2, 2}, c.Tensor("x").Dense(tensor.Float64).Shape())
	require.Equal(t, "x", c.Str("s"))
	require.Equal(t, 3, c.Int("i"))
	require.Equal(t, 0.5, c.Float("f"))
	require.Equal(t, []int{1, 2}, c.Ints("l"))
	require.True(t, c.Has("x") && !c.Has("b") && c.HasAttr("i") && !c.HasAttr("j"))
	for name, f := range map[string]func(t testing.TB){
		"no such file":      func(t testing.TB) { LoadGolden(t, filepath.Join(dir, "none.json")) },
		`no case "b"; it`:   func(t testing.TB) { LoadGolden(t, good).Case(t, "b") },
		`no tensor "b"`:     func(t testing.TB) { c.For(t).Tensor("b") },
		`no attribute "z"`:  func(t testing.TB) { c.For(t).Str("z") },
		"is not a string":   func(t testing.TB) { c.For(t).Str("i") },
		"is not an integer": func(t testing.TB) { c.For(t).Int("f") },
		"is not a list":     func(t testing.TB) { c.For(t).Ints("i") },
		"no cases":          func(t testing.TB) { LoadGolden(t, file(`{"cases":[]}`)) },
		"unexpected EOF":    func(t testing.TB) { LoadGolden(t, file(`{"cases":[`)) },
		"file has 1": func(t testing.TB) {
			LoadGolden(t, file(`{"cases":[{"name":"a","tensors":{"x":{"shape":[2],"data":[1]}}}]}`))
		},
		`element 0: strconv`: func(t testing.TB) {
			LoadGolden(t, file(`{"cases":[{"name":"a","tensors":{"x":{"shape":[1],"data":["q"]}}}]}`))
		},
	} {
		require.Contains(t, record(f), name)
	}
}

func TestLoadNetRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	write := func(text string) string {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const head = `{"net":"n","seed":20260101,"batch":2,"batches":2,"classes":100,"steps":1,"learning_rate":0.5,"losses":[1],"penalties":[0],`
	r := LoadNetRun(t, write(head+`"tolerance":[1e-5],"weights":[
		{"name":"a/kernel","shape":[2,3],"fill":"uniform","value":0.5},{"name":"a/gamma","shape":[2],"fill":"constant","value":1.5}]}`))
	require.Equal(t, 0.5, r.LearningRate)
	want := make([]float32, 6)
	FillUniform("a/kernel", 20260101, 0.5, want)
	require.Equal(t, want, r.Weights[0].Initial(r.Seed))
	require.Equal(t, []float32{1.5, 1.5}, r.Weights[1].Initial(r.Seed))
	require.Len(t, r.Images(1), 2*32*32*3)
	require.NotEqual(t, r.Images(0), r.Images(1))
	require.Equal(t, r.Images(1), r.Images(3))
	require.Equal(t, r.Labels(0), r.Labels(2))
	for text, fail := range map[string]string{
		head + `"tolerance":[],"weights":[{}]}`:    "0 tolerances",
		head + `"tolerance":[1],"weights":[]}`:     "0 weights",
		head + `"tolerance":"x","weights":[{}]}`:   "cannot unmarshal",
		head + `"tolerance":[1],"weights":[{"name`: "unexpected end",
	} {
		require.Contains(t, record(func(t testing.TB) { LoadNetRun(t, write(text)) }), fail)
	}
	require.Contains(t, record(func(t testing.TB) { LoadNetRun(t, "none.json") }), "golden run")
}

// The committed files load, are small, and mean what scripts/golden/README.md says: the dense layer is recomputed here.
func TestCommittedGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("../../*/testdata/golden/*.json")
	require.NoError(t, err)
	ops, err := filepath.Glob("../../graph/op/testdata/golden/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.NotEmpty(t, ops)
	for _, path := range append(files, ops...) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(50_000), path)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		switch {
		case strings.HasPrefix(string(raw), `{"net"`):
			LoadNetRun(t, path)
		case raw[0] == '[': // a list of what is no tensors, for one test alone
			require.True(t, json.Valid(raw), path)
		default:
			LoadGolden(t, path)
		}
	}
	for _, c := range LoadGolden(t, "../../graph/op/testdata/golden/dense.json").Cases {
		x, w, y := c.Tensor("x"), c.Tensor("w"), c.Tensor("y")
		got := make([]float64, len(y.Data))
		in, out := w.Shape[0], w.Shape[1]
		for i := range got {
			if c.Has("b") {
				got[i] = c.Tensor("b").Data[i%out]
			}
			for k := 0; k < in; k++ {
				got[i] += x.Data[i/out*in+k] * w.Data[k*out+i%out]
			}
		}
		AssertClose(t, y, got, GoldenTol(tensor.Float64, Reduction), c.Name)
	}
}
