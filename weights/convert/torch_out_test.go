package convert_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
)

// TestSaveTorch: what is written has PyTorch's shapes and names, and reads back bit by bit by the moves that the golden files prove.
func TestSaveTorch(t *testing.T) {
	b := nn.NewBuilder("all")
	in := b.Input(nn.Shape{8, 8, 3})
	x := b.Add(nn.Conv2D{Filters: 4, Kernel: [2]int{3, 2}, Padding: nn.Same, Name: "conv"}, in)
	x = b.Add(nn.BatchNormalization{Name: "norm"}, x)
	x = b.Add(nn.DepthwiseConv2D{Kernel: nn.K(3), DepthMultiplier: 2, Name: "deep"}, x)
	x = b.Add(nn.SeparableConv2D{Filters: 5, Kernel: nn.K(3), Name: "parts"}, x)
	x = b.Add(nn.Conv2DTranspose{Filters: 3, Kernel: nn.K(2), Name: "up"}, x)
	x = b.Add(nn.Flatten{}, x)
	x = b.Add(nn.Dense{Units: 6, Name: "first"}, x)
	x = b.Add(nn.BatchNormalization{Name: "flat_norm"}, x)
	m, err := b.Model(in, b.Add(nn.Dense{Units: 2, Name: "last"}, x))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.ErrorContains(t, convert.SaveTorch(path, m), "has no value to save")
	require.NoError(t, m.Initialize(1, tensor.Float32))
	for i, w := range m.Weights() { // no two elements alike, also where weights begin with zeros
		for j := range w.Value.Data().([]float32) {
			w.Value.Data().([]float32)[j] = float32(1000*i + j)
		}
	}
	require.NoError(t, convert.SaveTorch(path, m))
	f, err := weights.ReadSafetensors(path)
	require.NoError(t, err)
	shapes := map[string][]int{}
	for _, tensor := range f.Tensors {
		shapes[tensor.Name] = append([]int{}, tensor.Shape...)
	}
	require.Equal(t, map[string][]int{
		"conv.weight": {4, 3, 3, 2}, "conv.bias": {4},
		"norm.weight": {4}, "norm.bias": {4}, "norm.running_mean": {4}, "norm.running_var": {4}, "norm.num_batches_tracked": {},
		"deep.weight": {8, 1, 3, 3}, "deep.bias": {8},
		"parts.depthwise.weight": {8, 1, 3, 3}, "parts.pointwise.weight": {5, 8, 1, 1}, "parts.pointwise.bias": {5},
		"up.weight": {5, 3, 2, 2}, "up.bias": {3},
		"first.weight": {6, 75}, "first.bias": {6},
		"flat_norm.weight": {6}, "flat_norm.bias": {6}, "flat_norm.running_mean": {6}, "flat_norm.running_var": {6}, "flat_norm.num_batches_tracked": {},
		"last.weight": {2, 6}, "last.bias": {2},
	}, shapes)
	kernel := f.Lookup("first.weight").Data.([]float32)
	w, err := m.Weight("first/kernel")
	require.NoError(t, err)
	require.Equal(t, w.Value.Data().([]float32)[(1*5+2)*3*6+1*6+4], kernel[4*75+1*25+1*5+2]) // row 1, column 2, channel 1 to unit 4

	again, err := m.Clone(tensor.Float32)
	require.NoError(t, err)
	for _, w := range again.Weights() {
		w.Value.Zero()
	}
	names := map[string]string{"parts/depthwise_kernel": "parts.depthwise.weight", "parts/pointwise_kernel": "parts.pointwise.weight", "parts/bias": "parts.pointwise.bias"}
	for _, l := range []string{"conv", "norm", "deep", "up", "first", "flat_norm", "last"} {
		names[l] = l
	}
	require.NoError(t, convert.Load(path, again, convert.Options{Map: names}))
	for i, w := range m.Weights() {
		require.Equal(t, w.Value.Data(), again.Weights()[i].Value.Data(), w.Name)
	}

	outer := nn.NewBuilder("outer")
	x = outer.Input(nn.Shape{8, 8, 3})
	nested, err := outer.Model(x, outer.Add(m, x))
	require.NoError(t, err)
	require.ErrorContains(t, convert.SaveTorch(path, nested), "a model within the model")
	require.ErrorContains(t, convert.SaveTorch(path, nil), "the model is nil")
}
