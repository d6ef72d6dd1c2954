package keras_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/keras"
)

// load unpacks a file that scripts/golden/make_keras.py wrote.
func load(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", name+".gz"))
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return data
}

func open(t testing.TB, name string) *keras.File {
	t.Helper()
	data := load(t, name)
	f, err := keras.Decode(bytes.NewReader(data), int64(len(data)), name)
	require.NoError(t, err)
	return f
}

// check compares what a model predicts with what Keras did.
func check(t *testing.T, m *nn.Model, c *numtest.Case) {
	t.Helper()
	require.Equal(t, c.Ints("input"), []int(m.InputShape()))
	samples := c.Int("samples")
	x := make([]float32, samples*m.InputShape().Size())
	numtest.FillUnit("x/"+c.Name, 0, x)
	if c.HasAttr("raw") && c.Int("raw") == 1 {
		for i := range x {
			x[i] *= 255
		}
	}
	want := c.Tensor("y").Float32()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, float64(max(v, -v)))
	}
	require.NotZero(t, largest)
	var got []float32
	for _, y := range predict(t, m, x, samples) {
		got = append(got, y...)
	}
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], 1e-5*max(largest, 1), "element %d", i)
	}
}

func TestModels(t *testing.T) {
	for _, suffix := range []string{"", "_keras2"} {
		golden := numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions"+suffix+".json"))
		for _, name := range []string{"chain", "graph", "nested", "kinds", "augmented", "attention"} {
			c := golden.Case(t, name)
			for _, form := range []string{".keras", ".h5"} {
				if name+suffix+form == "augmented.h5" {
					continue // Keras 3 cannot save all of these layers so
				}
				t.Run(name+suffix+form, func(t *testing.T) {
					f := open(t, name+suffix+form)
					version := "3.15.1"
					if suffix != "" {
						version = "2.21.0"
					}
					require.Equal(t, version, f.Version)
					require.Equal(t, name == "chain", f.Training != nil)
					m, err := f.Model()
					require.NoError(t, err)
					require.Equal(t, name, m.Name())
					check(t, m, c)
					checkNames(t, m, f.Tensors())
				})
			}
			for _, form := range []string{".weights.h5", ".legacy_weights.h5"} {
				if name == "kinds" || name == "augmented" || form == ".legacy_weights.h5" && (name != "graph" || suffix == "") {
					continue
				}
				t.Run(name+suffix+form, func(t *testing.T) {
					m, err := keras.Model(open(t, name+suffix+".keras").Config)
					require.NoError(t, err)
					f := open(t, name+suffix+form)
					require.Nil(t, f.Config)
					_, err = f.Model()
					require.ErrorContains(t, err, "weights only")
					require.NoError(t, m.Initialize(7, tensor.Float32))
					require.NoError(t, f.Assign(m))
					check(t, m, c)
				})
			}
		}
	}
}

// TestSeveralEnds: models of several inputs and outputs, in lists and by names, some of them in one another.
func TestSeveralEnds(t *testing.T) {
	ends := map[string][2][]string{
		"several": {{"table", "spare", "words"}, {"class", "value", "pair", "value", "table"}},
		"named":   {{"o", "p", "q"}, {"u", "v"}}, // as Keras sorts them
	}
	for _, suffix := range []string{"", "_keras2"} {
		golden := numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions"+suffix+".json"))
		for name, want := range ends {
			for _, form := range []string{".keras", ".h5", ".weights.h5"} {
				if form == ".weights.h5" && name == "named" {
					continue
				}
				t.Run(name+suffix+form, func(t *testing.T) {
					f := open(t, name+suffix+form)
					m, err := f.Model()
					if form == ".weights.h5" {
						m, err = keras.Model(open(t, name+suffix+".keras").Config)
						require.NoError(t, err)
						err = f.Assign(m)
					}
					require.NoError(t, err)
					var got [2][]string
					for i, list := range [][]nn.Port{m.Inputs(), m.Outputs()} {
						for _, p := range list {
							got[i] = append(got[i], p.Name)
						}
					}
					require.Equal(t, want, got)
					checkAll(t, m, golden.Case(t, name))
				})
			}
		}
	}
	m, err := open(t, "several.keras").Model()
	require.NoError(t, err)
	require.Equal(t, 1, m.Outputs()[2].Index)
	require.Equal(t, []string{"words", "embedding", "table", "pair", "all", "spare", "class", "value"}, names(m))
}

// TestShared: layers and models in several places, whose numbers Keras 2 and 3 count from 0 or from 1.
func TestShared(t *testing.T) {
	for _, suffix := range []string{"", "_keras2"} {
		golden := numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions_shared"+suffix+".json"))
		for _, name := range []string{"shared", "behind"} {
			for _, form := range []string{".keras", ".h5", ".weights.h5"} {
				t.Run(name+suffix+form, func(t *testing.T) {
					f := open(t, name+suffix+form)
					m, err := f.Model()
					if form == ".weights.h5" {
						m, err = keras.Model(open(t, name+suffix+".keras").Config)
						require.NoError(t, err)
						err = f.Assign(m)
					}
					require.NoError(t, err)
					checkAll(t, m, golden.Case(t, name))
				})
			}
		}
	}
	m, err := open(t, "shared.keras").Model()
	require.NoError(t, err)
	calls := map[string]int{}
	for _, l := range m.Layers() {
		calls[l.Name] = len(l.Calls)
	}
	require.Equal(t, map[string]int{"words": 1, "b": 1, "table": 2, "mean": 2, "e": 5, "row": 4, "tower": 2, "a": 1, "all": 1}, calls)
	require.Equal(t, nn.Port{Name: "tower", Index: 1, Call: 1, Shape: nn.Shape{4}}, m.Outputs()[1])
}

// checkAll is check for models of several inputs and outputs.
func checkAll(t *testing.T, m *nn.Model, c *numtest.Case) {
	t.Helper()
	samples, classes := c.Int("samples"), c.Ints("integers")
	require.Len(t, m.Inputs(), len(classes))
	var x []*tensor.Dense
	for i, p := range m.Inputs() {
		name, shape := fmt.Sprintf("x/%s/%d", c.Name, i), append(tensor.Shape{samples}, p.Shape...)
		if classes[i] > 0 {
			require.Equal(t, tensor.Int, p.Dtype, p.Name)
			v := make([]int, shape.TotalSize())
			numtest.FillLabels(name, 0, classes[i], v)
			x = append(x, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v)))
			continue
		}
		require.Zero(t, p.Dtype, p.Name)
		v := make([]float32, shape.TotalSize())
		numtest.FillUnit(name, 0, v)
		x = append(x, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v)))
	}
	for i, y := range predictAll(t, m, x...) {
		want := c.Tensor(fmt.Sprintf("y%d", i))
		require.Equal(t, []int(want.Shape), []int(y.Shape()))
		require.InDeltaSlice(t, want.Float32(), y.Data(), 1e-5, "output %d", i)
		require.NotZero(t, want.Float32()[0])
	}
	require.False(t, c.Has(fmt.Sprintf("y%d", len(m.Outputs()))))
}

// checkNames asserts that tensors have the names of a model's weights.
func checkNames(t *testing.T, m *nn.Model, ts []weights.Tensor) {
	t.Helper()
	var want, got []string
	for _, w := range m.Weights() {
		want = append(want, w.Name)
	}
	for _, x := range ts {
		got = append(got, x.Name)
	}
	require.ElementsMatch(t, want, got)
}

func TestDTypes(t *testing.T) {
	golden := numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions.json"))
	for name, dtype := range map[string]string{"float16": "F16", "bfloat16": "BF16", "float64": "F64"} {
		f := open(t, name+".keras")
		require.Len(t, f.Layers, 2)
		for _, x := range f.Tensors() {
			require.Equal(t, dtype, x.DType)
		}
		m, err := f.Model()
		require.NoError(t, err)
		dt, ok := m.Dtype()
		require.True(t, ok)
		require.Equal(t, name == "float64", dt == tensor.Float64)
		if name != "float64" {
			continue
		}
		single, err := m.Clone(tensor.Float32)
		require.NoError(t, err)
		check(t, single, golden.Case(t, name))
	}
}

// Models of keras.applications as Keras saved them; make_keras.py --large makes them.
func TestLargeModels(t *testing.T) {
	folder := os.Getenv("STHENO_KERAS_MODELS")
	if folder == "" {
		t.Skip("set STHENO_KERAS_MODELS to the folder that scripts/golden/make_keras.py --large filled")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.keras"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".keras")
		t.Run(name, func(t *testing.T) {
			f, err := keras.Open(filepath.Join(folder, name+".keras"))
			require.NoError(t, err)
			m, err := f.Model()
			require.NoError(t, err)
			check(t, m, numtest.LoadGolden(t, filepath.Join(folder, name+".json")).Case(t, name))
		})
	}
}

// The weights go into a model of the same layers under other names, too.
func TestOtherNames(t *testing.T) {
	golden := numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions.json"))
	for _, form := range []string{"graph.keras", "graph.weights.h5", "graph.h5"} {
		config := string(open(t, "graph.keras").Config)
		for _, name := range []string{"stem", "stem_bn", "branch2a", "branch2a_bn", "branch2b", "branch1", "fc", "scores"} {
			config = strings.ReplaceAll(config, `"`+name+`"`, `"other_`+name+`"`)
		}
		m, err := keras.Model([]byte(config))
		require.NoError(t, err)
		require.NoError(t, open(t, form).Assign(m), form)
		check(t, m, golden.Case(t, "graph"))
	}
}

func TestMismatch(t *testing.T) {
	m, err := keras.Model([]byte(strings.Replace(string(open(t, "graph.keras").Config), `"units": 3`, `"units": 4`, 1)))
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	before := append([]float32{}, m.Weights()[0].Value.Data().([]float32)...)
	for _, form := range []string{"graph.keras", "graph.weights.h5", "graph.h5", "graph_keras2.h5", "graph_keras2.legacy_weights.h5"} {
		var mismatch *weights.MismatchError
		require.ErrorAs(t, open(t, form).Assign(m), &mismatch)
		require.Empty(t, mismatch.Missing)
		require.Empty(t, mismatch.Unexpected)
		require.Equal(t, []string{"scores/kernel wants [12 4], the file has [12 3]"}, mismatch.Different)
		require.Equal(t, before, m.Weights()[0].Value.Data())
	}
	require.ErrorAs(t, open(t, "chain.h5").Assign(m), new(*weights.MismatchError))
	require.ErrorAs(t, open(t, "chain.keras").Assign(m), new(*weights.MismatchError))
}
