package convert

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights/keras"
)

// numbers are a weight's elements as float32.
func numbers(w *nn.Weight) []float32 {
	if d, ok := w.Value.Data().([]float64); ok {
		out := make([]float32, len(d))
		for i, v := range d {
			out[i] = float32(v)
		}
		return out
	}
	return w.Value.Data().([]float32)
}

// Files of Keras, whole models and weights: what package keras makes of them, a plan makes too.
func TestFilesOfKeras(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "keras", "testdata", "*.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	whole := map[string]*nn.Model{} // by the name's beginning
	open := func(packed string) string {
		in, err := os.Open(packed)
		require.NoError(t, err)
		defer in.Close()
		z, err := gzip.NewReader(in)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(packed), ".gz"))
		out, err := os.Create(path)
		require.NoError(t, err)
		_, err = io.Copy(out, z)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		return path
	}
	stem := func(path string) string { return strings.Split(filepath.Base(path), ".")[0] }
	for _, packed := range files {
		if strings.Contains(packed, "weights") {
			continue
		}
		f, err := keras.Open(open(packed))
		require.NoError(t, err)
		m, err := f.Model()
		require.NoError(t, err, packed)
		whole[stem(packed)] = m
	}
	for _, packed := range files {
		want := whole[stem(packed)]
		if want == nil {
			continue
		}
		t.Run(filepath.Base(packed), func(t *testing.T) {
			src, err := Open(open(packed))
			require.NoError(t, err)
			require.Equal(t, "Keras", src.Format)
			require.Equal(t, KerasLayout, src.Layout)
			m, err := want.Clone(tensor.Float32)
			require.NoError(t, err)
			require.NoError(t, m.Initialize(1, tensor.Float32))
			p, err := Match(m, src, Options{})
			require.NoError(t, err)
			require.Equal(t, RuleNames, p.Rule)
			_, err = p.Apply()
			require.NoError(t, err)
			for i, w := range m.Weights() {
				require.Equal(t, numbers(want.Weights()[i]), numbers(w), w.Name)
			}
		})
	}
}
