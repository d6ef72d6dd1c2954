package keras_test

import (
	"bytes"
	"compress/gzip"
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
		for _, name := range []string{"chain", "graph", "nested"} {
			c := golden.Case(t, name)
			for _, form := range []string{".keras", ".h5"} {
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
				if form == ".legacy_weights.h5" && (name != "graph" || suffix == "") {
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

// checkNames asserts that tensors have the names of a model's weights.
func checkNames(t *testing.T, m *nn.Model, ts []weights.Tensor) {
	t.Helper()
	var want, got []string
	for _, w := range m.Weights() {
		want = append(want, w.Name)
	}
	for _, x := range ts {
		if strings.HasSuffix(x.Name, "seed_generator/vars/0") {
			continue
		}
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
	for _, name := range []string{"vgg16", "resnet50", "mobilenetv2", "mobilenet", "densenet121", "xception"} {
		t.Run(name, func(t *testing.T) {
			f, err := keras.Open(filepath.Join(folder, name+".keras"))
			require.NoError(t, err)
			m, err := f.Model()
			require.NoError(t, err)
			check(t, m, numtest.LoadGolden(t, filepath.Join(folder, name+".json")).Case(t, name))
		})
	}
}
