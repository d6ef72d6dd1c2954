package convert_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/numpy"
)

// odd is a model with weights of several ranks, an outer one around it.
func odd(t *testing.T, units int) *nn.Model {
	b := nn.NewBuilder("base")
	in := b.Input(nn.Shape{6, 6, 2})
	x := b.Add(nn.SeparableConv2D{Filters: 3, Kernel: nn.K(3), Name: "sep"}, in)
	x = b.Add(nn.BatchNormalization{Name: "bn"}, x)
	base, err := b.Model(in, b.Add(nn.GlobalAveragePooling2D{Name: "gap"}, x))
	require.NoError(t, err)
	b = nn.NewBuilder("m")
	in = b.Input(nn.Shape{6, 6, 2})
	m, err := b.Model(in, b.Add(nn.Dense{Units: units, Name: "head"}, b.Add(base, in)))
	require.NoError(t, err)
	return m
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	arrays := filepath.Join(t.TempDir(), "m.NPZ")
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		m := odd(t, 4)
		require.ErrorContains(t, convert.Save(path, m), "no value to save")
		require.NoError(t, m.Initialize(7, dt))
		require.NoError(t, convert.Save(path, m))
		back := odd(t, 4)
		require.NoError(t, back.Allocate(dt))
		require.NoError(t, convert.Load(path, back, convert.Options{}))
		for i, w := range m.Weights() {
			require.Equal(t, w.Value.Data(), back.Weights()[i].Value.Data(), w.Name)
			require.NoError(t, back.Weights()[i].Value.Memset(map[tensor.Dtype]any{tensor.Float32: float32(0), tensor.Float64: 0.0}[dt]))
		}
		require.NoError(t, convert.Save(arrays, m))
		named, err := numpy.Read(arrays)
		require.NoError(t, err)
		require.Len(t, named.Tensors, len(m.Weights()))
		require.NoError(t, convert.Load(arrays, back, convert.Options{}))
		for i, w := range m.Weights() {
			require.Equal(t, w.Value.Data(), back.Weights()[i].Value.Data(), w.Name)
		}
	}
	// The file holds float64 by now: a model without memory takes it in float32.
	m, back := odd(t, 4), odd(t, 4)
	require.NoError(t, m.Initialize(7, tensor.Float64))
	require.NoError(t, convert.Load(path, back, convert.Options{}))
	for i, w := range m.Weights() {
		for k, v := range w.Value.Data().([]float64) {
			require.Equal(t, float32(v), back.Weights()[i].Value.Data().([]float32)[k])
		}
	}

	other := odd(t, 5)
	require.NoError(t, other.Initialize(1, tensor.Float32))
	before := append([]float32(nil), other.Weights()[0].Value.Data().([]float32)...)
	var wrong *convert.MismatchError
	require.ErrorAs(t, convert.Load(path, other, convert.Options{}), &wrong)
	require.Contains(t, wrong.Error(), "head/kernel")
	require.Equal(t, before, other.Weights()[0].Value.Data())
	require.Error(t, convert.Load(path+".not", other, convert.Options{}))
}
